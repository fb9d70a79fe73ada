"""A multiplier and the register that takes its product: its clock, what voltage and age do to it, which transitions come too late."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact import units
from inexact.circuits.synthesis import Sampler, Setup, core_surroundings, cycle_time, netlist, registers
from inexact.core.errors import FaultError
from inexact.hardware import slowdown, technology
from inexact.units import Multiplier

WIDEST = 8
"""Bits of an operand whose transitions can all be simulated."""

Codes = NDArray[np.int64]
"""Bit patterns of an operand."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """The stage of a processing element that forms a product: operand registers, the multiplier's mapped netlist, the product's register.

    The clock is the shortest that static timing allows at the nominal voltage, times 1 + margin. Registers slow down as gates do.
    path_ns: the netlist's worst path. overhead_ns: clock to output of a register, and setup. node: whose alpha-power law holds.
    """

    unit: Multiplier
    sampler: Sampler
    path_ns: float
    overhead_ns: float
    clock_ns: float
    node: str

    def slowdown(self, voltage: float, drift: float = 0.0) -> float:
        """Delay at a voltage, the threshold risen by `drift` V, over the fresh one at nominal voltage. HardwareError near the threshold."""
        return slowdown(technology(self.node), voltage, drift)

    def edge_ns(self, factor: float) -> float:
        """Time that the netlist has, in its nominal delays, when everything is `factor` times as slow; 0 when registers need all of it."""
        return max(0.0, self.clock_ns / factor - self.overhead_ns)

    @property
    def longest_factor(self) -> float:
        """How much slower everything may be until static timing allows an error."""
        return self.clock_ns / (self.overhead_ns + self.path_ns)


@lru_cache(maxsize=16)
def stage(spec: str, *, margin: float = 0.0, node: str = "45nm") -> Stage:
    """The stage of a unit on the shipped library. margin: share of the cycle left unused at nominal voltage.

    Raises FaultError for units without a netlist, or of operands wider than 8 bits; MissingDependencyError without the compiled
    core.
    """
    unit = units.multipliers.get(spec)
    if not 0 <= margin <= 10:
        raise FaultError(f"a margin must be 0..10 cycles, not {margin:g}")
    if max(unit.width) > WIDEST:
        raise FaultError(f"timing errors are for units of at most {WIDEST} bits an operand, but {unit.spec} has {max(unit.width)}")
    circuit = unit.circuit()
    if circuit is None:
        raise FaultError(
            f"timing errors need the netlist of a unit, which {unit.spec} has not; take a unit that `inexact unit synth` knows"
        )
    setup = Setup()
    mapped = netlist(circuit, setup)
    around = core_surroundings(mapped.library, setup.around)
    still = np.zeros((1, mapped.input_bits), np.uint8)
    flops = registers(mapped, "pe", still, still, around)
    least = cycle_time(mapped, flops, around)
    overhead = flops.clock_to_output + flops.setup
    return Stage(
        unit=unit,
        sampler=Sampler(mapped, around),
        path_ns=least - overhead,
        overhead_ns=overhead,
        clock_ns=least * (1 + margin),
        node=node,
    )


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class LateRow:
    """Transitions of the activation under one held weight that are taken too early. transitions: int32 [n], before * 2**a_bits + after,
    rising; errors: int32 [n], product taken minus right product, never 0."""

    transitions: NDArray[np.int32]
    errors: NDArray[np.int32]


@final
class LateRows:
    """Every transition that is taken too early, by weight and edge, each simulated once and kept."""

    def __init__(self, found: Stage) -> None:
        self.stage = found
        self._kept: dict[tuple[int, float], LateRow] = {}

    def prepare(self, weights: Iterable[int], edges_ns: Sequence[float], progress: Callable[[int, int], None] | None = None) -> None:
        """Simulate what is missing. weights: bit patterns of the unit's operand b. progress: called with weights done, and of how many."""
        missing = sorted({weight for weight in weights if any((weight, edge) not in self._kept for edge in edges_ns)})
        count = 1 << self.stage.unit.width[0]
        before, after = np.repeat(np.arange(count), count), np.tile(np.arange(count), count)
        for done, weight in enumerate(missing, 1):
            held = np.full(count * count, weight)
            taken, right = taken_products(self.stage, (before, held), (after, held), edges_ns)
            for place, edge in enumerate(edges_ns):
                error = taken[:, place] - right
                (at,) = np.nonzero(error)
                self._kept[weight, edge] = LateRow(transitions=at.astype(np.int32), errors=error[at].astype(np.int32))
            if progress is not None:
                progress(done, len(missing))

    def row(self, weight: int, edge_ns: float) -> LateRow:
        """Of one weight at one edge, simulated now if need be."""
        self.prepare([weight], [edge_ns])
        return self._kept[weight, edge_ns]


def taken_products(found: Stage, before: tuple[Codes, Codes], after: tuple[Codes, Codes], edges_ns: Sequence[float]) -> tuple[Codes, Codes]:
    """Products taken at edges [n, edges] and right ones [n], for operand patterns (a, b) [n] each; numbers as the unit codes them."""
    sampled = found.sampler.sample(_bits(found, before), _bits(found, after), edges_ns)
    return _numbers(found, sampled.words), _numbers(found, sampled.right)


def latest_changes(found: Stage, before: tuple[Codes, Codes], after: tuple[Codes, Codes]) -> NDArray[np.float64]:
    """ns [n, output bits], when each bit of the product last changes after the operands did; 0 where it never does."""
    return found.sampler.sample(_bits(found, before), _bits(found, after), latest=True).latest


def _bits(found: Stage, operands: tuple[Codes, Codes]) -> NDArray[np.uint8]:
    widths = (bus.width for bus in found.sampler.mapped.inputs)
    columns = [(patterns[:, None] >> np.arange(width)) & 1 for patterns, width in zip(operands, widths, strict=True)]
    return np.concatenate(columns, axis=1).astype(np.uint8)


def _numbers(found: Stage, words: NDArray[np.uint64]) -> Codes:
    bits = sum(bus.width for bus in found.sampler.mapped.outputs)
    patterns = words.astype(np.int64)
    if not found.unit.signed:
        return patterns
    return np.where(patterns >> (bits - 1) & 1, patterns - (1 << bits), patterns)
