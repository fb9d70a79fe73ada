"""Static timing with held inputs: never longer than without, never below what a simulation shows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from inexact.circuits import multiplier
from inexact.circuits.cells import Library
from inexact.circuits.synthesis import Mapped, Sampler, Setup, Surroundings, constant_delay, delay, netlist

AROUND = Surroundings()


@pytest.fixture(scope="module")
def mapped(small_library: Library) -> Mapped:
    return netlist(multiplier(4, kind="array"), Setup(cells=small_library, recipe="unoptimised", cache=False))


def test_without_constants_it_is_static_timing(mapped: Mapped) -> None:
    assert constant_delay(mapped, AROUND, {}) == pytest.approx(delay(mapped, AROUND))


def test_a_held_operand_leaves_nothing_to_arrive(mapped: Mapped) -> None:
    assert constant_delay(mapped, AROUND, dict.fromkeys(range(4), 0)) == 0.0
    assert constant_delay(mapped, AROUND, dict.fromkeys(range(8), 1)) == 0.0


def test_more_zero_bits_never_make_it_longer_and_some_make_it_shorter(mapped: Mapped) -> None:
    low = [constant_delay(mapped, AROUND, dict.fromkeys(range(count), 0)) for count in range(4)]
    high = [constant_delay(mapped, AROUND, dict.fromkeys(range(4 - count, 4), 0)) for count in range(4)]
    for delays in (low, high):
        assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(delays))
        assert delays[3] < 0.8 * delays[0]


@pytest.mark.parametrize("constants", [{0: 0}, {3: 0, 7: 0}, {0: 0, 1: 0, 4: 0}, {2: 1, 5: 1}])
def test_no_simulated_transition_takes_longer(mapped: Mapped, constants: dict[int, int]) -> None:
    codes = np.arange(256)
    bits = (codes[:, None] >> np.arange(8) & 1).astype(np.uint8)
    for place, value in constants.items():
        bits = bits[bits[:, place] == value]
    before, after = np.repeat(bits, len(bits), axis=0), np.tile(bits, (len(bits), 1))
    found = Sampler(mapped, AROUND).sample(before, after, latest=True).latest.max()
    limit = constant_delay(mapped, AROUND, constants)
    ticks = 16 * Sampler(mapped, AROUND).tick  # delays are rounded to ticks along the path
    assert 0.6 * limit < found <= limit + ticks
    assert limit <= delay(mapped, AROUND)
