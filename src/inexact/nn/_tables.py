"""The table a layer runs: the unit's own, or, under sign-magnitude coding, the one with the sign restored."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FormatError
from inexact.core.workload import Coding
from inexact.units import Multiplier, multipliers

NO_TABLE: NDArray[np.int32] = np.zeros((0, 0), np.int32)
"""Where products are not looked up."""


@lru_cache(maxsize=256)
def coded_table(spec: str, coding: Coding, b_bits: int) -> NDArray[np.int32]:
    """int32 [2**a_bits, 2**b_bits]: the unit's answer for activation code a and weight code b, indexed by bit pattern.

    Under "sign_magnitude" column b holds sign(b) * unit(a, |b|), b read as two's complement; the pattern of -2**(b_bits-1), which
    no quantiser emits, is answered as the next larger one. Raises FormatError for operands wider than 8 bits.
    """
    unit = multipliers.get(spec)
    if max(unit.width) > 8:
        raise FormatError(
            f"this needs the table of an approximate unit, which only those of at most 8-bit operands have; {spec} is "
            f"{unit.width[0]}x{unit.width[1]}"
        )
    table = unit.table()
    if coding != "sign_magnitude":
        return table
    values = signed_values(b_bits)
    magnitude = np.minimum(np.abs(values), 2 ** (b_bits - 1) - 1)
    restored = table[:, magnitude] * np.sign(values)[None, :]
    coded = np.ascontiguousarray(restored, dtype=np.int32)
    coded.setflags(write=False)
    return coded


@lru_cache(maxsize=64)
def error_table(spec: str, coding: Coding, b_bits: int) -> NDArray[np.int32]:
    """int32, as `coded_table`: approximate minus exact product of the code values."""
    unit: Multiplier = multipliers.get(spec)
    a_bits = unit.width[0]
    a = signed_values(a_bits) if coding == "signed" else np.arange(2**a_bits)
    b = np.arange(2**b_bits) if coding == "unsigned" else signed_values(b_bits)
    return (coded_table(spec, coding, b_bits).astype(np.int64) - np.multiply.outer(a, b)).astype(np.int32)


@lru_cache(maxsize=1024)
def errors_with(a: int, spec: str, coding: Coding, b_bits: int) -> NDArray[np.int64]:
    """int64 [2**b_bits]: approximate minus exact product of the activation code a and the weight of every bit pattern."""
    unit = multipliers.get(spec)
    b = code_values(b_bits, signed=coding != "unsigned")
    if coding != "sign_magnitude":
        return unit(a, b) - a * b
    magnitude = np.minimum(np.abs(b), 2 ** (b_bits - 1) - 1)
    return unit(a, magnitude) * np.sign(b) - a * b


def signed_values(bits: int) -> NDArray[np.int64]:
    """The two's complement value of every pattern of `bits` bits, int64 [2**bits]."""
    patterns = np.arange(2**bits, dtype=np.int64)
    return np.where(patterns >= 2 ** (bits - 1), patterns - 2**bits, patterns)


def code_values(bits: int, *, signed: bool) -> NDArray[np.int64]:
    """The value of every pattern of `bits` bits, int64 [2**bits]: two's complement, or the pattern itself."""
    return signed_values(bits) if signed else np.arange(2**bits, dtype=np.int64)
