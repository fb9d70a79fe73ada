"""Static timing of a mapped netlist some of whose inputs never change: paths through them do not count."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from inexact.circuits.synthesis._mapped import Mapped, Nets, Placed
from inexact.circuits.synthesis._measure import Surroundings, loads, timing


def constant_delay(mapped: Mapped, around: Surroundings, constants: Mapping[int, int]) -> float:
    """ns from the inputs that change to any output, the worst; 0 when nothing changes.

    constants: 0 or 1 of input bits (by their place over all buses) that are held. The netlist stays as it is, loads included; what
    is constant then is found cell by cell: a cell's output, or a pin that no output of the cell depends on any more.
    """
    tied = _tied(mapped, constants)
    arrival, _ = timing(tied, around, loads(mapped, around))
    return max(0.0, float(arrival[list(tied.output_nets)].max()))


def _tied(mapped: Mapped, constants: Mapping[int, int]) -> Mapped:
    """The same cells; pins whose value is constant, or does not matter, read the constant nets 0 and 1."""
    known: dict[int, int] = {0: 0, 1: 1} | {2 + place: value for place, value in constants.items()}
    cells = []
    for placed in mapped.cells:
        inputs = tuple(known.get(net, net) for net in placed.inputs)
        order = {net: place for place, net in enumerate(dict.fromkeys(net for net in inputs if net > 1), 2)}
        functions = tuple(function or 0 for function in mapped.library.cells[placed.cell].functions)
        found = _looked_at(functions, tuple(order.get(net, net) for net in inputs))
        known |= {placed.output + place: value for place, value in enumerate(found.values) if value is not None}
        cells.append(Placed(placed.cell, tuple(0 if pin in found.dead else net for pin, net in enumerate(inputs)), placed.output))
    outputs = tuple(known.get(net, net) for net in mapped.output_nets)
    return dataclasses.replace(mapped, cells=tuple(cells), output_nets=outputs)


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """What constants leave of a cell. values: of its outputs, None where they change. dead: pins that nothing depends on."""

    values: tuple[int | None, ...]
    dead: tuple[int, ...]


@lru_cache(maxsize=4096)
def _looked_at(functions: tuple[int, ...], inputs: Nets) -> _Cell:
    """functions: truth tables of the outputs. inputs: 0 and 1 are constants, other numbers nets, of which one may be at several pins."""
    states = _states(inputs)
    seen = [{function >> state & 1 for state in states} for function in functions]
    dead: list[int] = []
    kept = list(inputs)
    for pin, net in enumerate(inputs):
        if net > 1 and inputs.count(net) == 1 and not _matters(functions, _states(tuple(kept)), pin):
            dead.append(pin)
            kept[pin] = 0
    return _Cell(values=tuple(next(iter(values)) if len(values) == 1 else None for values in seen), dead=tuple(dead))


def _states(inputs: Nets) -> list[int]:
    """The states of a cell's pins that can occur."""
    free = sorted({net for net in inputs if net > 1})
    found = []
    for values in itertools.product((0, 1), repeat=len(free)):
        value = {0: 0, 1: 1} | dict(zip(free, values, strict=True))
        found.append(sum(value[net] << pin for pin, net in enumerate(inputs)))
    return found


def _matters(functions: tuple[int, ...], states: list[int], pin: int) -> bool:
    return any(function >> state & 1 != function >> (state ^ 1 << pin) & 1 for function in functions for state in states)
