"""The products of a layer whose multiplier, or whose operand or product register, has a stuck bit: another table."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FaultError, InexactError
from inexact.nn import Rule, coded_table
from inexact.units import Multiplier, multipliers
from inexact.units.stuck_at import forced, product_word

Table = NDArray[np.int32]
MOST_BITS = 8
SUM_BITS = 32
"""Width of sums that a plan leaves exact."""


def healthy_table(rule: Rule) -> Table:
    """int32 [2**a_bits, 2**b_bits]: the products of a rule by bit patterns. Raises FaultError for operands too wide for a table."""
    if max(rule.unit.width) > MOST_BITS:
        raise FaultError(
            f"faults of products are computed by tables of operands of at most {MOST_BITS} bits; {rule.unit.spec} is "
            f"{rule.unit.width[0]}x{rule.unit.width[1]}: take a narrower format"
        )
    return coded_table(rule.unit.spec, rule.coding, rule.format.b_bits)


def stuck_unit(rule: Rule, net: str, value: int) -> Multiplier:
    """The rule's multiplier with a stuck net, see `units.stuck_at`. Raises FaultError for nets that it has not."""
    assert isinstance(rule.unit, Multiplier)
    try:
        return multipliers["stuck_at"](multiplier=rule.unit, net=net, value=value)  # type: ignore[call-arg]
    except InexactError as error:
        raise FaultError(str(error)) from None


def unit_table(rule: Rule, net: str, value: int) -> Table:
    """As `healthy_table`, with a net of the multiplier stuck."""
    return coded_table(stuck_unit(rule, net, value).spec, rule.coding, rule.format.b_bits)


def register_bits(rule: Rule, register: str) -> int:
    """Width of an element's register under a rule; under sign-magnitude coding a weight's top bit is its sign."""
    if register == "sum":
        return SUM_BITS if rule.sums is None else rule.sums.width
    if register == "product":
        assert isinstance(rule.unit, Multiplier)
        return product_word(rule.unit)[0]
    return rule.format.a_bits if register == "activation" else rule.format.b_bits


@lru_cache(maxsize=64)
def register_table(rule: Rule, register: str, bit: int, value: int) -> Table:
    """As `healthy_table`, with a bit of the product's or of an operand's register stuck; the product's before any sign is restored."""
    healthy = healthy_table(rule)
    if register == "product":
        return unit_table(rule, f"y[{bit}]", value)
    side = 0 if register == "activation" else 1
    patterns = np.arange(healthy.shape[side], dtype=np.int64)
    if side and rule.coding == "sign_magnitude":
        patterns = _stuck_sign_magnitude(patterns, rule.format.b_bits, bit, value)
    else:
        patterns = forced(patterns, bit, value, healthy.shape[side].bit_length() - 1, signed=False)
    return np.ascontiguousarray(np.take(healthy, patterns, axis=side))


def _stuck_sign_magnitude(patterns: NDArray[np.int64], bits: int, bit: int, value: int) -> NDArray[np.int64]:
    """Two's complement patterns whose register holds sign and magnitude; the most negative one is held as the next larger."""
    top = 1 << (bits - 1)
    values = np.where(patterns >= top, patterns - 2 * top, patterns)
    word: NDArray[np.int64] = np.minimum(np.abs(values), top - 1) + np.where(values < 0, top, 0)
    word = forced(word, bit, value, bits, signed=False)
    magnitude = word & (top - 1)
    return np.where(word & top, -magnitude, magnitude) & (2 * top - 1)
