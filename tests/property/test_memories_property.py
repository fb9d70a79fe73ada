"""Wrong bits of memories at a higher voltage, or at a lower rate, are some of those at a lower voltage, or a higher rate."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inexact.reliability._sram import Chip, Failing
from inexact.reliability.dram_errors import DramErrors

CELLS = 3000
READS = np.arange(5, dtype=np.uint64) * np.uint64(977)


def wrong_bits(failing: Failing) -> np.ndarray:
    """bool [reads, cells]: 1 wrong at 1, 2 wrong at 0."""
    found = np.zeros((len(READS), CELLS), np.int8)
    found[:, failing.where] = failing.at(READS) * (1 + failing.value)
    return found


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    voltages=st.tuples(st.floats(0.75, 1.0), st.floats(0.75, 1.0)),
    to_one=st.floats(0, 1),
    persistent=st.floats(0, 1),
    flaky=st.floats(0.5, 1),
)
def test_errors_at_a_higher_voltage_are_a_subset(
    seed: int, voltages: tuple[float, float], to_one: float, persistent: float, flaky: float
) -> None:
    chip = Chip(seed=seed, cells=CELLS, to_one=to_one, persistent=persistent, flaky=flaky)
    low, high = (wrong_bits(chip.failing(voltage)) for voltage in sorted(voltages))
    assert (low[high != 0] == high[high != 0]).all()


@settings(max_examples=40, deadline=None)
@given(chip=st.integers(0, 2**31 - 1), rates=st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)), spread=st.sampled_from(["uniform", "rows"]))
def test_errors_of_dynamic_memory_at_a_lower_rate_are_a_subset(chip: int, rates: tuple[float, float], spread: str) -> None:
    few, many = (DramErrors(rate=rate, spread=spread, row_kib=0.0625).wrong(chip, CELLS) for rate in sorted(rates))
    assert not (few & ~many).any()
