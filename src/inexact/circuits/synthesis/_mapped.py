"""A netlist of library cells, in topological order, and its compiled form."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits._circuit import Bus
from inexact.circuits._program import core
from inexact.circuits.cells import Cell, Grid, Library
from inexact.core.errors import MissingDependencyError, SynthesisError

MAX_INPUTS = 6
"""Inputs of a cell in the compiled form."""

Nets = tuple[int, ...]
"""Numbers of nets: 0 and 1 are constants, then the bits of the input buses, then the cells' outputs in order."""


@final
@dataclass(frozen=True)
class Placed:
    """One cell: its name in the library, the nets at its inputs in the library's order, the net of its first output."""

    cell: str
    inputs: Nets
    output: int


@final
@dataclass(frozen=True, eq=False)
class Mapped:
    """A circuit out of library cells. inputs, outputs: buses as those of the circuit it was made of."""

    name: str
    library: Library
    inputs: tuple[Bus, ...]
    outputs: tuple[Bus, ...]
    cells: tuple[Placed, ...]
    output_nets: Nets

    @property
    def input_bits(self) -> int:
        """Bits of all input buses."""
        return sum(bus.width for bus in self.inputs)

    @property
    def area(self) -> float:
        """um2: the sum of the cells' areas, without wires."""
        return sum(self.library.cells[placed.cell].area for placed in self.cells)

    def counts(self) -> dict[str, int]:
        """How many of each cell, most frequent first."""
        return dict(Counter(placed.cell for placed in self.cells).most_common())

    @functools.cached_property
    def nets(self) -> int:
        """Number of nets, constants included."""
        return 2 + self.input_bits + sum(len(self.library.cells[placed.cell].outputs) for placed in self.cells)

    def loads(self, *, wire: float, output: float) -> NDArray[np.float64]:
        """fF of every net for its rise and fall, `[nets, 2]`: pins it drives, `wire` per pin, `output` at every bit of the result."""
        loads = np.zeros((self.nets, 2))
        for placed in self.cells:
            for net, pin in zip(placed.inputs, self.library.cells[placed.cell].inputs, strict=True):
                loads[net] += np.array(pin.edges) + wire
        for net in self.output_nets:
            loads[net] += output + wire
        return loads

    def values(self, patterns: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Result bits `[n, output bits]` for input bits `[n, input bits]`, both 0 or 1, first bus and least significant bit first."""
        out = np.zeros((len(patterns), len(self.output_nets)), np.uint8)
        compiled_core().silicon_outputs(self.compiled, np.ascontiguousarray(patterns), np.array(self.output_nets, np.int32), out)
        return out

    @functools.cached_property
    def compiled(self) -> Any:
        """The netlist with the tables of its cells, held by the compiled core."""
        used = sorted({placed.cell for placed in self.cells})
        flat = _Flat()
        for name in used:
            flat.add(self.library.cells[name])
        place = {name: number for number, name in enumerate(used)}
        cells = np.zeros((len(self.cells), 2 + MAX_INPUTS), np.int32)
        for row, placed in zip(cells, self.cells, strict=True):
            row[0], row[-1] = place[placed.cell], placed.output
            row[1 : 1 + len(placed.inputs)] = placed.inputs
        return flat.compiled(cells, self.input_bits, self.library.voltage)


def compiled_core() -> Any:
    """The compiled core. Raises MissingDependencyError when the package was installed without a compiler."""
    module = core()
    if module is None:
        raise MissingDependencyError("timing and power need the compiled core: install a C++ compiler and inexact again")
    return module


class _Flat:
    """Cells and their tables as arrays."""

    def __init__(self) -> None:
        self._numbers: list[NDArray[np.float64]] = []
        self._size = 0
        self._grids: list[tuple[int, ...]] = []
        self._known: dict[int, int] = {}
        self._keep: list[Grid] = []
        self._kinds: list[tuple[int, ...]] = []
        self._tables: list[tuple[int, int]] = []
        self._arcs: list[tuple[int, ...]] = []
        self._powers: list[tuple[int, ...]] = []
        self._whens: list[int] = []

    def add(self, cell: Cell) -> None:
        names = cell.input_names
        functions = [function or 0 for function in cell.functions]
        first_arc, first_power = len(self._arcs), len(self._powers)
        for place, pin in enumerate(cell.outputs):
            for arc in pin.arcs:
                if arc.source in names:
                    grids = [self._grid(grid) for grid in (*arc.delay, *arc.slew)]
                    self._arcs.append((names.index(arc.source), place, arc.sense, *grids))
        for place, pin in enumerate((*cell.inputs, *cell.outputs)):
            for internal in pin.internal:
                source = names.index(internal.source) if internal.source in names else -1
                self._powers.append((place, source, *(self._grid(grid) for grid in internal.energy)))
                self._whens.append(internal.when or 0)
        self._kinds.append(
            (len(names), len(functions), first_arc, len(self._arcs) - first_arc, first_power, len(self._powers) - first_power)
        )
        self._tables.append((functions[0], functions[1] if len(functions) > 1 else 0))

    def compiled(self, cells: NDArray[np.int32], inputs: int, voltage: float) -> Any:
        return compiled_core().Mapped(
            np.concatenate(self._numbers) if self._numbers else np.zeros(0),
            _rows(self._grids, 5),
            np.array(self._tables, np.uint64).reshape(-1, 2),
            _rows(self._kinds, 6),
            _rows(self._arcs, 7),
            _rows(self._powers, 4),
            np.array(self._whens, np.uint64),
            cells,
            inputs,
            voltage,
        )

    def _grid(self, grid: Grid) -> int:
        if id(grid) not in self._known:
            begins = []
            for part in (grid.slews, grid.loads, grid.values.ravel()):
                begins.append(self._size)
                self._numbers.append(np.asarray(part, np.float64))
                self._size += part.size
            self._known[id(grid)] = len(self._grids)
            self._keep.append(grid)
            self._grids.append((len(grid.slews), len(grid.loads), *begins))
        return self._known[id(grid)]


def _rows(rows: Sequence[tuple[int, ...]], columns: int) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, columns)


def placed_in_order(
    name: str,
    library: Library,
    inputs: Sequence[tuple[Bus, Sequence[object]]],
    outputs: Sequence[tuple[Bus, Sequence[object]]],
    instances: Sequence[tuple[str, Mapping[str, object]]],
    constants: Mapping[object, int],
) -> Mapped:
    """A `Mapped` of cells in any order. Nets are any hashable names; constants: the nets that are 0 or 1.

    instances: cell name and the net at every pin. Raises SynthesisError when a cell is not of the library, a net has no driver or there
    is a loop.
    """
    number: dict[object, int] = dict(constants)
    count = 2
    for _, bits in inputs:
        for bit in bits:
            number.setdefault(bit, count)
            count += 1
    unknown = sorted({cell for cell, _ in instances if cell not in library.cells or not library.cells[cell].usable})
    if unknown:
        raise SynthesisError(f"{name} must be made of cells of {library.name}, but has {', '.join(unknown)}")
    placed = _levelled(library, instances, number, count)
    lost = [bit for _, bits in outputs for bit in bits if bit not in number]
    if len(placed) < len(instances) or lost:
        raise SynthesisError(
            f"{name} must have a driver for every net and no loops, but {len(instances) - len(placed)} cells never get theirs"
        )
    nets = tuple(number[bit] for _, bits in outputs for bit in bits)
    return Mapped(name, library, tuple(bus for bus, _ in inputs), tuple(bus for bus, _ in outputs), tuple(placed), nets)


def _levelled(
    library: Library, instances: Sequence[tuple[str, Mapping[str, object]]], number: dict[object, int], count: int
) -> list[Placed]:
    """The cells all of whose inputs have drivers, in an order in which these come first. number: of the nets; gains the cells' outputs,
    which are counted from `count` on."""
    placed: list[Placed] = []
    waiting: dict[object, list[int]] = {}
    missing = []
    ready = []
    for index, (cell, pins) in enumerate(instances):
        needed = {pins.get(pin, _OPEN) for pin in library.cells[cell].input_names} - number.keys()
        missing.append(len(needed))
        for net in needed:
            waiting.setdefault(net, []).append(index)
        if not needed:
            ready.append(index)
    for index in ready:
        cell, pins = instances[index]
        made = library.cells[cell]
        placed.append(Placed(cell, tuple(number[pins[pin]] for pin in made.input_names), count))
        for pin in made.outputs:
            net = pins.get(pin.name, (index, pin.name))
            number[net] = count
            count += 1
            for reader in waiting.pop(net, ()):
                missing[reader] -= 1
                if missing[reader] == 0:
                    ready.append(reader)
    return placed


_OPEN = object()
"""A pin nobody connects: it never gets a driver."""
