"""What a cell library says, in one set of units: ns, fF, fJ, nW, um2."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Grid:
    """A table over input slew (ns, 20-80 % or as the library defines it) and output load (fF): values `[slews, loads]`."""

    slews: Floats
    loads: Floats
    values: Floats

    def at(self, slew: float, load: float) -> float:
        """The value there, linear between points and beyond them."""
        return _along(self.slews, slew, np.array([_along(self.loads, load, row) for row in self.values]))


def _along(axis: Floats, x: float, values: Floats) -> float:
    if len(axis) == 1:
        return float(values[0])
    i = int(np.clip(np.searchsorted(axis, x) - 1, 0, len(axis) - 2))
    return float(values[i] + (values[i + 1] - values[i]) * (x - axis[i]) / (axis[i + 1] - axis[i]))


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Arc:
    """Timing from an input pin to an output pin: delays and output slews in ns by the edge of the output.

    sense: 1 = the output follows the input, -1 = it goes the other way, 0 = either.
    """

    source: str
    sense: int
    delay: tuple[Grid, Grid]
    slew: tuple[Grid, Grid]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Internal:
    """Energy inside the cell in fJ for a (rising, falling) edge of the pin it stands at, without that of the load.

    source: the input that caused it, or None. when: truth table over the cell's inputs of the states it holds in, or None = all.
    """

    source: str | None
    when: int | None
    energy: tuple[Grid, Grid]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Pin:
    """A pin of a cell.

    capacitance, edges: of an input in fF, and by edge (rise, fall). setup: ns, where a clock samples it. function: of an output, as a
    truth table over the inputs.
    """

    name: str
    capacitance: float
    edges: tuple[float, float]
    function: int | None
    arcs: tuple[Arc, ...]
    internal: tuple[Internal, ...]
    setup: float | None = None
    clock: bool = False


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A standard cell. area: um2. leakage: nW, the mean where states differ; leakages: by state of the inputs, (truth table, nW).

    sequential: a flip-flop or latch; its outputs have no function. clocked_on: what samples a flip-flop's `next_state`, as written.
    """

    name: str
    area: float
    leakage: float
    leakages: tuple[tuple[int, float], ...]
    inputs: tuple[Pin, ...]
    outputs: tuple[Pin, ...]
    sequential: bool
    usable: bool
    clocked_on: str | None = None
    next_state: str | None = None

    @functools.cached_property
    def input_names(self) -> tuple[str, ...]:
        """Names of the input pins; bit j of a truth table's row is input j."""
        return tuple(pin.name for pin in self.inputs)

    @functools.cached_property
    def functions(self) -> tuple[int | None, ...]:
        """Truth tables of the outputs."""
        return tuple(pin.function for pin in self.outputs)

    def output(self, name: str) -> Pin:
        """An output by name."""
        return next(pin for pin in self.outputs if pin.name == name)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Library:
    """A cell library. corner: process, voltage (V) and temperature (C) as one word, "typical_1.1V_27C". sha256: of the file.

    text: the file itself, which synthesis reads. origin: where it comes from, for a source.
    """

    name: str
    corner: str
    voltage: float
    node: str | None
    cells: dict[str, Cell]
    sha256: str
    text: str
    origin: str

    def flip_flop(self) -> Cell | None:
        """The smallest plain flip-flop for a rising edge: one clock, one data pin; None when there is none."""
        found = [c for c in self.cells.values() if c.usable and c.clocked_on in c.input_names and c.next_state in c.input_names]
        plain = [c for c in found if len(c.inputs) == 2 and any(pin.setup is not None for pin in c.inputs)]
        return min(plain, key=lambda c: (c.area, c.name), default=None)

    @property
    def label(self) -> str:
        """Name and the first digits of the hash: two files of one name are two libraries."""
        return f"{self.name}@{self.sha256[:8]}"
