"""Gate counts against textbook counts and small cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from inexact import units
from inexact.units._gates import (
    GateCount,
    array_gates,
    barrel_shifter,
    constant_lookup,
    encoder,
    fixed_shift,
    leading_one,
    one_hot_select,
    reduce_columns,
    ripple_adder,
    subtractor,
)


@pytest.mark.parametrize("n", [2, 3, 4, 8, 16])
def test_square_array_has_the_textbook_count(n: int) -> None:
    counts = array_gates(np.ones((n, n), dtype=bool)).counts()
    assert counts == {k: v for k, v in {"and2": n * n, "half_adder": n, "full_adder": n * (n - 2)}.items() if v}


@pytest.mark.parametrize(("wa", "wb"), [(8, 4), (4, 8), (7, 3)])
def test_rectangular_array(wa: int, wb: int) -> None:
    # (wb - 1) rows of wa adders; the first of each row, and the top of the first row, are half adders
    counts = array_gates(np.ones((wa, wb), dtype=bool)).counts()
    assert counts["full_adder"] + counts["half_adder"] == (min(wa, wb) - 1) * max(wa, wb)
    assert counts["half_adder"] == min(wa, wb)


def test_baugh_wooley_array() -> None:
    counts = array_gates(np.ones((8, 8), dtype=bool), signed=True).counts()
    assert (counts["and2"], counts["nand2"]) == (50, 14)
    # the constant 1 in column 8 turns one adder into XNOR and OR; the one in column 15 inverts the top bit
    assert (counts["xnor2"], counts["or2"], counts["inv"]) == (1, 1, 1)


def test_nothing_kept_costs_nothing() -> None:
    assert array_gates(np.zeros((8, 8), dtype=bool)) == GateCount()


def test_constant_below_the_kept_columns_is_free() -> None:
    kept = np.add.outer(np.arange(8), np.arange(8)) >= 4
    assert array_gates(kept, constant=0b1100) == array_gates(kept)
    assert array_gates(kept, constant=0b10000) != array_gates(kept)


@pytest.mark.parametrize(
    ("heights", "constant", "expected"),
    [
        ([1, 1, 1], 0, {}),
        ([2, 2, 0], 0, {"half_adder": 1, "full_adder": 1}),
        ([3, 0], 0, {"full_adder": 1}),
        ([1, 0], 1, {"inv": 1}),  # x + 1: the sum is not x, the carry is x
        ([2, 0], 1, {"xnor2": 1, "or2": 1}),  # x + y + 1: the sum is XNOR, the carry is OR
        ([2], 0, {"xor2": 1}),  # no carry out of the top column
        ([1], 1, {"inv": 1}),
        ([0, 1], 1, {}),  # a lone constant is a wire
    ],
)
def test_columns_by_hand(heights: list[int], constant: int, expected: dict[str, int]) -> None:
    assert reduce_columns(heights, constant).counts() == expected


def test_parts_by_hand() -> None:
    assert ripple_adder(4).counts() == {"half_adder": 1, "full_adder": 3}
    assert subtractor(4).counts() == {"full_adder": 4, "inv": 4}
    assert leading_one(4).counts() == {"or2": 2, "inv": 3, "and2": 3}
    assert encoder(8).counts() == {"or2": 9}  # three outputs, each the OR of four lines
    assert one_hot_select(5, 3).counts() == {"and2": 15, "or2": 10}
    assert fixed_shift(4, 2).counts() == {"mux2": 2, "and2": 4, "inv": 1}
    assert barrel_shifter(4, 0) == GateCount()


def test_barrel_shifter_grows_its_output_stage_by_stage() -> None:
    # 4 bits by 0..3: by 1 (5 outputs, 3 with two sources), then by 2 (7 outputs, 3 with two sources)
    assert barrel_shifter(4, 3).counts() == {"mux2": 6, "and2": 6, "inv": 2}
    assert barrel_shifter(4, 3, keep=4).counts() == {"mux2": 5, "and2": 3, "inv": 2}


def test_depth_adds_in_series_and_not_side_by_side() -> None:
    first, second = GateCount(and2=1, levels=3), GateCount(or2=2, levels=5)
    assert (first + second).levels == 5
    assert first.then(second).levels == 8
    assert (first + second).counts() == first.then(second).counts() == {"and2": 1, "or2": 2}


def test_two_by_two_array_depth() -> None:
    # AND, HA carry, HA sum of the third bit: 1 + 1 + 2
    assert array_gates(np.ones((2, 2), dtype=bool)).levels == 4


def test_kulkarni_block_saves_the_half_adders() -> None:
    gates = units.get("kulkarni(width=2)").gates()
    assert gates is not None
    assert gates.counts() == {"and2": 4, "or2": 1}


def test_constant_lookup_shares_equal_subtrees() -> None:
    assert constant_lookup([5], 3) == GateCount()
    assert constant_lookup([0, 1], 1).counts() == {}  # the index itself
    assert constant_lookup([1, 0], 1).counts() == {"inv": 1}
    assert constant_lookup([0, 0, 0, 1], 1).counts() == {"and2": 1}
    assert constant_lookup([0, 1, 1, 0], 1).counts() == {"inv": 1, "mux2": 1}  # XOR
    # both halves hold the same pairs: the upper index bit decides nothing
    assert constant_lookup([2, 1, 2, 1], 2).counts() == {"inv": 1}
