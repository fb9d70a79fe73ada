"""When a measured value agrees with a published one: the band of agreement, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, final

from inexact.core.errors import ClaimError, near

REPRODUCED: Final = "reproduced"
CONTRADICTED: Final = "contradicted"
INCONCLUSIVE: Final = "inconclusive"
NOT_RUNNABLE: Final = "not runnable here"
VERDICTS = (REPRODUCED, CONTRADICTED, INCONCLUSIVE, NOT_RUNNABLE)

KINDS = {
    "absolute": "number - amount to number + amount",
    "relative": "number * (1 - amount) to number * (1 + amount)",
    "printed": "'rounded': half a unit of the last printed digit to either side; 'cut': one unit, for digits that were cut off",
    "direction": "'at_least' or 'at_most' the number",
}
"""What a claim may say in its tolerance, one of them alone."""

_ROUNDING = 1e-9


@final
@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far a measured value may lie from the published number. kind: of `KINDS`. amount: a number >= 0, or the word that kind takes."""

    kind: str
    amount: float | str

    @classmethod
    def of(cls, table: Mapping[str, Any], *, where: str) -> Tolerance:
        """Read `{ absolute = 0.02 }` and the like. Raises ClaimError, whose message begins with `where`."""
        if len(table) != 1:
            raise ClaimError(f"{where}: tolerance must hold exactly one of {', '.join(KINDS)}, not {', '.join(table) or 'nothing'}")
        ((kind, amount),) = table.items()
        if kind not in KINDS:
            raise ClaimError(f"{where}: tolerance must be one of {', '.join(KINDS)}, not {kind!r}{near(kind, KINDS)}")
        words = {"printed": ("rounded", "cut"), "direction": ("at_least", "at_most")}.get(kind)
        if words is not None:
            if amount not in words:
                raise ClaimError(f"{where}: tolerance {kind} must be {' or '.join(map(repr, words))}, not {amount!r}")
        elif isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < math.inf:
            raise ClaimError(f"{where}: tolerance {kind} must be a number >= 0, not {amount!r}")
        return cls(kind=kind, amount=amount)

    def band(self, number: str) -> tuple[float, float]:
        """The values that agree with a published number, given as it is printed; both ends belong to them."""
        value = float(number)
        if self.kind == "direction":
            return (value, math.inf) if self.amount == "at_least" else (-math.inf, value)
        if self.kind == "printed":
            unit = 10.0 ** int(Decimal(number).as_tuple().exponent)
            reach = unit / 2 if self.amount == "rounded" else unit
        else:
            reach = float(self.amount) * (abs(value) if self.kind == "relative" else 1.0)
        return value - reach, value + reach

    def __str__(self) -> str:
        if self.kind == "direction":
            return str(self.amount).replace("_", " ")
        if self.kind == "printed":
            return "printed digits" if self.amount == "rounded" else "printed digits, cut"
        return f"± {self.amount:g}" if self.kind == "absolute" else f"± {100 * float(self.amount):g} %"


def is_number(text: str) -> bool:
    """Whether a text is a finite decimal number."""
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def verdict(low: float, high: float, band: tuple[float, float]) -> str:
    """What an interval of measured values, low <= high, says about a band of values that agree with the publication.

    reproduced: the whole interval lies in the band. contradicted: none of it does. inconclusive: a part does. Ends belong to both; a
    billionth of the number is forgiven, for numbers that binary fractions do not hold. A value that is measured exactly, low = high, is
    never inconclusive. Raises ClaimError for values that are no numbers.
    """
    if math.isnan(low) or math.isnan(high) or low > high:
        raise ClaimError(f"a measured interval must run from its lower to its upper end, not from {low} to {high}")
    first, last = (
        end - side * _ROUNDING * max(1.0, abs(end)) if math.isfinite(end) else end for end, side in zip(band, (1, -1), strict=True)
    )
    if first <= low and high <= last:
        return REPRODUCED
    return CONTRADICTED if high < first or low > last else INCONCLUSIVE
