"""How long a multiplier's stage takes when operands have fewer bits than it: the others are held at zero, above or below."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np

from inexact.circuits.synthesis import Surroundings, constant_delay, core_surroundings
from inexact.core.errors import FaultError
from inexact.reliability._stage import Stage, latest_changes

FEWEST = 2
"""Bits of an operand that a format has at least."""

SAMPLED = 4096
"""Transitions whose longest path is looked at."""


@final
@dataclass(frozen=True, kw_only=True)
class Width:
    """Operands of a_bits and b_bits on a wider multiplier. padding: of (a, b), "high" (upper bits are 0) or "low" (lower bits are 0).

    static_ns: worst path by static timing with the zeros propagated. cycle_ns: with the registers around.
    """

    a_bits: int
    b_bits: int
    padding: tuple[str, str]
    static_ns: float
    cycle_ns: float


@lru_cache(maxsize=8)
def widths(found: Stage) -> tuple[Width, ...]:
    """Every pair of operand widths down to 2 bits, each with the padding that is fastest by static timing; widest first."""
    a_bits, b_bits = found.unit.width
    pairs = itertools.product(range(a_bits, FEWEST - 1, -1), range(b_bits, FEWEST - 1, -1))
    return tuple(_fastest(found, pair) for pair in pairs)


def _fastest(found: Stage, bits: tuple[int, int]) -> Width:
    mapped = found.sampler.mapped
    around = core_surroundings(mapped.library, Surroundings())
    first, second = (("high", "low") if bits[place] < found.unit.width[place] else ("high",) for place in (0, 1))
    sides = [(a, b) for a in first for b in second]
    delays = {padding: constant_delay(mapped, around, _zeros(found, bits, padding)) for padding in sides}
    padding = min(delays, key=lambda sides: (delays[sides], sides))
    return Width(
        a_bits=bits[0],
        b_bits=bits[1],
        padding=padding,
        static_ns=delays[padding],
        cycle_ns=delays[padding] + found.overhead_ns,
    )


def _zeros(found: Stage, bits: tuple[int, int], padding: tuple[str, str]) -> dict[int, int]:
    held: dict[int, int] = {}
    start = 0
    for width, used, side in zip(found.unit.width, bits, padding, strict=True):
        places = range(used, width) if side == "high" else range(width - used)
        held |= {start + place: 0 for place in places}
        start += width
    return held


def sensitised_ns(found: Stage, width: Width, *, seed: int = 0) -> float:
    """The latest change of the product, ns, in a sample of uniform transitions of operands of that width; no bound."""
    bits = (width.a_bits, width.b_bits)
    generator = np.random.default_rng(seed)
    shifts = [full - used if side == "low" else 0 for full, used, side in zip(found.unit.width, bits, width.padding, strict=True)]
    drawn = [[generator.integers(0, 1 << used, SAMPLED) << shift for used, shift in zip(bits, shifts, strict=True)] for _ in range(2)]
    before, after = ((a.astype(np.int64), b.astype(np.int64)) for a, b in drawn)
    return float(latest_changes(found, before, after).max())


def feasible(known: Sequence[Width], clock_ns: float, factor: float) -> list[Width]:
    """Widths whose stage meets the clock when everything is `factor` times as slow, without those that another exceeds in both operands.

    Raises FaultError when not even the narrowest does.
    """
    met = [width for width in known if width.cycle_ns * factor <= clock_ns * (1 + 1e-9)]
    if not met:
        least = min(width.cycle_ns for width in known)
        raise FaultError(
            f"operands of {FEWEST} bits must meet the clock of {clock_ns:.3g} ns, but take {least * factor:.3g} ns when everything is "
            f"{factor:.3g} times as slow: allow a longer clock, or less age"
        )
    return [width for width in met if not any(_wider(other, width) for other in met)]


def _wider(other: Width, width: Width) -> bool:
    pairs = ((other.a_bits, width.a_bits), (other.b_bits, width.b_bits))
    return all(mine >= others for mine, others in pairs) and any(mine > others for mine, others in pairs)
