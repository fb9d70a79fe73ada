"""Laws of units that hold for every parameter and width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inexact import units
from inexact.metrics import profile
from inexact.units.cost import relative_cost

WIDTHS = st.tuples(st.integers(2, 8), st.integers(2, 8))


@st.composite
def arrays(draw: st.DrawFn) -> tuple[units.Multiplier, int, int]:
    """A broken-array multiplier with its break levels."""
    width = draw(WIDTHS)
    hbl, vbl = draw(st.integers(0, width[1])), draw(st.integers(0, sum(width) - 1))
    return units.get(f"bam(hbl={hbl},vbl={vbl},width={width})"), hbl, vbl


@st.composite
def one_sided(draw: st.DrawFn) -> units.Multiplier:
    """An unsigned multiplier documented never to exceed the exact product."""
    wa, wb = width = draw(WIDTHS)
    longest, shortest = max(width), min(width)
    specs = [
        f"trunc(cut={draw(st.integers(0, wa + wb - 1))}",
        f"operand_trunc(cut_a={draw(st.integers(0, wa - 1))},cut_b={draw(st.integers(0, wb - 1))}",
        f"perforation(start={(start := draw(st.integers(0, wb - 1)))},count={draw(st.integers(0, wb - start))}",
        "kulkarni(",
        "mitchell(",
        f"dsm(m={draw(st.integers(2, longest))}",
        f"ssm(m={draw(st.integers((longest + 1) // 2, longest))}",
        f"ilm(blocks={draw(st.integers(0, shortest - 1))}",
    ]
    spec = draw(st.sampled_from(specs))
    return units.get(f"{spec}{'' if spec.endswith('(') else ','}width={width})")


@given(one_sided())
@settings(deadline=None, max_examples=80)
def test_documented_one_sided_units_never_exceed_exact_and_never_go_negative(unit: units.Multiplier) -> None:
    table, exact = unit.table(), unit.exact_table()
    assert (table <= exact).all()
    assert (table >= 0).all()
    assert profile(unit).zero_exact


@given(arrays())
@settings(deadline=None, max_examples=40)
def test_broken_array_is_truncation_on_a_perforated_operand(case: tuple[units.Multiplier, int, int]) -> None:
    unit, hbl, vbl = case
    b = np.arange(1 << unit.width[1])
    kept_b = b >> hbl << hbl
    truncated = units.get(f"trunc(cut={vbl},width={unit.width})")
    assert np.array_equal(unit.table(), truncated.table()[:, kept_b])


@given(arrays())
@settings(deadline=None, max_examples=40)
def test_golden_of_any_broken_array(case: tuple[units.Multiplier, int, int]) -> None:
    unit = case[0]
    golden, found = unit.golden(), profile(unit)
    assert golden is not None
    assert {name: found.metrics()[name] for name in golden.values()} == pytest.approx(golden.values())


@given(arrays())
@settings(deadline=None, max_examples=40)
def test_leaving_out_more_never_costs_more(case: tuple[units.Multiplier, int, int]) -> None:
    unit, hbl, vbl = case
    here = relative_cost(unit)
    if vbl + 1 < sum(unit.width):
        assert relative_cost(units.get(f"bam(hbl={hbl},vbl={vbl + 1},width={unit.width})")).energy.value <= here.energy.value
    if hbl < unit.width[1]:
        assert relative_cost(units.get(f"bam(hbl={hbl + 1},vbl={vbl},width={unit.width})")).energy.value <= here.energy.value
    assert here.energy.value <= relative_cost(units.get(f"exact(width={unit.width})")).energy.value


@given(WIDTHS, st.integers(2, 8))
@settings(deadline=None, max_examples=60)
def test_segments_are_exact_where_nothing_is_dropped(width: tuple[int, int], k: int) -> None:
    k = min(k, max(width))
    exact = units.get(f"exact(width={width})").table()[: 1 << k, : 1 << k]
    for name in (f"drum(k={k}", f"dsm(m={k}"):
        assert np.array_equal(units.get(f"{name},width={width})").table()[: 1 << k, : 1 << k], exact)


@given(
    st.integers(2, 8), st.sampled_from(["drum(k=2", "dsm(m=2", "ilm(blocks=1", "mitchell(", "roba(", "mbm(", "kulkarni(", "trunc(cut=3"])
)
@settings(deadline=None, max_examples=40)
def test_symmetric_designs_commute(width: int, head: str) -> None:
    unit = units.get(f"{head}{'' if head.endswith('(') else ','}width={width})")
    assert profile(unit).commutative


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 255), st.integers(1, 255))
@settings(deadline=None, max_examples=100)
def test_logarithmic_units_scale_with_powers_of_two(i: int, j: int, a: int, b: int) -> None:
    for spec in ("mitchell(width=16)", "drum(k=4,width=16)", "roba(width=16)"):
        unit = units.get(spec)
        if spec.startswith("roba") and 3 in (a, b, a << i, b << j):
            continue  # its one exception: 3 is rounded down, 6 and 12 up
        if spec.startswith("drum") and min(a, b) < 16:
            continue  # a short operand is kept whole, a shifted one gets its lowest bit set
        assert int(unit(a << i, b << j)) == int(unit(a, b)) << (i + j)


@given(st.integers(2, 8), st.data())
@settings(deadline=None, max_examples=60)
def test_golden_of_any_loa(width: int, data: st.DataObject) -> None:
    low, carry = data.draw(st.integers(0, width)), data.draw(st.booleans())
    unit = units.adders.get(f"loa(low={low},carry={str(carry).lower()},width={width})")
    golden, found = unit.golden(), profile(unit)
    assert golden is not None
    assert {name: found.metrics()[name] for name in golden.values()} == pytest.approx(golden.values())


@given(st.sampled_from(["trunc", "operand_trunc", "perforation", "kulkarni", "ssm", "dsm", "ilm", "axbxp"]), WIDTHS, st.data())
@settings(deadline=None, max_examples=120)
def test_golden_of_any_member(name: str, width: tuple[int, int], data: st.DataObject) -> None:
    wa, wb = width
    signed = name in {"operand_trunc", "perforation", "trunc"} and data.draw(st.booleans())
    start = data.draw(st.integers(0, wb - 1 - signed))
    parameters = {
        "trunc": f"cut={data.draw(st.integers(0, min(wa, wb) - 1 if signed else wa + wb - 1))}",
        "operand_trunc": f"cut_a={data.draw(st.integers(0, wa - 1))},cut_b={data.draw(st.integers(0, wb - 1))}",
        "perforation": f"start={start},count={data.draw(st.integers(0, wb - start - signed))}",
        "kulkarni": "",
        "ssm": f"m={data.draw(st.integers((max(width) + 1) // 2, max(width)))}",
        "dsm": f"m={data.draw(st.integers(2, max(width)))}",
        "ilm": f"blocks={data.draw(st.integers(0, min(width) - 1))}",
        "axbxp": f"mode={data.draw(st.sampled_from(['static', 'dynamic']))},kept={data.draw(st.integers(1, (max(width) + 1) // 2))}",
    }[name]
    head = f"{name}({parameters}," if parameters else f"{name}("
    unit = units.get(f"{head}width={width}{',signed=true' if signed else ''})")
    golden = unit.golden()
    if golden is not None:
        found = profile(unit).metrics()
        assert {metric: found[metric] for metric in golden.values()} == pytest.approx(golden.values(), abs=1e-9)
