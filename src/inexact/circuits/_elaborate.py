"""Modules put onto a graph of one-bit nets: instances flattened, expressions turned into gates."""

from __future__ import annotations

from collections.abc import Sequence

from inexact.circuits._circuit import Bus, Circuit, Op
from inexact.circuits._expression import Expression
from inexact.circuits._graph import HIGH, LOW, NetGraph
from inexact.circuits._library import MEMORY, cell_of
from inexact.circuits._modules import PRIMITIVES, Instance, Module, Net, modules_of
from inexact.core.errors import CircuitError, near

_ADVICE = "define it in the file, or map to generic gates first (yosys: abc -g gates)"
_OPS = {"&": Op.AND, "|": Op.OR, "^": Op.XOR, "~^": Op.XNOR}
_INVERSE = {"&": Op.NAND, "|": Op.NOR, "^": Op.XNOR}
_CHAIN = {"and": Op.AND, "or": Op.OR, "xor": Op.XOR, "nand": Op.AND, "nor": Op.OR, "xnor": Op.XOR}
_LAST = {"nand": Op.NAND, "nor": Op.NOR, "xnor": Op.XNOR}

HALF_ADDER = "\nmodule half_adder(input a, input b, output sum, output carry);\n  assign sum = a ^ b;\n  assign carry = a & b;\nendmodule\n"
FULL_ADDER = (
    "\nmodule full_adder(input a, input b, input c, output sum, output carry);\n"
    "  assign sum = a ^ b ^ c;\n  assign carry = (a & b) | (c & (a | b));\nendmodule\n"
)
"""Definitions written behind circuits that hold adders; read again as the cells they are."""


class Elaborator:
    """Puts modules onto a graph of one-bit nets; nets of an instance are prefixed by its path."""

    def __init__(self, graph: NetGraph, modules: dict[str, Module]) -> None:
        self._graph = graph
        self._modules = modules

    def circuit(self, module: Module, simplify: bool) -> Circuit:
        """The circuit of the top module's ports."""
        ports = [(name, module.nets[name]) for name in module.ports]
        sides: dict[str, list[tuple[Bus, list[str]]]] = {"input": [], "output": []}
        for name, net in ports:
            bits = _bits(name, net, "")
            sides[net.direction].append((Bus(name.removeprefix("\\"), len(bits), net.signed), bits))
        return self._graph.circuit(module.name.removeprefix("\\"), sides["input"], sides["output"], simplify=simplify)

    def place(self, module: Module, prefix: str, above: tuple[str, ...]) -> None:
        """All of a module. above: the modules it stands in."""
        if module.name in above:
            raise CircuitError(f"{self._graph.file}, line {module.line}: module {module.name} must not contain itself")
        scope = _Scope(self._graph, module, prefix)
        for target, value in module.assigns:
            scope.assign(target, value)
        for number, instance in enumerate(module.instances):
            self._instance(scope, instance, f"{prefix}{instance.name or number}.", (*above, module.name))

    def _instance(self, scope: _Scope, instance: Instance, prefix: str, above: tuple[str, ...]) -> None:
        where = f"line {instance.line}"
        if instance.cell in self._modules and not _is_own_adder(self._modules[instance.cell]):
            self._submodule(scope, instance, prefix, above)
        elif instance.cell in PRIMITIVES:
            scope.primitive(instance)
        elif (cell := cell_of(instance.cell)) is not None:
            # nobody but the definition written with a circuit fixes the order of a library cell's pins
            by_name = instance.cell not in self._modules
            tied = _by_name(self._graph.file, instance, (*cell.inputs, *cell.outputs), by_name=by_name)
            sources = [scope.input_bit(tied.get(pin), instance, pin) for pin in cell.inputs]
            outputs = [scope.output_bit(tied.get(pin), instance) for pin in cell.outputs]
            self._graph.drive(outputs, cell.kind, sources, where)
        elif MEMORY.search(instance.cell):
            raise CircuitError(f"{self._graph.file}, {where}: a circuit must hold no state, but {instance.cell} is a flip-flop or latch")
        else:
            raise CircuitError(f"{self._graph.file}, {where}: {instance.cell} is no known cell; {_ADVICE}")

    def _submodule(self, scope: _Scope, instance: Instance, prefix: str, above: tuple[str, ...]) -> None:
        module, file = self._modules[instance.cell], self._graph.file
        tied = _by_name(file, instance, tuple(module.ports))
        self.place(module, prefix, above)
        for port in module.ports:
            net, value = module.nets[port], tied.get(port)
            inner = _bits(port, net, prefix)
            if net.direction == "input":
                if value is None:
                    raise CircuitError(f"{file}, line {instance.line}: input {port} of {instance.name or instance.cell} must be connected")
                self._graph.drive(inner, None, scope.value(value, len(inner))[: len(inner)], f"line {instance.line}")
            elif value is not None:
                outer = scope.target(value)[: len(inner)]
                self._graph.drive(outer, None, inner[: len(outer)], f"line {instance.line}")


class _Scope:
    """Expressions inside one instance of a module."""

    def __init__(self, graph: NetGraph, module: Module, prefix: str) -> None:
        self._graph = graph
        self._module = module
        self._prefix = prefix

    def assign(self, target: Expression, value: Expression) -> None:
        """Drive a target; the value is extended or cut to its width."""
        nets = self.target(target)
        self._graph.drive(nets, None, self.value(value, len(nets))[: len(nets)], f"line {target.line}")

    def primitive(self, instance: Instance) -> None:
        """A gate of the language: outputs first."""
        where, tied = f"line {instance.line}", [value for _, value in instance.connections]
        if len(tied) < 2 or any(pin for pin, _ in instance.connections):
            raise CircuitError(f"{self._graph.file}, {where}: gate {instance.cell} needs its output and inputs by position")
        if instance.cell in {"not", "buf"}:
            source = self.input_bit(tied[-1], instance, "input")
            for value in tied[:-1]:
                self._graph.drive([self.output_bit(value, instance)], Op.NOT if instance.cell == "not" else None, [source], where)
            return
        chain, *rest = (self.input_bit(value, instance, "input") for value in tied[1:])
        for source in rest[:-1]:
            chain = self._graph.gate(_CHAIN[instance.cell], [chain, source], where)
        output = self.output_bit(tied[0], instance)
        last = _LAST.get(instance.cell, _CHAIN[instance.cell])
        if rest:
            self._graph.drive([output], last, [chain, rest[-1]], where)
        else:
            self._graph.drive([output], Op.NOT if instance.cell in _LAST else None, [chain], where)

    def input_bit(self, value: Expression | None, instance: Instance, pin: str) -> str:
        """The net at an input pin."""
        if value is None:
            raise CircuitError(
                f"{self._graph.file}, line {instance.line}: {pin} of {instance.cell} {instance.name} must be connected".replace("  ", " ")
            )
        return self.value(value, 1)[0]

    def output_bit(self, value: Expression | None, instance: Instance) -> str:
        """The net at an output pin; a fresh one when it is left open."""
        if value is None:
            return self._graph.fresh()
        nets = self.target(value)
        if len(nets) != 1:
            raise CircuitError(
                f"{self._graph.file}, line {instance.line}: an output of {instance.cell} must go to one bit, not to {len(nets)}"
            )
        return nets[0]

    def target(self, e: Expression) -> list[str]:
        """The nets an expression names, least significant first."""
        if e.kind == "net":
            return self._selected(e)
        if e.kind == "concat":
            return [net for part in reversed(e.parts) for net in self.target(part)]
        raise CircuitError(f"{self._graph.file}, line {e.line}: only nets can be driven, not an expression")

    def value(self, e: Expression, width: int) -> list[str]:
        """The bits of an expression in a context of `width` bits: at least that many, least significant first."""
        return self._value(e, max(width, self._width(e)), self._signed(e))

    def _value(self, e: Expression, width: int, signed: bool) -> list[str]:
        if e.kind in {"net", "constant", "concat", "reduce"}:
            bits = self._leaf(e)
            return bits + [bits[-1] if signed else LOW] * (width - len(bits))
        where = f"line {e.line}"
        if e.kind == "mux":
            choice = self._leaf(e.parts[0])[0]
            one, zero = (self._value(part, width, signed) for part in e.parts[1:])
            return [self._graph.gate(Op.MUX, [choice, z, o], where) for z, o in zip(zero, one, strict=True)]
        inner = e.parts[0]
        if e.kind == "not" and inner.kind == "binary" and inner.name in _INVERSE:
            words = [self._value(part, width, signed) for part in inner.parts]
            return [self._graph.gate(_INVERSE[inner.name], pair, where) for pair in zip(*words, strict=True)]
        parts = [self._value(part, width, signed) for part in e.parts]
        if e.kind == "not":
            return [self._graph.gate(Op.NOT, [bit], where) for bit in parts[0]]
        return [self._graph.gate(_OPS[e.name], pair, where) for pair in zip(*parts, strict=True)]

    def _leaf(self, e: Expression) -> list[str]:
        if e.kind == "constant":
            return [HIGH if bit else LOW for bit in e.bits]
        if e.kind == "concat":
            return [net for part in reversed(e.parts) for net in self._value(part, self._width(part), False)]
        if e.kind == "reduce":
            bits = self._value(e.parts[0], self._width(e.parts[0]), False)
            first, *rest = bits
            for bit in rest:
                first = self._graph.gate(_OPS[e.name], [first, bit], f"line {e.line}")
            return [first]
        return self._selected(e)

    def _selected(self, e: Expression) -> list[str]:
        net = self._module.nets.get(e.name, Net())
        bits, places = _bits(e.name, net, self._prefix), net.places
        if e.high is None:
            return bits
        low = e.high if e.low is None else e.low
        if places is None or e.high not in places or low not in places or places.index(low) > places.index(e.high):
            shown = "one bit" if places is None else f"[{net.msb}:{net.lsb}]"
            raise CircuitError(f"{self._graph.file}, line {e.line}: {e.name}[{e.high}:{low}] must lie within {e.name}, which is {shown}")
        return bits[places.index(low) : places.index(e.high) + 1]

    def _width(self, e: Expression) -> int:
        if e.kind == "net":
            return len(self._selected(e))
        if e.kind == "constant":
            return len(e.bits)
        if e.kind == "concat":
            return sum(self._width(part) for part in e.parts)
        if e.kind == "reduce":
            return 1
        return max(self._width(part) for part in (e.parts[1:] if e.kind == "mux" else e.parts))

    def _signed(self, e: Expression) -> bool:
        """Whether an expression extends by its sign: all of its operands are signed nets."""
        if e.kind == "net":
            return e.high is None and self._module.nets.get(e.name, Net()).signed
        if e.kind in {"constant", "concat", "reduce"}:
            return False
        return all(self._signed(part) for part in (e.parts[1:] if e.kind == "mux" else e.parts))


def _bits(name: str, net: Net, prefix: str) -> list[str]:
    places = net.places
    return [f"{prefix}{name}"] if places is None else [f"{prefix}{name}[{place}]" for place in places]


def _by_name(file: str, instance: Instance, pins: Sequence[str], *, by_name: bool = False) -> dict[str, Expression | None]:
    """What each pin is tied to; by_name: positions are refused."""
    where = f"{file}, line {instance.line}"
    if by_name and any(not pin for pin, _ in instance.connections):
        raise CircuitError(f"{where}: pins of {instance.cell} must be connected by name, as in .{pins[0]}(x)")
    if all(not pin for pin, _ in instance.connections):
        if len(instance.connections) > len(pins):
            raise CircuitError(f"{where}: {instance.cell} has {len(pins)} pins, not {len(instance.connections)}")
        return dict(zip(pins, (value for _, value in instance.connections), strict=False))
    found: dict[str, Expression | None] = {}
    for pin, value in instance.connections:
        if pin not in pins:
            raise CircuitError(f"{where}: {instance.cell} has no pin {pin!r}{near(pin, pins)} Pins: {', '.join(pins)}")
        if pin in found:
            raise CircuitError(f"{where}: pin {pin} of {instance.cell} must be connected once")
        found[pin] = value
    return found


def _is_own_adder(module: Module) -> bool:
    """Whether a definition is the one this project writes behind its circuits: then the cell stays whole."""
    text = {"half_adder": HALF_ADDER, "full_adder": FULL_ADDER}.get(module.name)
    if text is None:
        return False
    own = modules_of(text, module.name)[module.name]
    return (own.ports, [_shape(v) for v in own.assigns]) == (module.ports, [_shape(v) for v in module.assigns]) and not module.instances


def _shape(value: Expression | tuple[Expression, ...]) -> object:
    """An expression without its lines."""
    if isinstance(value, tuple):
        return tuple(_shape(part) for part in value)
    return value.kind, value.name, value.bits, value.high, value.low, tuple(_shape(part) for part in value.parts)
