"""Structural Verilog: written flat, read with its hierarchy flattened.

Read: modules, input and output ports, wires and vectors, `assign` of bitwise expressions (& | ^ ~ ?: && || !, concatenation, repetition,
selection, reduction), primitive gates, instances of modules of the file and of known cells (`cells.toml`). Everything else is refused
with its line: behaviour goes through a synthesis tool first.
"""

from __future__ import annotations

import re
from pathlib import Path

from inexact.circuits._circuit import Bus, Circuit, Op
from inexact.circuits._elaborate import FULL_ADDER, HALF_ADDER, Elaborator
from inexact.circuits._files import read_text
from inexact.circuits._graph import HIGH, LOW, NetGraph
from inexact.circuits._library import cell_of
from inexact.circuits._modules import Module, modules_of
from inexact.core.errors import CircuitError, near
from inexact.core.files import write_text

_ASSIGN = {
    Op.NOT: "~{0}", Op.AND: "{0} & {1}", Op.OR: "{0} | {1}", Op.XOR: "{0} ^ {1}", Op.NAND: "~({0} & {1})", Op.NOR: "~({0} | {1})",
    Op.XNOR: "~({0} ^ {1})", Op.MUX: "{0} ? {2} : {1}",
}  # fmt: skip


def read_verilog(path: str | Path, *, top: str | None = None, simplify: bool = True) -> Circuit:
    """The circuit of a structural Verilog file; parameters and errors as for `from_verilog`."""
    return from_verilog(read_text(path), top=top, simplify=simplify, file=str(path))


def from_verilog(text: str, *, top: str | None = None, simplify: bool = True, file: str = "Verilog text") -> Circuit:
    """The circuit of structural Verilog.

    top: the module wanted; default: the one no other instantiates. simplify: propagate constants, share and drop cells while building.
    Input and output buses are the ports in order, with their `signed`.
    Raises CircuitError, with file and line, for what is not structural, malformed, cyclic, undriven, driven twice or holds a state.
    """
    try:
        modules = modules_of(text, file)
        name = _top(modules, top, file)
        graph = NetGraph(file)
        elaborator = Elaborator(graph, modules)
        elaborator.place(modules[name], "", ())
        return elaborator.circuit(modules[name], simplify)
    except RecursionError as error:
        raise CircuitError(f"{file}: expressions and modules must not be nested this deeply") from error


def to_verilog(circuit: Circuit) -> str:
    """Structural Verilog of a circuit: one `assign` a gate; adders are instances of `half_adder` and `full_adder`, defined behind."""
    name = identifier(circuit.name)
    ports = [
        f"{'input' if bus in circuit.inputs else 'output'} {_range(bus)}{identifier(bus.name)}"
        for bus in (*circuit.inputs, *circuit.outputs)
    ]
    net = _net_names(circuit)
    lines = [f"module {name}(", ",\n".join(f"  {port}" for port in ports), ");"]
    first = 2 + circuit.input_bits
    if circuit.wires > first:
        lines += [f"  wire {wire};" for wire in net[first:]]
    kinds = set()
    for index, (op, sources, out) in enumerate(circuit.gates()):
        read = [net[wire] for wire in sources]
        if op in {Op.HALF, Op.FULL}:
            kinds.add(op)
            pins = ", ".join(f".{pin}({tied})" for pin, tied in zip("abc", read, strict=False))
            lines.append(f"  {op.name.lower()}_adder u{index}({pins}, .sum({net[out]}), .carry({net[out + 1]}));")
        else:
            lines.append(f"  assign {net[out]} = {_ASSIGN[op].format(*read)};")
    for side, bus in enumerate(circuit.outputs):
        word = [net[wire] for wire in reversed(circuit.bus_wires(side))]
        lines.append(f"  assign {identifier(bus.name)} = {{{', '.join(word)}}};")
    behind = (HALF_ADDER if Op.HALF in kinds else "") + (FULL_ADDER if Op.FULL in kinds else "")
    return "\n".join([*lines, "endmodule", ""]) + behind


def write_verilog(circuit: Circuit, path: str | Path) -> None:
    """Write `to_verilog` to a file, whole or not at all."""
    write_text(path, to_verilog(circuit))


def identifier(name: str) -> str:
    """A name as it must be written: escaped when it is no plain identifier or a keyword; without spaces, which no name may hold."""
    name = re.sub(r"\s", "_", name)
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) and not _KEYWORDS.fullmatch(name) else f"\\{name} "


_KEYWORDS = re.compile(
    "always|and|assign|begin|buf|case|cell|config|default|else|end|endmodule|for|function|generate|if|initial|inout|input|integer|logic|module|"
    "nand|nor|not|or|output|parameter|real|reg|signed|supply0|supply1|table|task|time|tri|unsigned|wand|while|wire|wor|xnor|xor"
)


def _range(bus: Bus) -> str:
    return ("signed " if bus.signed else "") + (f"[{bus.width - 1}:0] " if bus.width > 1 else "")


def _net_names(circuit: Circuit) -> list[str]:
    names = [LOW, HIGH]
    for bus in circuit.inputs:
        names += [f"{identifier(bus.name)}[{bit}]" if bus.width > 1 else identifier(bus.name) for bit in range(bus.width)]
    taken = {bus.name for bus in (*circuit.inputs, *circuit.outputs)}
    prefix = "w"
    while any(re.fullmatch(prefix + r"\d+", name) for name in taken):
        prefix += "w"
    return names + [f"{prefix}{wire}" for wire in range(len(names), circuit.wires)]


def _top(modules: dict[str, Module], top: str | None, file: str) -> str:
    if top is not None:
        if top not in modules:
            raise CircuitError(f"{file} has no module {top!r}{near(top, modules)} Modules: {', '.join(modules)}")
        return top
    placed = {instance.cell for module in modules.values() for instance in module.instances}
    free = [name for name in modules if name not in placed]
    # definitions of cells that this project writes behind a circuit may stand unused
    wanted = [name for name in free if cell_of(name) is None] or free
    if len(wanted) != 1:
        raise CircuitError(f"{file} must have one module that no other instantiates, not {', '.join(wanted) or 'none'}; name one with top")
    return wanted[0]
