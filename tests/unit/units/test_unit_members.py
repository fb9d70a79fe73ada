"""Ranges of parameters, and behaviour beyond the published 8x8 rows, against slow scalar definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from inexact import units
from inexact.core.errors import SpecError
from inexact.metrics import profile


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("trunc(cut=16)", r"cut must be 0\.\.2\*width-1 \(0\.\.15\), not 16"),
        ("trunc(cut=-1)", r"cut must be 0\.\.2\*width-1 \(0\.\.15\), not -1"),
        ("trunc(cut=2.5)", r"cut must be .*, not 2\.5"),
        ("trunc(cut=8,signed=true)", r"cut must be 0\.\.min\(width\)-1, columns without a sign bit \(0\.\.7\), not 8"),
        ("trunc(correction=konstant)", r"correction must be none, constant or variable, not 'konstant'; did you mean 'constant'\?"),
        ("operand_trunc(cut_a=8)", r"cut_a must be 0\.\.bits of a - 1 \(0\.\.7\), not 8"),
        ("operand_trunc(cut_b=4,width=(8,4))", r"cut_b must be 0\.\.bits of b - 1 \(0\.\.3\), not 4"),
        ("bam(hbl=9)", r"hbl must be 0\.\.bits of b \(0\.\.8\), not 9"),
        ("bam(vbl=12,width=(8,4))", r"vbl must be 0\.\.sum\(width\)-1 \(0\.\.11\), not 12"),
        ("perforation(start=8)", r"start must be 0\.\.bits of b - 1 \(0\.\.7\), not 8"),
        ("perforation(start=5,count=4)", r"count must be 0\.\.bits of b - start \(0\.\.3\), not 4"),
        ("perforation(count=8,signed=true)", r"count must be 0\.\.bits of b - start - 1 \(the sign row stays\) \(0\.\.7\), not 8"),
        ("drum(k=1)", r"k must be 2\.\.max\(width\) \(2\.\.8\), not 1"),
        ("drum(k=5,width=4)", r"k must be 2\.\.max\(width\) \(2\.\.4\), not 5"),
        ("ssm(m=3)", r"m must be max\(width\)/2\.\.max\(width\), the segments cover the operand \(4\.\.8\), not 3"),
        ("dsm(m=9)", r"m must be 2\.\.max\(width\) \(2\.\.8\), not 9"),
        ("tosam(t=8)", r"t must be 0\.\.max\(width\)-1, the fraction's bits \(0\.\.7\), not 8"),
        ("tosam(h=4,t=3)", r"h must be 0\.\.t \(0\.\.3\), not 4"),
        ("mitchw(w=1)", r"w must be 2\.\.max\(width\) \(2\.\.8\), not 1"),
        ("realm(segments=3)", r"segments must be 1, 2, 4, 8 or 16 \(segments of each operand's fraction\), not 3"),
        ("realm(segments=16,width=4)", r"segments must be at most 2\*\*\(max\(width\)-1\) \(8\), not 16; widen the unit"),
        ("realm(segments=8,drop=5)", r"drop must be 0\.\.max\(width\)-1-log2\(segments\), the index bits stay \(0\.\.4\), not 5"),
        ("scaletrim(h=8)", r"h must be 1\.\.max\(width\)-1, the fraction's bits \(1\.\.7\), not 8"),
        ("scaletrim(segments=5)", r"segments must be 0, 1, 2, 4, 8 or 16 \(constants over the sum of the fractions\), not 5"),
        ("scaletrim(h=2,segments=16)", r"segments must be at most 2\*\*h \(4\), or the last would hold no sum of two fractions, not 16"),
        ("scaletrim(constant_bits=0)", r"constant_bits must be 1\.\.16, not 0"),
        ("asm(alphabets=3)", r"alphabets must be 1, 2, 4 or 8 \(the sets \{1\}, \{1,3\}, \{1,3,5,7\} and all odd digits\), not 3"),
        ("pr(signed=false)", r"pr has no parameter 'signed'"),
        ("pr(width=7)", r"the bits of b must be even \(radix-4 Booth digits\), not 7; widen b by one"),
        ("pr(k=4)", r"k must be 0\.\.bits of b / 2 - 1 \(0\.\.3\), not 4"),
        ("pr(m=8)", r"m must be 0\.\.bits of a - 1 \(0\.\.7\), not 8"),
        ("ilm(blocks=8)", r"blocks must be 0\.\.min\(width\)-1 \(0\.\.7\), not 8"),
    ],
)
def test_multiplier_parameters_out_of_range(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        units.get(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("loa(low=9)", r"low must be 0\.\.width \(0\.\.8\), not 9"),
        ("loa(carry=1)", r"carry must be true or false, not 1"),
        ("loa(width=(8,4))", r"loa needs operands of equal width \(its bits are added pairwise\), not 8x4"),
        ("trunc_adder(cut=9)", r"cut must be 0\.\.width \(0\.\.8\), not 9"),
        ("copy_adder(low=9)", r"low must be 0\.\.width \(0\.\.8\), not 9"),
        ("eta1(low=-1)", r"low must be 0\.\.width \(0\.\.8\), not -1"),
        ("eta2(block=0)", r"block must be 1\.\.width \(1\.\.8\), not 0"),
        ("aca(window=9)", r"window must be 1\.\.width \(1\.\.8\), not 9"),
        ("gear(r=9)", r"r must be 1\.\.width \(1\.\.8\), not 9"),
        ("gear(r=4,p=5)", r"p must be 0\.\.width-r \(0\.\.4\), not 5"),
    ],
)
def test_adder_parameters_out_of_range(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        units.adders.get(spec)


def kulkarni(a: int, b: int, bits: int) -> int:
    """The recursive definition, for a power of two bits."""
    if bits == 2:
        return 7 if a == b == 3 else a * b
    half = bits // 2
    mask = (1 << half) - 1
    high_a, low_a, high_b, low_b = a >> half, a & mask, b >> half, b & mask
    middle = kulkarni(high_a, low_b, half) + kulkarni(low_a, high_b, half)
    return (kulkarni(high_a, high_b, half) << bits) + (middle << half) + kulkarni(low_a, low_b, half)


def drum(x: int, k: int) -> int:
    """Keep k bits from the leading one, the lowest set to 1."""
    text = f"{x:b}"
    if len(text) <= k:
        return x
    return int(text[: k - 1] + "1", 2) << (len(text) - k)


def mitchell(a: int, b: int) -> int:
    """Exact rational arithmetic after the paper."""
    if a == 0 or b == 0:
        return 0
    ka, kb = a.bit_length() - 1, b.bit_length() - 1
    x, y = Fraction(a, 1 << ka) - 1, Fraction(b, 1 << kb) - 1
    return math.floor((1 << (ka + kb)) * (1 + x + y) if x + y < 1 else (1 << (ka + kb + 1)) * (x + y))


def mbm(a: int, b: int) -> int:
    """Mitchell with c = 0.078125, halved when the fractions' sum carries."""
    if a == 0 or b == 0:
        return 0
    ka, kb, c = a.bit_length() - 1, b.bit_length() - 1, Fraction("0.078125")
    x, y = Fraction(a, 1 << ka) - 1, Fraction(b, 1 << kb) - 1
    return math.floor((1 << (ka + kb)) * (1 + x + y + c) if x + y < 1 else (1 << (ka + kb + 1)) * (x + y + c / 2))


def nearest(x: int) -> int:
    """Nearest power of two by trying all; ties up, 3 to 2."""
    if x in (0, 3):
        return {0: 0, 3: 2}[x]
    return min((1 << k for k in range(20)), key=lambda p: (abs(p - x), -p))


def roba(a: int, b: int) -> int:
    return nearest(a) * b + a * nearest(b) - nearest(a) * nearest(b)


def cells(a: int, b: int, kept: Callable[[int, int], bool]) -> int:
    """Sum of the kept partial products, bit by bit."""
    return sum(((a >> i) & 1) * ((b >> j) & 1) << (i + j) for i in range(12) for j in range(12) if kept(i, j))


def fractions_of(a: int, b: int) -> tuple[Fraction, Fraction, int]:
    """The fractions of two positive numbers and the sum of their exponents."""
    ka, kb = a.bit_length() - 1, b.bit_length() - 1
    return Fraction(a, 1 << ka) - 1, Fraction(b, 1 << kb) - 1, ka + kb


def cut(x: Fraction, bits: int) -> Fraction:
    return Fraction(math.floor(x * (1 << bits)), 1 << bits)


def tosam(a: int, b: int, h: int, t: int) -> int:
    """Equation of the paper in rational arithmetic."""
    if a == 0 or b == 0:
        return 0
    x, y, k = fractions_of(a, b)
    half = Fraction(1, 2 << h)
    return math.floor((1 << k) * (1 + cut(x, t) + cut(y, t) + (cut(x, h) + half) * (cut(y, h) + half)))


def mitchw(a: int, b: int, w: int) -> int:
    """Mitchell on fractions of w - 1 bits."""
    if a == 0 or b == 0:
        return 0
    x, y, k = fractions_of(a, b)
    x, y = cut(x, w - 1), cut(y, w - 1)
    return math.floor((1 << k) * (1 + x + y) if x + y < 1 else (2 << k) * (x + y))


def realm(a: int, b: int) -> int:
    """Two segments a fraction, factors by brute numerical integration."""
    if a == 0 or b == 0:
        return 0
    x, y, k = fractions_of(a, b)
    s = Fraction(int(REALM_2[int(2 * x), int(2 * y)]), 64)
    return math.floor((1 << k) * (1 + x + y + s) if x + y < 1 else (2 << k) * (x + y + s / 2))


def _realm_factors(segments: int) -> np.ndarray:
    grid = (np.arange(1200) + 0.5) / 1200
    x, y = np.meshgrid(grid, grid, indexing="ij")
    weight = 1 / ((1 + x) * (1 + y))
    error = np.where(x + y < 1, 1 + x + y, 2 * (x + y)) * weight - 1
    e, w = (part.reshape(segments, 1200 // segments, segments, -1).sum(axis=(1, 3)) for part in (error, weight))
    return np.asarray(np.rint(-64 * e / w), dtype=np.int64)


REALM_2 = _realm_factors(2)


def booth(a: int, b: int, k: int, m: int) -> int:
    """Sum over the Booth digits of b from the k-th on, a rounded by the bit below its m-th."""
    if m:
        a = ((a >> m) + ((a >> (m - 1)) & 1)) << m
    bits = [(b >> i) & 1 for i in range(8)]
    digits = [-2 * bits[2 * j + 1] + bits[2 * j] + (bits[2 * j - 1] if j else 0) for j in range(4)]
    return sum(a * digit * 4**j for j, digit in enumerate(digits) if j >= k)


def asm(a: int, b: int, alphabets: set[int]) -> int:
    """Every weight of the set tried."""
    digits = [0, *(n << s for n in alphabets for s in range(4) if n << s < 16)]
    held = sorted(16 * high + low for high in digits for low in digits)
    return a * min(held, key=lambda weight: (abs(weight - b), weight))


DEFINITIONS: dict[str, Callable[[int, int], int]] = {
    "kulkarni": lambda a, b: kulkarni(a, b, 8),
    "drum(k=3,width=(8,5))": lambda a, b: drum(a, 3) * drum(b, 3),
    "drum(k=6,width=(8,5))": lambda a, b: drum(a, 6) * b,
    "mitchell(width=(8,5))": mitchell,
    "mitchell(width=(9,4))": mitchell,
    "mbm(width=(7,6))": mbm,
    "roba(width=(8,5))": roba,
    "tosam(h=1,t=5)": lambda a, b: tosam(a, b, 1, 5),
    "tosam(h=0,t=3,width=(8,5))": lambda a, b: tosam(a, b, 0, 3),
    "mitchw(w=4,width=(8,5))": lambda a, b: mitchw(a, b, 4),
    "realm(segments=2,width=(8,5))": realm,
    "asm(alphabets=2,width=(3,8))": lambda a, b: asm(a, b, {1, 3}),
    "asm(alphabets=4,width=(3,8))": lambda a, b: asm(a, b, {1, 3, 5, 7}),
    "trunc(cut=5,width=(8,4))": lambda a, b: cells(a, b, lambda i, j: i + j >= 5),
    "trunc(cut=9,width=(8,4))": lambda a, b: cells(a, b, lambda i, j: i + j >= 9),
    "bam(hbl=2,vbl=5,width=(8,4))": lambda a, b: cells(a, b, lambda i, j: i + j >= 5 and j >= 2),
    "perforation(start=1,count=2,width=(6,5))": lambda a, b: cells(a, b, lambda _, j: j not in (1, 2)),
    "operand_trunc(cut_a=3,cut_b=1,width=(8,4))": lambda a, b: cells(a, b, lambda i, j: i >= 3 and j >= 1),
}


@pytest.mark.parametrize("spec", DEFINITIONS)
def test_table_follows_the_slow_definition(spec: str) -> None:
    unit, define = units.get(spec), DEFINITIONS[spec]
    expected = [[define(a, b) for b in range(1 << unit.width[1])] for a in range(1 << unit.width[0])]
    assert np.array_equal(unit.table(), expected)


@pytest.mark.parametrize(("k", "m"), [(0, 0), (1, 0), (2, 0), (0, 3), (1, 2), (3, 7)])
def test_pr_follows_the_booth_digits(k: int, m: int) -> None:
    unit = units.get(f"pr(k={k},m={m})")
    for a in range(-128, 128, 5):
        for b in range(-128, 128):
            assert int(unit(a, b)) == booth(a, b, k, m)


def test_scaletrim_constants_centre_every_segment() -> None:
    # 16-bit operands: the mean residue of each segment of the truncated sum is what the constants' word length leaves
    generator = np.random.default_rng(5)
    a, b = generator.integers(1 << 15, 1 << 16, size=(2, 400_000))
    relative = units.get("scaletrim(h=4,segments=8,width=16)")(a, b) / 2.0**30 - (a / 2.0**15) * (b / 2.0**15)
    total = (a - 32768 >> 11) + (b - 32768 >> 11)
    for segment in range(8):
        residue = relative[total * 8 >> 5 == segment]
        assert abs(residue.mean()) <= 2**-9 + 5 * residue.std() / math.sqrt(residue.size)


def test_scaletrim_line_is_the_least_squares_one() -> None:
    for h in (2, 3, 4, 5):
        grid = (np.arange(1024) + 0.5) / 1024
        cut_off = np.floor(grid * 2**h) / 2**h
        s = np.add.outer(cut_off, cut_off)
        target = np.add.outer(grid, grid) + np.multiply.outer(grid, grid)
        excess = float((s * target).sum() / (s * s).sum()) - 1
        unit = units.get(f"scaletrim(h={h},segments=0,width=16)")
        # with fractions of one half the line gives 1 + 1 + 2**-d
        assert int(unit(3 << 14, 3 << 14)) == 2**30 * (2 + 2.0 ** round(math.log2(excess)))


@pytest.mark.parametrize("spec", ["operand_trunc(cut_a=2,cut_b=1,signed=true)", "perforation(start=1,count=2,signed=true)"])
def test_signed_operands_lose_bits_towards_minus_infinity(spec: str) -> None:
    unit = units.get(spec)
    for a, b in ((-1, -1), (-128, 127), (5, -7), (-3, 6)):
        expected = (a // 4 * 4) * (b // 2 * 2) if spec.startswith("operand") else a * (b - (b & 0b110))
        assert int(unit(a, b)) == expected


@pytest.mark.parametrize("cut", range(1, 9))
def test_correction_constant_removes_the_bias(cut: int) -> None:
    plain, corrected = (profile(units.get(f"trunc(cut={cut},correction={kind})")) for kind in ("none", "constant"))
    assert abs(corrected.mean_error) <= 0.5
    assert corrected.error_variance == pytest.approx(plain.error_variance)
    assert corrected.zero_exact == (cut < 2)  # the constant of one dropped column is a quarter, rounded to 0


def test_equal_designs_have_equal_tables_under_different_names() -> None:
    assert units.get("bam(hbl=0,vbl=5)").sha256 == units.get("trunc(cut=5)").sha256
    assert units.get("bam(hbl=3,vbl=0)").sha256 == units.get("perforation(start=0,count=3)").sha256
    assert units.get("perforation(start=0,count=3)").sha256 == units.get("operand_trunc(cut_a=0,cut_b=3)").sha256
    assert units.get("trunc(cut=0)").sha256 == units.get("exact").sha256
    assert units.get("exact").sha256 != units.get("exact(signed=true)").sha256


def test_loa_without_lower_part_is_exact_and_with_all_bits_is_or() -> None:
    assert profile(units.adders.get("loa(low=0)")).error_probability == 0
    unit = units.adders.get("loa(low=8,carry=false)")
    assert int(unit(0b1010, 0b0110)) == 0b1110
