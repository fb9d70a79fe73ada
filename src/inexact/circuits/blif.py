"""BLIF: written flat, read with its models flattened.

Read: .model, .inputs, .outputs, .names with covers, .subckt and .gate of models of the file and of known cells (`cells.toml`).
Latches and other state are refused; timing directives are skipped. Names such as `a[3]` are gathered into buses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inexact.circuits._circuit import FAN_OUT, Bus, Circuit, Op
from inexact.circuits._cover import COVERS, function_of
from inexact.circuits._files import read_text
from inexact.circuits._graph import HIGH, LOW, NetGraph
from inexact.circuits._library import MEMORY, cell_of
from inexact.core.errors import CircuitError, near
from inexact.core.files import write_text

_FULL_SUM = ["100", "010", "001", "111"]
_FULL_CARRY = ["11-", "1-1", "-11"]
_SKIPPED = re.compile(r"\.(area|delay|wire\w*|default_\w+|input_\w+|output_\w+|max_\w+|cname|attr|param|blackbox)")
_STATE = re.compile(r"\.(latch|mlatch|clock|start_kiss|end_kiss|exdc|latch_order|code)")


@dataclass
class _Statement:
    words: list[str]
    line: int
    cover: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Model:
    name: str
    line: int
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    body: list[_Statement] = field(default_factory=list)


def read_blif(path: str | Path, *, top: str | None = None, signed: bool = False, simplify: bool = True) -> Circuit:
    """The circuit of a BLIF file; parameters and errors as for `from_blif`."""
    return from_blif(read_text(path), top=top, signed=signed, simplify=simplify, file=str(path))


def from_blif(text: str, *, top: str | None = None, signed: bool = False, simplify: bool = True, file: str = "BLIF text") -> Circuit:
    """The circuit of a BLIF netlist.

    top: the model wanted; default: the first. signed: whether buses hold two's complement, which BLIF cannot say. simplify: propagate
    constants, share and drop cells while building. Inputs and outputs `name[0]`, `name[1]`, … become buses in the order of their first
    appearance.
    Raises CircuitError, with file and line, for what is malformed, cyclic, undriven, driven twice or holds a state.
    """
    models = _models(text, file)
    if top is not None and top not in models:
        raise CircuitError(f"{file} has no model {top!r}{near(top, models)} Models: {', '.join(models)}")
    model = models[top] if top is not None else next(iter(models.values()))
    graph = NetGraph(file)
    _place(graph, models, model, "", ())
    sides = [[(Bus(name, len(nets), signed), nets) for name, nets in _buses(nets, file)] for nets in (model.inputs, model.outputs)]
    return graph.circuit(model.name, *sides, simplify=simplify)


def to_blif(circuit: Circuit) -> str:
    """BLIF of a circuit: one `.names` a gate; adders are `.subckt half_adder` and `full_adder`, models defined behind."""
    net = _net_names(circuit)
    inputs = [net[wire] for side in range(len(circuit.inputs)) for wire in circuit.input_wires(side)]
    outputs = [name for bus in circuit.outputs for name in _bit_names(bus)]
    lines = [f".model {circuit.name}", ".inputs " + " ".join(inputs), ".outputs " + " ".join(outputs)]
    lines += [".names $false", ".names $true", "1"]
    kinds = set()
    for op, sources, out in circuit.gates():
        read = [net[wire] for wire in sources]
        if FAN_OUT[op] == 2:
            kinds.add(op)
            pins = [f"{pin}={name}" for pin, name in zip("abc", read, strict=False)]
            lines.append(" ".join([".subckt", f"{op.name.lower()}_adder", *pins, f"sum={net[out]}", f"carry={net[out + 1]}"]))
        else:
            lines += _names([*read, net[out]], COVERS[op])
    for name, wire in zip(outputs, circuit.output_wires.tolist(), strict=True):
        lines += _names([net[wire], name], ["1"])
    lines.append(".end")
    if Op.HALF in kinds:
        lines += [".model half_adder", ".inputs a b", ".outputs sum carry", *_names(["a", "b", "sum"], COVERS[Op.XOR])]
        lines += [*_names(["a", "b", "carry"], COVERS[Op.AND]), ".end"]
    if Op.FULL in kinds:
        lines += [".model full_adder", ".inputs a b c", ".outputs sum carry", *_names(["a", "b", "c", "sum"], _FULL_SUM)]
        lines += [*_names(["a", "b", "c", "carry"], _FULL_CARRY), ".end"]
    return "\n".join(lines) + "\n"


def write_blif(circuit: Circuit, path: str | Path) -> None:
    """Write `to_blif` to a file, whole or not at all."""
    write_text(path, to_blif(circuit))


def _names(nets: Sequence[str], cubes: Sequence[str]) -> list[str]:
    return [".names " + " ".join(nets), *(f"{cube} 1" for cube in cubes)]


def _bit_names(bus: Bus) -> list[str]:
    return [f"{bus.name}[{bit}]" for bit in range(bus.width)] if bus.width > 1 else [bus.name]


def _net_names(circuit: Circuit) -> list[str]:
    names = ["$false", "$true", *(name for bus in circuit.inputs for name in _bit_names(bus))]
    return names + [f"${wire}" for wire in range(len(names), circuit.wires)]


def _statements(text: str, file: str) -> Iterator[_Statement]:
    """Logical lines with their covers: comments dropped, lines that end in a backslash joined."""
    current: _Statement | None = None
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0].rstrip()
        start = start or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        words, pending, where, start = (pending + line).split(), "", start, 0
        if not words:
            continue
        if words[0].startswith("."):
            if current is not None:
                yield current
            current = _Statement(words, where)
        elif current is None or current.words[0] != ".names":
            raise CircuitError(f"{file}, line {where}: a directive such as .names must stand here, not {words[0]!r}; is this BLIF?")
        else:
            current.cover.append(_cover_line(words, current, where, file))
    if current is not None:
        yield current


def _cover_line(words: list[str], names: _Statement, line: int, file: str) -> tuple[str, str]:
    """(cube, output value)."""
    inputs = len(names.words) - 2
    cube, value = ("", words[0]) if inputs == 0 and len(words) == 1 else (words[0], words[-1])
    if len(words) > 2 or len(cube) != inputs or set(cube) - set("01-") or value not in {"0", "1"}:
        raise CircuitError(
            f"{file}, line {line}: a cover of {inputs} inputs must be {inputs} of 0, 1, - and the value 0 or 1, not {' '.join(words)!r}"
        )
    return cube, value


def _models(text: str, file: str) -> dict[str, _Model]:
    models: dict[str, _Model] = {}
    model: _Model | None = None
    for statement in _statements(text, file):
        kind, *words = statement.words
        where = f"{file}, line {statement.line}"
        if kind == ".model":
            model = _Model(words[0] if words else "top", statement.line)
            if model.name in models:
                raise CircuitError(f"{where}: model {model.name} must be defined once, but stands at line {models[model.name].line} too")
            models[model.name] = model
        elif _STATE.fullmatch(kind):
            raise CircuitError(f"{where}: a circuit must hold no state, but {kind} is here")
        elif kind == ".end" or _SKIPPED.fullmatch(kind):
            continue
        elif model is None:
            raise CircuitError(f"{where}: .model must come first, not {kind}")
        elif kind == ".inputs":
            model.inputs += words
        elif kind == ".outputs":
            model.outputs += words
        elif kind in {".names", ".subckt", ".gate", ".conn"} and words:
            model.body.append(statement)
        else:
            raise CircuitError(f"{where}: {kind} is no directive of a combinational netlist")
    if not models:
        raise CircuitError(f"{file} must hold a BLIF model, but holds none")
    return models


def _place(graph: NetGraph, models: dict[str, _Model], model: _Model, prefix: str, above: tuple[str, ...]) -> None:
    if model.name in above:
        raise CircuitError(f"{graph.file}, line {model.line}: model {model.name} must not contain itself")
    for number, statement in enumerate(model.body):
        kind, *words = statement.words
        where = f"line {statement.line}"
        if kind == ".names":
            *sources, out = (prefix + word for word in words)
            _drive_cover(graph, sources, out, statement)
        elif kind == ".conn":
            graph.drive([prefix + words[1]], None, [prefix + words[0]], where)
        else:
            tied = {pin: prefix + net for pin, net in (_pin(word, where, graph.file) for word in words[1:])}
            if words[0] in models and not _is_adder(models[words[0]]):
                inner = models[words[0]]
                inside = f"{prefix}{number}."
                _place(graph, models, inner, inside, (*above, model.name))
                _check_pins(tied, [*inner.inputs, *inner.outputs], inner.inputs, words[0], f"{graph.file}, {where}")
                for pin, net in tied.items():
                    outer, local = [net], [inside + pin]
                    graph.drive(*((local, None, outer) if pin in inner.inputs else (outer, None, local)), where)
            else:
                _drive_cell(graph, words[0], tied, where)


def _pin(word: str, where: str, file: str) -> tuple[str, str]:
    pin, equals, net = word.partition("=")
    if not equals or not net:
        raise CircuitError(f"{file}, {where}: a pin must be written pin=net, not {word!r}")
    return pin, net


def _check_pins(tied: dict[str, str], pins: Sequence[str], needed: Sequence[str], cell: str, where: str) -> None:
    for pin in tied:
        if pin not in pins:
            raise CircuitError(f"{where}: {cell} has no pin {pin!r}{near(pin, pins)} Pins: {', '.join(pins)}")
    missing = next((pin for pin in needed if pin not in tied), None)
    if missing is not None:
        raise CircuitError(f"{where}: input {missing} of {cell} must be connected")


def _drive_cell(graph: NetGraph, name: str, tied: dict[str, str], where: str) -> None:
    cell = cell_of(name)
    if cell is None:
        if MEMORY.search(name):
            raise CircuitError(f"{graph.file}, {where}: a circuit must hold no state, but {name} is a flip-flop or latch")
        raise CircuitError(f"{graph.file}, {where}: {name} is no known cell; add its .model, or write .names (abc: write_blif without -l)")
    _check_pins(tied, [*cell.inputs, *cell.outputs], cell.inputs, name, f"{graph.file}, {where}")
    outputs = [tied.get(pin) or graph.fresh() for pin in cell.outputs]
    graph.drive(outputs, cell.kind, [tied[pin] for pin in cell.inputs], where)


def _drive_cover(graph: NetGraph, sources: list[str], out: str, statement: _Statement) -> None:
    values = {value for _, value in statement.cover}
    if len(values) > 1:
        raise CircuitError(f"{graph.file}, line {statement.line}: a cover must list the 1s or the 0s of {out}, not both")
    kind = function_of(tuple(cube for cube, _ in statement.cover), len(sources), values != {"0"})
    where = f"line {statement.line}"
    if isinstance(kind, str):
        graph.drive([out], None, [kind if kind in {LOW, HIGH} else sources[int(kind)]], where)
    else:
        graph.drive([out], kind, sources, where)


def _buses(nets: Sequence[str], file: str) -> list[tuple[str, list[str]]]:
    """Nets gathered by name; the bits of a bus in the order of their numbers."""
    found: dict[str, dict[int, str]] = {}
    for net in nets:
        match = re.fullmatch(r"(.+?)\[(\d+)\]", net)
        name, bit = (match.group(1), int(match.group(2))) if match else (net, 0)
        if bit in found.setdefault(name, {}):
            raise CircuitError(f"{file}: {net} must be listed once among the inputs or outputs")
        found[name][bit] = net
    for name, bits in found.items():
        if max(bits) - min(bits) + 1 != len(bits):
            raise CircuitError(f"{file}: bus {name} must have all bits from {min(bits)} to {max(bits)}, but {len(bits)} are listed")
    return [(name, [bits[bit] for bit in sorted(bits)]) for name, bits in found.items()]


def _is_adder(model: _Model) -> bool:
    """Whether a definition is the one this project writes behind its circuits: then the cell stays whole."""
    sums = {"half_adder": (COVERS[Op.XOR], COVERS[Op.AND]), "full_adder": (_FULL_SUM, _FULL_CARRY)}.get(model.name)
    inputs = ["a", "b", "c"][: len(model.inputs)]
    if sums is None or model.inputs != inputs or model.outputs != ["sum", "carry"]:
        return False
    wanted = [([".names", *inputs, pin], [(cube, "1") for cube in cubes]) for pin, cubes in zip(("sum", "carry"), sums, strict=True)]
    return [(statement.words, statement.cover) for statement in model.body] == wanted
