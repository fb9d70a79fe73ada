"""Engine `split`: a table as an exact product, one 8-bit matrix product, and an error of one byte, which stacked bytes add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from inexact.core.files import sha256
from inexact.kernels._bytes import ByteFactors, cheapest
from inexact.kernels._factors import Factors, Integers

BYTE = 256
"""Products with one weight that lie closer together than this are one byte above the least of them."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """`table[a, b] = product[a, b] + error[a, b]`, proven over all operand pairs; the errors with one weight span less than 256.

    product: the value of a, unsigned or two's complement, times a number for each b: its value, or the nearest to the table's slope.
    error: int32, shaped as the table.
    """

    product: ByteFactors
    error: npt.NDArray[np.int32]

    @classmethod
    def find(cls, table: Integers) -> Split | None:
        """The split of `table`; None when errors would need more than a byte, or when products with one weight need no more themselves."""
        if is_narrow(table):
            return None
        for signed in (False, True):
            a = _values(table.shape[0], signed)
            b = _nearest(table, a)
            error = table - np.multiply.outer(a, b)
            if is_narrow(error):
                exact = Factors(left=a[None], right=b[None], offset=np.zeros_like(b))
                product = exact.table()
                proven = ByteFactors.prove(product, cheapest(exact), sha256(product.astype("<i4").tobytes()))
                return None if proven is None else cls(product=proven, error=error.astype(np.int32))
        return None


def _nearest(table: Integers, a: Integers) -> Integers:
    """int64 [codes of b]: the multiple of a that leaves each column the least span, of its code's values and the column's slope."""
    centred = a - a.mean()
    slope = np.rint(centred @ table / (centred @ centred)).astype(np.int64)
    offers = [slope, *(_values(table.shape[1], signed) for signed in (False, True))]
    spans = np.array([np.ptp(table - np.multiply.outer(a, b), axis=0) for b in offers])
    return np.asarray(np.take_along_axis(np.array(offers), spans.argmin(0)[None], 0)[0], dtype=np.int64)


def is_narrow(table: npt.NDArray[Any]) -> bool:
    """Whether the entries of each column span less than `BYTE`."""
    return bool((table.max(0) - table.min(0)).max() < BYTE)


def _values(size: int, signed: bool) -> Integers:
    """int64 [size]: the numbers that codes stand for, unsigned or two's complement."""
    codes = np.arange(size, dtype=np.int64)
    return codes - size * (codes >= (size + 1) // 2) if signed else codes
