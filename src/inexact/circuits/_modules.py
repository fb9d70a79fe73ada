"""The syntax of structural Verilog modules: ports, wires, assignments, instances."""

from __future__ import annotations

from dataclasses import dataclass, field

from inexact.circuits._expression import MAX_BITS, Cursor, Expression, expression, tokens_of
from inexact.core.errors import CircuitError

PRIMITIVES = ("and", "or", "xor", "nand", "nor", "xnor", "not", "buf")
_NETS = ("wire", "tri", "logic", "supply0", "supply1")
_DIRECTIONS = ("input", "output", "inout")
_BEHAVIOUR = (
    *("always", "always_comb", "always_ff", "always_latch", "initial", "reg", "integer", "genvar", "generate", "for", "function", "task"),
    *("parameter", "localparam", "specify", "case", "if", "begin", "real", "time", "defparam"),
)


@dataclass
class Net:
    """A declared name. msb, lsb: None for a single bit. direction: input, output or empty."""

    msb: int | None = None
    lsb: int | None = None
    signed: bool = False
    direction: str = ""

    @property
    def places(self) -> list[int] | None:
        """Bit numbers from the least significant on; None for a single bit."""
        if self.msb is None or self.lsb is None:
            return None
        return list(range(self.lsb, self.msb + (1 if self.msb >= self.lsb else -1), 1 if self.msb >= self.lsb else -1))


@dataclass(frozen=True)
class Instance:
    """A cell, primitive or module placed. connections: (pin, or empty by position; what it is tied to, None = open)."""

    cell: str
    name: str
    connections: tuple[tuple[str, Expression | None], ...]
    line: int


@dataclass
class Module:
    """One module as it stands in the file."""

    name: str
    line: int
    ports: list[str] = field(default_factory=list)
    nets: dict[str, Net] = field(default_factory=dict)
    assigns: list[tuple[Expression, Expression]] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)


def modules_of(text: str, file: str) -> dict[str, Module]:
    """All modules of a file by name. Raises CircuitError for what is no structural Verilog, with the line."""
    c = Cursor(tokens_of(text, file), file)
    found: dict[str, Module] = {}
    while c.token.kind != "end":
        if not c.take("module"):
            raise c.error(f"a module must start here, not {c.token.text!r}")
        module = _module(c)
        if module.name in found:
            raise CircuitError(
                f"{file}, line {module.line}: module {module.name} must be defined once, but stands at line {found[module.name].line} too"
            )
        found[module.name] = module
    if not found:
        raise CircuitError(f"{file} must hold a Verilog module, but holds none")
    return found


def _module(c: Cursor) -> Module:
    line = c.line
    module = Module(c.name(), line)
    if c.at("#"):
        raise c.behavioural("#(parameter)")
    if c.take("("):
        _header(c, module)
    c.expect(";")
    while not c.take("endmodule"):
        _item(c, module)
    for name in module.ports:
        if name not in module.nets or not module.nets[name].direction:
            raise CircuitError(f"{c.file}, line {module.line}: port {name} of {module.name} must be declared input or output")
    return module


def _header(c: Cursor, module: Module) -> None:
    """Ports with or without their declarations."""
    net: Net | None = None
    while not c.take(")"):
        if c.at(*_DIRECTIONS):
            net = _declaration(c)
        name = c.name()
        module.ports.append(name)
        if net is not None:
            _declare(c, module, name, net)
        if not c.at(")"):
            c.expect(",")


def _item(c: Cursor, module: Module) -> None:
    if c.token.kind == "end":
        raise c.error(f"module {module.name} must end with endmodule, but the file ends")
    if c.at(*_BEHAVIOUR):
        raise c.behavioural(c.token.text)
    if c.at(*_DIRECTIONS, *_NETS):
        kind = c.token.text
        net = _declaration(c)
        _names(c, module, net, kind)
    elif c.take("assign"):
        _assignments(c, module)
    elif not c.take(";"):
        _instances(c, module)


def _declaration(c: Cursor) -> Net:
    """Direction, kind, sign and range of a declaration."""
    net = Net()
    first = c.next().text
    if first in _DIRECTIONS:
        if first == "inout":
            raise c.error("ports must be input or output, not inout")
        net.direction = first
        if c.at("reg"):
            raise c.behavioural("reg")
        c.take(*_NETS)
    net.signed = c.take("signed")
    c.take("unsigned")
    if c.take("["):
        net.msb = c.integer()
        c.expect(":")
        net.lsb = c.integer()
        c.expect("]")
        if abs(net.msb - net.lsb) >= MAX_BITS:
            raise c.error(f"a bus must have at most {MAX_BITS} bits, not [{net.msb}:{net.lsb}]")
    return net


def _names(c: Cursor, module: Module, net: Net, kind: str) -> None:
    while True:
        line, name = c.line, c.name()
        _declare(c, module, name, net)
        target = Expression("net", line, name)
        if kind in {"supply0", "supply1"}:
            module.assigns.append((target, Expression("constant", line, bits=(int(kind == "supply1"),))))
        elif c.take("="):
            module.assigns.append((target, expression(c)))
        if not c.take(","):
            c.expect(";")
            return


def _declare(c: Cursor, module: Module, name: str, net: Net) -> None:
    """A name may be declared as a port and again as a wire of the same range."""
    known = module.nets.get(name)
    if known is None:
        module.nets[name] = Net(net.msb, net.lsb, net.signed, net.direction)
        return
    if (known.msb, known.lsb) != (net.msb, net.lsb) and net.msb is not None and known.msb is not None:
        raise c.error(f"{name} must have one range, not [{known.msb}:{known.lsb}] and [{net.msb}:{net.lsb}]")
    if known.direction and net.direction:
        raise c.error(f"port {name} must be declared once")
    if known.msb is None:
        known.msb, known.lsb = net.msb, net.lsb
    known.signed = known.signed or net.signed
    known.direction = known.direction or net.direction


def _assignments(c: Cursor, module: Module) -> None:
    if c.at("#"):
        raise c.behavioural("#delay")
    while True:
        target = expression(c)
        c.expect("=")
        module.assigns.append((target, expression(c)))
        if not c.take(","):
            c.expect(";")
            return


def _instances(c: Cursor, module: Module) -> None:
    cell = c.name()
    if c.at("#"):
        raise c.behavioural(f"{cell} #(parameters or delay)")
    while True:
        line = c.line
        name = c.name() if c.token.kind == "name" else ""
        if c.at("["):
            raise c.behavioural("an array of instances")
        c.expect("(")
        connections = []
        while not c.take(")"):
            connections.append(_connection(c))
            if not c.at(")"):
                c.expect(",")
        module.instances.append(Instance(cell, name, tuple(connections), line))
        if not c.take(","):
            c.expect(";")
            return


def _connection(c: Cursor) -> tuple[str, Expression | None]:
    if c.take("."):
        pin = c.name()
        c.expect("(")
        tied = None if c.at(")") else expression(c)
        c.expect(")")
        return pin, tied
    return "", None if c.at(",", ")") else expression(c)
