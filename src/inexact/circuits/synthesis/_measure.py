"""Delay, leakage and energy of a mapped netlist, measured on pairs of operands that follow each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits._circuit import Bus
from inexact.circuits._program import threads
from inexact.circuits.synthesis._mapped import MAX_INPUTS, Mapped, compiled_core
from inexact.core.errors import DataError
from inexact.core.files import sha256

Bits = NDArray[np.uint8]
"""0 or 1, `[pairs, input bits]`, first bus and least significant bit first."""

BATCHES = 16
"""Batches of pairs whose spread gives the interval."""

_STUDENT = 2.131
"""97.5 % point of Student's t with 15 degrees of freedom."""

MAX_DELAY_TICKS = 4000
FINEST_TICK = 5e-4
"""ns; coarser where the worst path takes more than 2 ns, so that every delay fits."""


@final
@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a netlist is measured in. slew: of its inputs, ns. output: load at every bit of the result, fF. wire: fF per connected pin."""

    slew: float = 0.02
    output: float = 2.0
    wire: float = 0.3

    def __str__(self) -> str:
        return f"input slew {self.slew * 1e3:g} ps, output load {self.output:g} fF, wire {self.wire:g} fF per pin"


@final
@dataclass(frozen=True, kw_only=True)
class Operands:
    """Which operands follow each other. name: for a source. weights: per input bus a weight of every bit pattern, or None = uniform.

    Operands are independent of each other and of those before, but for `held`: a bus (by its place) that stays as it is, as the operand
    of a stationary dataflow does; in a MAC for one sum. pairs: how many transitions, a multiple of 16. seed: of the draw.
    """

    name: str = "uniform"
    weights: tuple[tuple[float, ...] | None, ...] | None = None
    pairs: int = 4096
    seed: int = 0
    held: int | None = None

    @property
    def label(self) -> str:
        """Name, a hash where weights are given, a seed other than 0: the same words mean the same operands."""
        stays = "" if self.held is None else f", operand {self.held + 1} held"
        stays += f", seed {self.seed}" if self.seed else ""
        if self.weights is None:
            return self.name + stays
        return f"{self.name}@{sha256(repr(self.weights).encode())[:8]}{stays}"

    def drawn(self, buses: Sequence[Bus]) -> tuple[Bits, Bits]:
        """Input bits before and after, `[pairs, bits]` each. DataError when weights do not fit the buses."""
        bits = self._values(np.random.default_rng(self.seed), buses, 2 * self.pairs)
        before, after = np.ascontiguousarray(bits[: self.pairs]), np.ascontiguousarray(bits[self.pairs :])
        if self.held is not None:
            start = sum(bus.width for bus in buses[: self.held])
            stays = slice(start, start + buses[self.held].width)
            after[:, stays] = before[:, stays]
        return before, after

    def _values(self, generator: np.random.Generator, buses: Sequence[Bus], count: int) -> Bits:
        if self.weights is not None and len(self.weights) != len(buses):
            raise DataError(f"operand weights must be given for {len(buses)} operands, not {len(self.weights)}")
        columns = []
        for place, bus in enumerate(buses):
            weights = None if self.weights is None else self.weights[place]
            columns.append(bits_of(self.draw(generator, bus, weights, count), bus.width))
        return np.concatenate(columns, axis=1)

    @staticmethod
    def draw(generator: np.random.Generator, bus: Bus, weights: ArrayLike | None, count: int) -> NDArray[np.uint64]:
        """Bit patterns of one operand. DataError when weights have another length or no sum."""
        if weights is None:
            return generator.integers(0, 1 << bus.width, count, dtype=np.uint64)
        share = np.asarray(weights, np.float64)
        if share.shape != (1 << bus.width,) or not np.isfinite(share).all() or share.min() < 0 or share.sum() <= 0:
            raise DataError(f"weights of operand {bus.name} must be {1 << bus.width} numbers >= 0 with a positive sum")
        return generator.choice(len(share), size=count, p=share / share.sum()).astype(np.uint64)


def bits_of(patterns: NDArray[np.uint64], width: int) -> Bits:
    """`[n, width]`, least significant bit first."""
    places = np.arange(width, dtype=np.uint64)
    return ((patterns[:, None] >> places) & np.uint64(1)).astype(np.uint8)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Figures of a netlist. delay: ns, worst path. leakage: nW. Energies in fJ per operation, with 95 % half-widths from 16 batches.

    settled: no glitches, every net changes at most once. timed: with glitches, an event-driven simulation with inertial delays.
    """

    delay: float
    leakage: float
    settled: tuple[float, float]
    timed: tuple[float, float]


def timing(
    mapped: Mapped, around: Surroundings, loaded: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Arrival and slew of every net for its rise and fall, `[nets, 2]` each, ns; -inf where nothing arrives. Inputs arrive at 0.

    loaded: fF of every net, as `loads` gives them; None, those of this netlist.
    """
    arrival, slew = np.zeros((mapped.nets, 2)), np.zeros((mapped.nets, 2))
    worst = np.zeros((mapped.nets, 4), np.int32)
    compiled_core().silicon_timing(mapped.compiled, loads(mapped, around) if loaded is None else loaded, around.slew, arrival, slew, worst)
    return arrival, slew


def delay(mapped: Mapped, around: Surroundings) -> float:
    """ns from any input to any output, the worst."""
    arrival, _ = timing(mapped, around)
    return max(float(arrival[list(mapped.output_nets)].max()), 0.0)


def critical_path(mapped: Mapped, around: Surroundings) -> list[tuple[str, float]]:
    """The cells along the worst path and when their outputs switch, ns, first cell first."""
    arrival, slew = np.zeros((mapped.nets, 2)), np.zeros((mapped.nets, 2))
    worst = np.zeros((mapped.nets, 4), np.int32)
    compiled_core().silicon_timing(mapped.compiled, loads(mapped, around), around.slew, arrival, slew, worst)
    net = max(mapped.output_nets, key=lambda n: float(arrival[n].max()))
    edge = int(arrival[net].argmax())
    path: list[tuple[str, float]] = []
    while worst[net, 2 * edge] >= 0:
        placed = mapped.cells[int(worst[net, 2 * edge])]
        arc, came = divmod(int(worst[net, 2 * edge + 1]), 2)
        path.append((placed.cell, float(arrival[net, edge])))
        cell = mapped.library.cells[placed.cell]
        arcs = [a for pin in cell.outputs for a in pin.arcs if a.source in cell.input_names]
        net, edge = placed.inputs[cell.input_names.index(arcs[arc].source)], came
    return path[::-1]


def event_delays(mapped: Mapped, around: Surroundings) -> tuple[NDArray[np.int32], float]:
    """Delays of the event-driven simulation in ticks `[cells, 6 inputs x 2 outputs x (rise, fall)]`, and the tick in ns."""
    arrival, slew = timing(mapped, around)
    slowest = float(np.max(arrival[np.isfinite(arrival)], initial=0.0))
    tick = max(FINEST_TICK, slowest / MAX_DELAY_TICKS)
    delays = np.zeros((len(mapped.cells), MAX_INPUTS * 4), np.int32)
    compiled_core().silicon_event_delays(mapped.compiled, loads(mapped, around), slew, tick, delays)
    return delays, tick


def toggles(mapped: Mapped, before: Bits, after: Bits, delays: NDArray[np.int32] | None = None) -> NDArray[np.int64]:
    """Rises and falls of every net, `[2, nets]`, over all pairs: of settled values, or with `delays` those of the simulation."""
    found = np.zeros((2, mapped.nets), np.int64)
    if delays is None:
        compiled_core().silicon_settled(mapped.compiled, before, after, found, np.zeros((len(mapped.cells), 64), np.int64))
    else:
        compiled_core().silicon_timed(mapped.compiled, delays, before, after, found, threads())
    return found


def measured(mapped: Mapped, before: Bits, after: Bits, around: Surroundings) -> Measured:
    """All figures, for pairs of input bits. Energy: internal, of the loads, hidden at input pins; leakage is apart.

    The charge of the unit's own input pins counts: it is load that the unit brings.
    """
    loaded = loads(mapped, around)
    _, slew = timing(mapped, around)
    module = compiled_core()
    states = np.zeros((len(mapped.cells), 64), np.int64)
    settled = np.zeros((2, mapped.nets), np.int64)
    module.silicon_settled(mapped.compiled, before, after, settled, states)
    nets, hidden = np.zeros((mapped.nets, 2)), np.zeros((len(mapped.cells), MAX_INPUTS * 2))
    module.silicon_energies(mapped.compiled, loaded, slew, states, nets, hidden)
    _add_hidden(mapped, hidden, nets)
    delays, _ = event_delays(mapped, around)
    batches = [slice(i * len(before) // BATCHES, (i + 1) * len(before) // BATCHES) for i in range(BATCHES)]
    energies: dict[bool, tuple[float, float]] = {}
    for timed in (False, True):
        per_batch = []
        for batch in batches:
            found = toggles(mapped, before[batch], after[batch], delays if timed else None)
            per_batch.append(float((found * nets.T).sum()) / max(1, len(before[batch])))
        energies[timed] = (float(np.mean(per_batch)), _STUDENT * float(np.std(per_batch, ddof=1)) / math.sqrt(BATCHES))
    return Measured(
        delay=delay(mapped, around),
        leakage=_leakage(mapped, states),
        settled=energies[False],
        timed=energies[True],
    )


def _add_hidden(mapped: Mapped, hidden: NDArray[np.float64], nets: NDArray[np.float64]) -> None:
    """Energy of input pins goes to the nets that drive them."""
    for row, placed in zip(hidden, mapped.cells, strict=True):
        for place, net in enumerate(placed.inputs):
            nets[net] += row[2 * place : 2 * place + 2]


def _leakage(mapped: Mapped, states: NDArray[np.int64]) -> float:
    """nW: by how often each state was seen where the library tells states apart."""
    total = 0.0
    for seen, placed in zip(states, mapped.cells, strict=True):
        cell = mapped.library.cells[placed.cell]
        shares = [(sum(int(seen[s]) for s in range(64) if when >> s & 1), value) for when, value in cell.leakages]
        count = sum(share for share, _ in shares)
        total += sum(share * value for share, value in shares) / count if count else cell.leakage
    return total


def loads(mapped: Mapped, around: Surroundings) -> NDArray[np.float64]:
    """fF of every net for its rise and fall, `[nets, 2]`."""
    return mapped.loads(wire=around.wire, output=around.output)
