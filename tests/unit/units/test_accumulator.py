"""Accumulators: specs, messages, and sums worked out by hand or bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inexact import units
from inexact.core.errors import FormatError, InexactError
from inexact.units import Accumulator, Adder


@pytest.mark.parametrize(
    ("spec", "canonical"),
    [
        ("accumulator", "accumulator(adder=exact_adder(width=32),width=32)"),
        ("accumulator(adder=loa(low=8),width=24)", "accumulator(adder=loa(low=8,width=24),width=24)"),
        (
            "accumulator(adder='loa(low=8,width=24)',width=24,overflow=saturate,order=systolic(rows=16))",
            "accumulator(adder=loa(low=8,width=24),width=24,overflow=saturate,order=systolic(rows=16))",
        ),
        (
            "accumulator(order='tree(radix=8)',overflow=wrap,adder=gear(r=4,p=4),width=20)",
            "accumulator(adder=gear(r=4,p=4,width=20),width=20,order=tree(radix=8))",
        ),
        ("accumulator(adder=loa(low=2,carry=false),width=8)", "accumulator(adder=loa(low=2,carry=false),width=8)"),
    ],
)
def test_spec_round_trip(spec: str, canonical: str) -> None:
    found = Accumulator.get(spec)
    assert found.spec == str(found) == canonical
    assert Accumulator.get(canonical) == found
    assert hash(Accumulator.get(canonical)) == hash(found)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("accumulator(width=1)", r"accumulator width must be 2\.\.32, not 1"),
        ("accumulator(width=33)", r"accumulator width must be 2\.\.32, not 33"),
        ("accumulator(adder=loa(low=8,width=16),width=24)", r"as wide as the accumulator \(24 bits\), not 16 bits \(loa\(low=8,width=16"),
        ("accumulator(adder=loa(low=25),width=24)", r"low must be 0\.\.width \(0\.\.24\), not 25"),
        ("accumulator(adder=lao)", r"no adder is called 'lao'; did you mean 'loa'\?"),
        ("accumulator(overflow=clip)", r"overflow must be wrap or saturate, not 'clip'"),
        ("accumulator(order=serial)", r"order must be sequential, tree\(radix=…\) or systolic\(rows=…\), not 'serial'"),
        ("accumulator(order=tree)", r"order tree must be written 'tree\(radix=16\)', not 'tree'"),
        ("accumulator(order=tree(radix=6))", r"radix of tree must be a power of two, as its adders have two operands, not 6"),
        ("accumulator(order=systolic(rows=0))", r"rows of systolic must be 1\.\.4096, not 0"),
        ("accumulator(order=systolic(radix=4))", r"order systolic must be written 'systolic\(rows=16\)'"),
        ("accumulator(order=3)", r"order must be sequential, tree\(radix=…\) or systolic\(rows=…\), not 3"),
        ("accumulator(bits=8)", r"accumulator has no parameter 'bits'\. Parameters: adder, width, overflow, order"),
        ("loa(low=4)", r"an accumulator must be written 'accumulator\(adder=…,width=…,overflow=…,order=…\)', not 'loa\(low=4\)'"),
    ],
)  # fmt: skip
def test_bad_accumulators_are_refused(spec: str, message: str) -> None:
    with pytest.raises(InexactError, match=message):
        Accumulator.get(spec)


def test_other_objects_are_refused() -> None:
    with pytest.raises(InexactError, match="an accumulator must be a spec"):
        Accumulator.get(3)  # type: ignore[arg-type]
    with pytest.raises(InexactError, match="adder must be an adder or its spec"):
        Accumulator(adder=3)  # type: ignore[arg-type]
    with pytest.raises(
        FormatError, match=r"an accumulator of 8 bits must hold every product \(-128\.\.127\), but they reach 0\.\.128; widen it"
    ):
        Accumulator(width=8).total(np.array([[0, 128]]))


def test_adders_reach_accumulator_widths() -> None:
    unit = units.adders.get("loa(low=8,width=48)")
    assert int(unit((1 << 47) + 255, 255)) == (1 << 47) + 256 + 255
    with pytest.raises(InexactError, match=r"width must be bits of an operand \(2\.\.62\), not 63"):
        units.adders.get("exact_adder(width=63)")


@pytest.mark.parametrize(
    ("spec", "products", "total"),
    [
        ("accumulator(width=4)", [7, 1], -8),
        ("accumulator(width=4,overflow=saturate)", [7, 1, -1], 6),
        ("accumulator(width=4,overflow=saturate)", [-8, -1, 2], -6),
        ("accumulator(width=4,overflow=saturate,order=tree(radix=4))", [7, 1, -1, -1], 5),  # 7 + 1 saturates, -1 - 1 = -2
        ("accumulator(width=4,overflow=saturate,order=systolic(rows=2))", [7, 1, -1, -1], 5),  # columns 7 and -2
        ("accumulator(width=4,overflow=saturate)", [7, 1, -1, -1, 7], 7),
        # 0b0011 OR 0b0001 with a carry into bit 2 only if both have bit 1
        ("accumulator(adder=loa(low=2),width=6)", [3, 1, 2], 0b0111),
        # idle lanes add 0: the copied lower part of the last addition is that of the 0
        ("accumulator(adder=copy_adder(low=2),width=8,order=systolic(rows=4))", [5], 4),
        ("accumulator(adder=copy_adder(low=2),width=8)", [5], 5),
        ("accumulator(adder=copy_adder(low=2),width=8)", [], 0),
        ("accumulator(adder=trunc_adder(cut=2),width=8)", [5, -3], 0),  # 4 + (-4)
    ],
)  # fmt: skip
def test_sums_worked_out_by_hand(spec: str, products: list[int], total: int) -> None:
    assert int(Accumulator.get(spec).total(np.array(products, np.int64))) == total


@given(
    st.integers(2, 32),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=40),
    st.sampled_from(["sequential", "tree(radix=4)", "systolic(rows=3)"]),
)
@settings(deadline=None, max_examples=60)
def test_exact_wrapping_is_the_sum_modulo_in_any_order(width: int, values: list[int], order: str) -> None:
    half = 1 << (width - 1)
    products = np.array([(v + half) % (2 * half) - half for v in values], np.int64)
    found = int(Accumulator(width=width, order=order).total(products))
    assert found == (int(products.sum()) + half) % (2 * half) - half


def slow_gear(a: int, b: int, width: int, r: int, p: int) -> int:
    """Sub-adder by sub-adder, as published."""
    total = a % (1 << (r + p)) + b % (1 << (r + p))
    if r + p >= width:
        return total
    low = 0
    while low + r + p < width:
        low += r
        size = min(r + p, width - low)
        part = ((a >> low) % (1 << size)) + ((b >> low) % (1 << size))
        total = total % (1 << (low + p)) + (part >> p << (low + p))
    return total


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_gear_of_any_width(data: st.DataObject) -> None:
    width = data.draw(st.integers(2, 40))
    r = data.draw(st.integers(1, width))
    p = data.draw(st.integers(0, width - r))
    a, b = (data.draw(st.integers(0, (1 << width) - 1)) for _ in range(2))
    assert int(units.adders.get(f"gear(r={r},p={p},width={width})")(a, b)) == slow_gear(a, b, width, r, p)


@given(st.integers(2, 9), st.data())
@settings(deadline=None, max_examples=60)
def test_golden_of_any_speculating_adder(width: int, data: st.DataObject) -> None:
    from inexact.metrics import profile

    r = data.draw(st.integers(1, width))
    p = data.draw(st.integers(0, width - r))
    spec = data.draw(
        st.sampled_from([f"gear(r={r},p={p},", f"eta2(block={r},", f"aca(window={r},", f"eta1(low={r},", f"copy_adder(low={r},"])
    )
    unit = units.adders.get(f"{spec}width={width})")
    golden, found = unit.golden(), profile(unit)
    assert golden is not None
    assert {name: found.metrics()[name] for name in golden.values()} == pytest.approx(golden.values())


@final
@dataclass(frozen=True, kw_only=True)
class Foreign(Adder):
    """Not registered, not known to any engine."""

    width: tuple[int, int] = (8, 8)

    def sum(self, a, b):  # type: ignore[no-untyped-def]
        return np.maximum(a, b)

    @classmethod
    def samples(cls):  # type: ignore[no-untyped-def]
        return [cls()]


def test_an_adder_without_a_bit_rule_says_so() -> None:
    assert Foreign().bit_rule() is None
