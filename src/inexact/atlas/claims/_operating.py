"""The lowest voltage that an accuracy bears, and what it saves: what claims about voltage have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from inexact.atlas.claims.checks._base import Measured, one_of
from inexact.core.errors import ClaimError

if TYPE_CHECKING:
    from inexact.nn import Evaluation


UNITS = {"saving": "%", "drop": "points"}
"""What a claim about voltage shows -> its unit."""


@final
@dataclass(frozen=True, kw_only=True)
class Operated:
    """One voltage. drop, low, high: points lost with the 95 % interval. saved: percent of energy."""

    voltage: float
    drop: float
    low: float
    high: float
    saved: float


def check_operation(voltages: Sequence[float], shows: str, boundary: str, boundaries: tuple[str, ...]) -> None:
    """Raise ClaimError unless voltages fall, and are one where a drop is shown, and for unknown names."""
    one_of("boundary", boundary, boundaries)
    one_of("shows", shows, tuple(UNITS))
    if not voltages or list(voltages) != sorted(set(voltages), reverse=True):
        raise ClaimError(f"voltages must fall from the highest to the lowest, not {list(voltages)}")
    if shows == "drop" and len(voltages) != 1:
        raise ClaimError(f"a drop is that of one voltage, not of {len(voltages)}")


def paired(found: Evaluation) -> tuple[float, float, float]:
    """Points lost against the reference an evaluation was given, with their interval. Raises ClaimError without one."""
    if found.drop_int8 is None or found.drop_int8_ci is None:
        raise ClaimError("an evaluation must have a reference for a paired difference; it has none")
    return (found.drop_int8, *found.drop_int8_ci)


def answer(points: Sequence[Operated], shows: str, within: float, detail: str) -> Measured:
    """What a claim shows: the saving within so many points, or the drop at the only voltage."""
    return saving_within(points, within, detail) if shows == "saving" else _drop_at(points[0], detail)


def saving_within(points: Sequence[Operated], within: float, detail: str) -> Measured:
    """Energy saved at the lowest voltage down to which every drop is at most `within` points, in percent.

    The interval is what the lowest voltages save by the upper and by the lower ends of the drops; 0 where none does. points: the highest
    voltage first.
    """
    lowest = _last(points, lambda point: point.drop <= within)
    at = "no voltage" if lowest is None else f"{lowest.voltage:g}, {lowest.drop:+.2f} points"
    low, value, high = sorted(
        0.0 if found is None else found.saved
        for found in (
            _last(points, lambda point: point.high <= within),
            lowest,
            _last(points, lambda point: point.low <= within),
        )
    )
    return Measured(value=value, low=low, high=high, n=len(points), detail=f"at {at}; {detail}")


def _drop_at(point: Operated, detail: str) -> Measured:
    """Points lost at one voltage."""
    return Measured(value=point.drop, low=point.low, high=point.high, detail=f"{point.saved:.1f} % saved; {detail}")


def _last(points: Sequence[Operated], bears: Callable[[Operated], bool]) -> Operated | None:
    """The last of those before the first that does not."""
    found = None
    for point in points:
        if not bears(point):
            break
        found = point
    return found
