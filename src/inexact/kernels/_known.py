"""What engines know of a table: found when first asked for, and kept for tables of equal content."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cached_property
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inexact.core.files import sha256
from inexact.kernels._bytes import ByteFactors, cheapest
from inexact.kernels._check import peak_of
from inexact.kernels._factors import find
from inexact.kernels._split import Split, is_narrow
from inexact.kernels._table import compiled

MOST_RANK = 10
"""Tables of higher rank are left to the table engine, which no number of products as large would beat."""

_CACHED = 128
_found: OrderedDict[tuple[object, ...], Known] = OrderedDict()
_guard = threading.Lock()
_weights = np.random.default_rng(0).integers(2**63, size=256 * 256, dtype=np.uint64) * 2 + 1


@final
class Known:
    """A copy of an int32 table [codes of a, codes of b], and what follows from it."""

    def __init__(self, values: npt.NDArray[np.int32]) -> None:
        self.values = values.copy()

    @cached_property
    def peak(self) -> int:
        """max |table|."""
        return peak_of(torch.from_numpy(self.values))

    @cached_property
    def narrow(self) -> bool:
        """Whether its products with one weight span less than 256."""
        return is_narrow(self.values)

    @cached_property
    def factors(self) -> ByteFactors | None:
        """Proven byte factors; None when its rank is above `MOST_RANK`."""
        wide = self.values.astype(np.int64)
        found = find(wide, MOST_RANK)
        return None if found is None else ByteFactors.prove(wide, cheapest(found), sha256(self.values.astype("<i4").tobytes()))

    @cached_property
    def split(self) -> Split | None:
        """An exact product and errors of a byte; None when they exceed one."""
        return Split.find(self.values.astype(np.int64))

    @cached_property
    def table(self) -> object:
        """The table as the compiled core takes it, which prepares it once for every way of summing."""
        return compiled().Table(self.values)

    @cached_property
    def native_factors(self) -> object:
        """The factors as the compiled core takes them."""
        return None if self.factors is None else _native(self.factors)

    @cached_property
    def native_product(self) -> object:
        """Those of the split's product."""
        return None if self.split is None else _native(self.split.product)

    @cached_property
    def native_error(self) -> object:
        """The split's errors, as `table`."""
        return None if self.split is None else compiled().Table(self.split.error)


def known_of(lut: Tensor) -> Known:
    """What is known of an int32 table, on any device. A table met before costs microseconds."""
    table = lut.detach().cpu().contiguous().numpy()
    key = _key(table)
    with _guard:
        if key in _found:
            _found.move_to_end(key)
            return _found[key]
    known = Known(table)
    with _guard:
        _found[key] = known
        while len(_found) > _CACHED:
            _found.popitem(last=False)
    return known


def _key(table: npt.NDArray[np.int32]) -> tuple[object, ...]:
    """Identity of a table: its shape and a 64-bit sum of its entries under fixed random odd weights; much faster than SHA-256."""
    flat = table.reshape(-1)
    words = flat.view(np.uint64) if flat.size % 2 == 0 else flat.astype(np.uint64)
    return (*table.shape, int(np.einsum("i,i->", words, _weights[: words.size])))


def _native(factors: ByteFactors) -> object:
    offset = np.zeros(256, np.int32)
    offset[: len(factors.offset)] = factors.offset.astype(np.int32)
    signed = [term.a_signed for term in factors.terms]
    return compiled().Factors(factors.maps("a"), factors.maps("b"), signed, factors.shifts, offset)
