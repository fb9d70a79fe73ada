"""How a circuit becomes library cells: recipes for Yosys and abc, and the one-to-one mapper that needs neither."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import FAN_IN, ONE, ZERO, Bus, Circuit, Op
from inexact.circuits._elaborate import FULL_ADDER
from inexact.circuits.cells import Cell, Library
from inexact.circuits.synthesis._mapped import Mapped, placed_in_order
from inexact.circuits.synthesis._yosys import Yosys
from inexact.circuits.verilog import to_verilog
from inexact.core.errors import LibraryError, SynthesisError, near

RECIPES: dict[str, str] = {
    "fa": "full adders, named by the netlist or else found in its logic, become the library's cell, the rest by abc for speed",
    "plain": "all logic by abc for speed (the default of Yosys)",
    "area": "all logic by abc for area (amap)",
    "delay": "all logic by abc for speed, then buffers and sizes (map, buffer, upsize, dnsize)",
    "unoptimised": "every gate of the netlist becomes one cell; needs no Yosys",
}
"""What each recipe does, in one line."""

DEFAULT_RECIPE = "fa"

_TOP = "unit"

_SCRIPTS = {
    "fa": "",
    "plain": "",
    "area": " -script +strash;dch;amap,-m;topo",
    "delay": " -D 1 -script +strash;ifraig;scorr;dc2;strash;dch,-f;map,-D,1;topo;buffer,-c;upsize,-D,1;dnsize,-D,1",
}

_SUM, _CARRY = 0x96, 0xE8
_HALF_SUM, _HALF_CARRY = 0x6, 0x8
_TABLES = {
    Op.NOT: (0b01,),
    Op.AND: (0x8,),
    Op.OR: (0xE,),
    Op.XOR: (0x6,),
    Op.NAND: (0x7,),
    Op.NOR: (0x1,),
    Op.XNOR: (0x9,),
    Op.MUX: (0b11100100,),
    Op.HALF: (_HALF_SUM, _HALF_CARRY),
    Op.FULL: (_SUM, _CARRY),
}
"""Outputs of each kind of gate as truth tables over its inputs. MUX: in0 selects in1 (0) or in2 (1)."""


def require_recipe(name: str) -> str:
    """The name itself. Raises SynthesisError with near names when no recipe is called so."""
    if name not in RECIPES:
        raise SynthesisError(f"no recipe is called {name!r}{near(name, RECIPES)} Known: {', '.join(RECIPES)}")
    return name


def mapped(circuit: Circuit, library: Library, recipe: str, yosys: Yosys | None) -> Mapped:
    """The circuit out of library cells. yosys: None only for "unoptimised".

    Raises SynthesisError when Yosys fails or leaves something that is no cell of the library; LibraryError when the library lacks a
    full-adder cell ("fa") or a gate the one-to-one mapper needs.
    """
    if recipe == "unoptimised":
        return _one_to_one(circuit, library)
    assert yosys is not None
    # one name for all: what abc does must depend on the netlist alone
    text = to_verilog(circuit.renamed(_TOP))
    named = recipe == "fa" and FULL_ADDER in text
    if named:
        text = text.replace(FULL_ADDER, _full_adder(library))
    (yosys.folder / "unit.v").write_text(text)
    cells = yosys.folder / f"{library.sha256[:16]}.lib"
    if not cells.exists():
        cells.write_text(library.text)
    target = yosys.folder / "mapped.json"
    target.unlink(missing_ok=True)
    yosys.run(
        _commands(library, cells, recipe, yosys.folder, find_adders=recipe == "fa" and not named), f"{circuit.name} (recipe {recipe})"
    )
    try:
        design = json.loads(target.read_text())
    except (OSError, ValueError) as error:
        raise SynthesisError(f"{circuit.name} could not be synthesised: Yosys wrote no netlist") from error
    return _from_json(design, circuit, library)


def _commands(library: Library, cells: Path, recipe: str, folder: Path, *, find_adders: bool) -> list[str]:
    commands = [f"read_verilog {folder}/unit.v", f"hierarchy -top {_TOP}", "proc", "flatten", "opt -full", "techmap", "opt -full"]
    if find_adders:
        (folder / "adders.v").write_text(_adder_map(library))
        commands += ["extract_fa -fa", f"techmap -map {folder}/adders.v", "opt_clean"]
    unwanted = "".join(f" -dont_use {name}" for name, cell in library.cells.items() if not cell.usable)
    return [*commands, f"abc -liberty {cells}{unwanted}{_SCRIPTS[recipe]}", "opt_clean -purge", f"write_json {folder}/mapped.json"]


def _adder_map(library: Library) -> str:
    """Yosys' own $fa (X carry, Y sum) as the library's full adder."""
    return (
        '(* techmap_celltype = "$fa" *)\nmodule full_adder_of_library (A, B, C, X, Y);\n  parameter WIDTH = 1;\n'
        "  input [WIDTH-1:0] A, B, C;\n  output [WIDTH-1:0] X, Y;\n  genvar i;\n"
        "  generate for (i = 0; i < WIDTH; i = i + 1) begin : bit\n    "
        + _full_adder_cell(library, *(f"{pin}[i]" for pin in "ABCYX"))
        + "  end endgenerate\nendmodule\n"
    )


def _full_adder(library: Library) -> str:
    """The module behind a circuit that names its full adders, as the library's cell."""
    cell = _full_adder_cell(library, "a", "b", "c", "sum", "carry")
    return f"\nmodule full_adder(input a, input b, input c, output sum, output carry);\n  {cell}endmodule\n"


def _full_adder_cell(library: Library, *nets: str) -> str:
    """The library's full adder on these nets: three inputs, sum, carry."""
    found = _cells_for(library).get((3, (_SUM, _CARRY)))
    if found is None:
        raise LibraryError(f"recipe 'fa' needs a full-adder cell, but {library.name} has none; use 'plain', 'area' or 'delay'")
    cell, order, outputs = found
    pins = [f".{cell.input_names[pin]}({nets[place]})" for place, pin in enumerate(order)]
    pins += [f".{cell.outputs[output].name}({net})" for output, net in zip(outputs, nets[3:], strict=True)]
    return f"{cell.name} cell_ ({', '.join(pins)});\n"


def _from_json(design: dict[str, Any], circuit: Circuit, library: Library) -> Mapped:
    top = design["modules"][_TOP]

    def bits(bus: Bus) -> list[object]:
        return list(top["ports"][bus.name]["bits"])

    instances = [(cell["type"], {pin: nets[0] for pin, nets in cell["connections"].items()}) for cell in top["cells"].values()]
    constants: dict[object, int] = {"0": ZERO, "x": ZERO, "1": ONE}
    return placed_in_order(
        circuit.name,
        library,
        [(bus, bits(bus)) for bus in circuit.inputs],
        [(bus, bits(bus)) for bus in circuit.outputs],
        instances,
        constants,
    )


_Found = tuple[Cell, tuple[int, ...], tuple[int, ...]]
"""A cell; its input number for each input of the function; its output number for each output of the function."""


def _cells_for(library: Library) -> dict[tuple[int, tuple[int, ...]], _Found]:
    """The smallest cell for every function of up to three inputs that a permutation of its pins gives: (inputs, truth tables)."""
    found: dict[tuple[int, tuple[int, ...]], _Found] = {}
    for cell in sorted(library.cells.values(), key=lambda c: (c.area, c.name)):
        if not cell.usable or cell.sequential or not 1 <= len(cell.inputs) <= 3 or len(cell.outputs) > 2:
            continue
        for order in itertools.permutations(range(len(cell.inputs))):
            tables = [_permuted(function or 0, order) for function in cell.functions]
            for outputs in itertools.permutations(range(len(tables))):
                found.setdefault((len(order), tuple(tables[o] for o in outputs)), (cell, order, outputs))
    return found


def _permuted(table: int, order: tuple[int, ...]) -> int:
    """The truth table when input `place` of the function is pin `order[place]` of the cell."""
    result = 0
    for state in range(1 << len(order)):
        pins = sum((state >> place & 1) << pin for place, pin in enumerate(order))
        result |= (table >> pins & 1) << state
    return result


def cell_areas(library: Library) -> dict[Op, float]:
    """um2 of every kind of gate: its cell, or what the one-to-one mapper builds it of."""
    areas = {}
    for op in Op:
        b = Builder("cell", simplify=False)
        b.output("y", b.place(op, b.input("x", FAN_IN[op])))
        areas[op] = _one_to_one(b.build(), library).area
    return areas


def _one_to_one(circuit: Circuit, library: Library) -> Mapped:
    cells = _cells_for(library)
    circuit = _within(circuit, {op for op, tables in _TABLES.items() if (FAN_IN[op], tables) in cells})
    instances: list[tuple[str, dict[str, object]]] = []
    for op, sources, out in circuit.gates():
        found = cells.get((FAN_IN[op], _TABLES[op]))
        if found is None:
            raise LibraryError(f"{library.name} must have a cell for {op.name}, or for gates to build it of, but has none")
        cell, order, outputs = found
        pins: dict[str, object] = {cell.input_names[pin]: sources[place] for place, pin in enumerate(order)}
        pins |= {cell.outputs[output].name: out + place for place, output in enumerate(outputs)}
        instances.append((cell.name, pins))
    wires: Iterator[object] = iter(range(2, 2 + circuit.input_bits))
    inputs = [(bus, [next(wires) for _ in range(bus.width)]) for bus in circuit.inputs]
    outs: Iterator[object] = iter(circuit.output_wires.tolist())
    outputs_ = [(bus, [next(outs) for _ in range(bus.width)]) for bus in circuit.outputs]
    return placed_in_order(circuit.name, library, inputs, outputs_, instances, {ZERO: ZERO, ONE: ONE})


def _within(circuit: Circuit, kinds: set[Op]) -> Circuit:
    """The circuit with gates the library lacks built of NAND, NOT and what it has."""
    if all(op in kinds for op, _, _ in circuit.gates()):
        return circuit
    b = Builder(circuit.name, simplify=False)
    wires = [ZERO, ONE]
    for bus in circuit.inputs:
        wires += b.input(bus.name, bus.width, signed=bus.signed)
    for op, sources, _ in circuit.gates():
        wires += _built(b, kinds, op, tuple(wires[w] for w in sources))
    place = 0
    for bus in circuit.outputs:
        b.output(bus.name, [wires[w] for w in circuit.output_wires[place : place + bus.width].tolist()], signed=bus.signed)
        place += bus.width
    return b.build()


def _built(b: Builder, kinds: set[Op], op: Op, x: tuple[int, ...]) -> tuple[int, ...]:  # noqa: PLR0911  one return a kind of gate
    """The outputs of a gate, out of kinds the library has."""
    if op in kinds:
        return tuple(b.place(op, x))
    inverted = {Op.AND: Op.NAND, Op.OR: Op.NOR, Op.XOR: Op.XNOR, Op.NAND: Op.AND, Op.NOR: Op.OR, Op.XNOR: Op.XOR}
    if op in inverted and inverted[op] in kinds and Op.NOT in kinds:
        return tuple(b.place(Op.NOT, b.place(inverted[op], x)))

    def one(kind: Op, *inputs: int) -> int:
        return _built(b, kinds, kind, inputs)[0]

    match op:
        case Op.NOT:
            return (one(Op.NAND, x[0], x[0]),) if Op.NAND in kinds else (one(Op.NOR, x[0], x[0]),)
        case Op.XOR:
            both = one(Op.NAND, x[0], x[1])
            return (one(Op.NAND, one(Op.NAND, x[0], both), one(Op.NAND, x[1], both)),)
        case Op.XNOR:
            return (one(Op.NOT, one(Op.XOR, x[0], x[1])),)
        case Op.NOR:
            return (one(Op.NOT, one(Op.OR, x[0], x[1])),)
        case Op.OR:
            return (one(Op.NAND, one(Op.NOT, x[0]), one(Op.NOT, x[1])),)
        case Op.MUX:
            return (one(Op.NAND, one(Op.NAND, x[0], x[2]), one(Op.NAND, one(Op.NOT, x[0]), x[1])),)
        case Op.HALF:
            return one(Op.XOR, x[0], x[1]), one(Op.AND, x[0], x[1])
        case Op.FULL:
            half = one(Op.XOR, x[0], x[1])
            carry = one(Op.NAND, one(Op.NAND, x[0], x[1]), one(Op.NAND, half, x[2]))
            return one(Op.XOR, half, x[2]), carry
        case _:
            return tuple(b.place(op, x))
