from __future__ import annotations

import runpy
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from inexact import units
from inexact.core.errors import DataError
from inexact.metrics import profile
from inexact.metrics.known import _published, check_claims, known_table, name_mismatch, named, sentence
from inexact.metrics.passport import CONVENTIONS
from inexact.units import Multiplier


def broken_quadrant(unit: Multiplier) -> Multiplier:
    """The table with the entries of two negative operands replaced by those of (+|a|, +|b|)."""
    lut = unit.table().copy()
    absolute = 256 - np.arange(128, 256)
    lut[128:, 128:] = lut[np.ix_(absolute, absolute)]
    return units.from_table(lut, signed=True)


def test_every_row_is_whole_and_its_identity_is_its_own() -> None:
    rows = _published()
    assert len(rows) == 49
    assert len({(row.sha256, row.signed) for row in rows}) == 49
    assert len({row.name for row in rows}) == 49
    assert sum(row.signed for row in rows) == 13
    assert sum(bool(row.other_names) for row in rows) == 13 + 22
    for row in rows:
        assert len(bytes.fromhex(row.sha256)) == 32
        assert row.width == (8, 8)
        assert row.name.startswith("mul8s_" if row.signed else "mul8u_")
        assert row.claims.keys() <= CONVENTIONS.keys()
        assert row.claims["mae_range"] * 2**16 == pytest.approx(row.claims["mae"], rel=0.06)
        assert "DATE 2017" in row.source
        assert hash(row) is not None


def test_the_data_file_says_where_it_is_from() -> None:
    head = (files("inexact.metrics") / "published.csv").read_text(encoding="utf-8").split("\nsha256,")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert "10.23919/DATE.2017.7926993" in head
    assert "MIT" in head


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("trunc(cut=2,signed=true)", "this is EvoApproxLib master mul8s_1KVA, v2022 mul8s_1KV8"),
        ("exact", "this is EvoApproxLib master mul8u_1JFF, v2022 mul8u_1JJQ"),
        ("exact(signed=true)", "this is EvoApproxLib master mul8s_1KV8, v2022 mul8s_1KV6"),
    ],
)
def test_a_unit_of_our_own_is_recognised(spec: str, expected: str) -> None:
    known = known_table(units.get(spec))
    assert known is not None
    assert sentence(known) == expected
    assert (known.power_mw > 0, known.area_um2 > 0, known.delay_ns > 0) == (True, True, True)
    assert check_claims(profile(units.get(spec)), known.claims) == []


@pytest.mark.parametrize("spec", ["trunc(cut=2)", "exact(width=4)", "exact(width=16)", "mitchell"])
def test_other_units_are_not(spec: str) -> None:
    assert known_table(units.get(spec)) is None


def test_one_name_may_mean_two_circuits() -> None:
    assert {row.name: row.branch_of("mul8s_1KVA") for row in named("mul8s_1KVA")} == {"mul8s_1KVA": "master", "mul8s_1KX2": "v2022"}
    assert [row.name for row in named("mul8u_GJM")] == ["mul8u_L40"]
    assert named("1KVA") == []


def test_claims_that_agree_and_claims_that_do_not() -> None:
    found = profile(units.get("trunc(cut=2,signed=true)"))
    assert check_claims(found, {"mae": 1.2, "wce": 5, "error_probability": 0.5, "mred": 0.0028, "mae_range": 0.000018}) == []
    assert check_claims(found, {"mae": 116, "wce": 5}) == ["claimed mae = 116, but the table's is 1.25"]
    assert check_claims(found, {"mae": 1.2}, relative_tolerance=0.01) == ["claimed mae = 1.2, but the table's is 1.25"]
    assert check_claims(found, {"mean_error": 1.25}) == ["claimed mean_error = 1.25, but the table's is -1.25"]
    assert check_claims(found, {"mae": 0.0, "wce": 6}) == [
        "claimed mae = 0, but the table's is 1.25",
        "claimed wce = 6, but the table's is 5",
    ]
    assert check_claims(found, {"commutative": False, "error_rank": 2}) == ["claimed commutative = no, but the table's is yes"]
    assert len(check_claims(found, {"mae": float("nan"), "mse": float("inf")})) == 2


def test_claims_about_something_else_are_refused() -> None:
    unit = units.get("trunc(cut=2)")
    with pytest.raises(DataError, match="not ep_pct"):
        check_claims(profile(unit), {"ep_pct": 50})
    with pytest.raises(DataError, match="uniform"):
        check_claims(profile(unit, np.arange(256)), {"mae": 1})


def test_a_wce_further_off_than_5_percent_is_a_contradiction() -> None:
    found = profile(units.get("trunc(cut=6)"))
    assert check_claims(found, {"wce": found.wce * 1.04}) == []
    assert len(check_claims(found, {"wce": found.wce * 1.055})) == 1
    assert check_claims(found, {"mse": found.mse * 1.055}) == []


def test_a_broken_quadrant_is_reported_under_the_name_it_bears() -> None:
    unit = broken_quadrant(units.get("trunc(cut=2,signed=true)"))
    own = f"{profile(unit).mae:.4g}"
    assert known_table(unit) is None
    for name in ("mul8s_1KVA", "luts/mul8s_1KVA.npy", "lut_1KVA_int8.npz"):
        assert name_mismatch(unit, name) == (
            "it is called mul8s_1KVA, but its table is not that of EvoApproxLib's mul8s_1KVA "
            f"(published mae 1.2 in master, 12 in v2022, this table's {own})"
        )
    one = name_mismatch(unit, "mul8s_1L2H")
    assert one is not None
    assert one.endswith(f"(published mae 53, this table's {own})")


@pytest.mark.parametrize(
    ("cut", "name"),
    [(2, "mul8s_1KVA"), (2, "mul8s_1KV8"), (4, "mul8s_1KVA"), (4, "1KX2.npy"), (0, "mul8s_1KV8.npy")],
)
def test_a_right_name_of_any_branch_is_no_mismatch(cut: int, name: str) -> None:
    assert name_mismatch(units.get(f"trunc(cut={cut},signed=true)"), name) is None


@pytest.mark.parametrize("name", ["", "mine", "1kva", "X1KVA", "trunc(cut=3)", "add8u_1KVA", "mul8u_1KVA", "mul7s_1KVA", "1KVA/mine.npy"])
def test_a_name_of_no_known_circuit_is_no_mismatch(name: str) -> None:
    assert name_mismatch(units.get("trunc(cut=3,signed=true)"), name) is None


def test_width_and_signedness_are_named_when_they_are_what_differs() -> None:
    exact = units.get("exact(signed=true)")
    unsigned = units.from_table(exact.table(), signed=False)
    assert (
        name_mismatch(unsigned, "mul8s_1KV6") == "it is called mul8s_1KV6, but EvoApproxLib's mul8s_1KV6 is signed and this unit unsigned"
    )
    wide = name_mismatch(units.get("exact(width=16)"), "mul8u_1JFF")
    assert wide == "it is called mul8u_1JFF, but EvoApproxLib's mul8u_1JFF is 8x8 and this unit 16x16"


def test_a_table_in_numeric_order_is_explained() -> None:
    lut = np.roll(units.get("trunc(cut=2,signed=true)").table(), (128, 128), (0, 1))
    said = name_mismatch(units.from_table(lut, signed=True), "mul8s_1KVA")
    assert said is not None
    assert said.endswith("; it is when rows and columns run from the most negative operand up")


def test_all_published_tables_are_recognised_and_their_claims_hold(reference_data: Path) -> None:
    with np.load(reference_data / "evoapproxlib_master_8x8.npz") as tables:
        assert len(tables.files) == 49
        for name in tables.files:
            unit = units.from_table(tables[name], signed=name.startswith("mul8s"))
            known = known_table(unit)
            assert known is not None
            assert known.name == name
            assert check_claims(profile(unit), known.claims) == [], name
            assert name_mismatch(unit, name) is None
            assert all(name_mismatch(unit, other.split()[1]) is None for other in known.other_names)
        swapped = name_mismatch(units.from_table(tables["mul8u_17KS"].T, signed=False), "mul8u_17KS")
        assert swapped is not None
        assert swapped.endswith("; it is with a and b exchanged")


def test_the_data_file_is_what_the_script_collects(reference_data: Path) -> None:
    script = Path(__file__).parents[3] / "scripts" / "collect_published"
    assert runpy.run_path(str(script))["collect"](reference_data).encode() == (files("inexact.metrics") / "published.csv").read_bytes()
