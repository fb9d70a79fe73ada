"""The array that splits: its products in every mode."""

from __future__ import annotations

import numpy as np
import pytest

from inexact import circuits
from inexact.circuits.subword import subword_multiplier


@pytest.mark.parametrize(("mode", "parts"), [(3, 1), (1, 2), (0, 4)])
@pytest.mark.parametrize("width", [8, 16])
def test_products_stand_side_by_side(width: int, mode: int, parts: int) -> None:
    rng = np.random.default_rng(parts)
    a, b = (rng.integers(0, 1 << width, 3000) for _ in range(2))
    a[:2], b[:2] = (1 << width) - 1, (1 << width) - 1
    bits = width // parts
    mask = (1 << bits) - 1
    expected = sum(((a >> bits * k) & mask) * ((b >> bits * k) & mask) << (2 * bits * k) for k in range(parts))
    found = circuits.evaluate(subword_multiplier(width), a, b, np.full(3000, mode))
    np.testing.assert_array_equal(found, expected)
