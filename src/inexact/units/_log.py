"""Leading-one arithmetic shared by the logarithmic and dynamic-range multipliers."""

from __future__ import annotations

import numpy as np

from inexact.units._base import Integers


def floor_log2(x: Integers) -> Integers:
    """Position of the leading one of non-negative integers below 2**53; 0 for 0."""
    # frexp of an integer is exact below 2**53: mantissa in [0.5, 1), so the exponent is the bit length
    return np.asarray(np.maximum(np.frexp(x.astype(np.float64))[1] - 1, 0), dtype=np.int64)
