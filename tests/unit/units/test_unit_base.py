"""What all units share: widths, specs, calls, tables."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from inexact import units
from inexact.core.errors import FormatError, SpecError, UnknownNameError


def test_width_is_a_pair_and_one_number_means_both() -> None:
    assert units.get("trunc(cut=2,width=6)").width == (6, 6)
    assert units.get("trunc(cut=2,width=(6,6))") == units.get("trunc(cut=2,width=6)")


def test_spec_shows_the_principal_parameter_and_leaves_out_other_defaults() -> None:
    assert units.get("trunc").spec == "trunc(cut=4)"
    assert units.get("trunc(cut=4,correction=none,signed=false,width=8)").spec == "trunc(cut=4)"
    assert units.get("trunc(width=(8,4),cut=3)").spec == "trunc(cut=3,width=(8,4))"
    assert units.get("mitchell()").spec == "mitchell"
    assert units.get("exact(signed=true)").spec == "exact(signed=true)"


def test_a_unit_is_returned_as_it_is() -> None:
    unit = units.get("drum(k=5)")
    assert units.get(unit) is unit


def test_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no multiplier is called 'mitchel'; did you mean 'mitchell'"):
        units.get("mitchel")


def test_unknown_parameter_suggests_near_ones() -> None:
    with pytest.raises(SpecError, match=r"trunc has no parameter 'cuts'; did you mean 'cut'\? Parameters: cut, correction, signed, width"):
        units.get("trunc(cuts=4)")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("exact(width=1)", r"width must be bits of an operand \(2\.\.32\), not 1"),
        ("exact(width=33)", r"width must be bits of an operand \(2\.\.32\), not 33"),
        ("exact(width=(32,29))", r"width must be bits of both operands together \(4\.\.60\), not 61"),
        ("csd(width=17)", r"width must be bits of an operand \(2\.\.16\), not 17"),
        ("exact(width=(8,4,2))", r"width must be one number of bits or a pair \(bits of a, bits of b\), not \(8, 4, 2\)"),
        ("exact(width='8')", r"width must be one number of bits or a pair .*, not '8'"),
        ("exact(signed=1)", "signed must be true or false, not 1"),
    ],
)
def test_bad_width_or_coding(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        units.get(spec)


def test_operands_out_of_range_are_refused() -> None:
    with pytest.raises(FormatError, match=r"operand a of exact must be 0\.\.255 \(8 bits, unsigned\), not -1\.\.3"):
        units.get("exact")([-1, 3], [0, 0])
    with pytest.raises(FormatError, match=r"operand b of exact\(signed=true\) must be -128\.\.127 \(8 bits, signed\), not 128\.\.128"):
        units.get("exact(signed=true)")(0, 128)


def test_operands_must_be_integers() -> None:
    with pytest.raises(FormatError, match=r"operand a of exact must hold integers, not float64; quantise it first"):
        units.get("exact")(1.5, 2)


def test_small_integer_operands_do_not_overflow() -> None:
    full = np.full(3, 255, dtype=np.uint8)
    assert units.get("exact")(full, full).tolist() == [65025] * 3


def test_no_operands_give_no_results() -> None:
    empty = np.zeros(0, dtype=np.uint8)
    assert units.get("drum(k=3)")(empty, empty).shape == (0,)


def test_signed_tables_are_indexed_by_bit_pattern() -> None:
    table = units.get("exact(signed=true)").table()
    assert (table[255, 255], table[128, 127], table[128, 128]) == (1, -128 * 127, 16384)


def test_table_is_read_only_and_cached() -> None:
    unit = units.get("drum(k=4)")
    with pytest.raises(ValueError, match="read-only"):
        unit.table()[0, 0] = 1
    assert unit.table() is units.get("drum(k=4)").table()


def test_units_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        units.get("trunc(cut=4)").cut = 5  # type: ignore[attr-defined]


def test_too_wide_for_a_table_but_not_for_a_call() -> None:
    unit = units.get("mitchell(width=16)")
    with pytest.raises(SpecError, match="a table needs at most 20 operand bits together, not 32"):
        unit.table()
    assert int(unit(40000, 50000)) == 90000 * 2**15 - 2**30  # both lead at bit 15, fractions 0.2207 and 0.5259 sum below 1
    assert units.get("exact(width=10)").table().shape == (1024, 1024)


def test_adders_are_a_family_of_their_own() -> None:
    with pytest.raises(UnknownNameError, match="no multiplier is called 'loa'"):
        units.get("loa(low=4)")
    assert units.adders.get("loa(low=4)").spec == "loa(low=4)"


def test_units_need_no_torch() -> None:
    code = "import sys; from inexact import units, metrics; list(units.multipliers); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
