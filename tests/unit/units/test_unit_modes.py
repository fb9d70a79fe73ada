"""Compressor trees, block maps, weight codes, multi-mode and stochastic units, signs: against definitions written another way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from inexact import circuits, units
from inexact.core.errors import SpecError
from inexact.metrics import profile
from inexact.units import multipliers
from inexact.units.compressor import COMPRESSORS
from inexact.units.csd import leading_digits
from inexact.units.lvrm import LowVariance
from inexact.units.pn import PositiveNegative
from inexact.units.stochastic import Stochastic


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("compressor(compressor=momeni3)", r"compressor must be momeni2, .* not 'momeni3'; did you mean 'momeni2'\?"),
        ("compressor(compressor='012')", r"compressor must be .* or 16 digits 0\.\.3 .*, not '012'"),
        ("compressor(columns=16)", r"columns must be 0\.\.2\*width-1 \(0\.\.15\), not 16"),
        ("recursive(width=7)", r"recursive needs operands of even width \(2-bit digits\), not 7x7; widen by one bit"),
        ("recursive(blocks=kx)", r"blocks must be healing, one of e, k, p, or 16 such letters, one per block, not 'kx'"),
        ("csd(digits=6)", r"digits must be 1\.\.bits of b / 2 \+ 1, the digits of a weight \(1\.\.5\), not 6"),
        ("powers(terms=0)", r"terms must be 1\.\.bits of b \(1\.\.8\), not 0"),
        ("pn(mode=plus)", r"mode must be exact, positive or negative, not 'plus'"),
        ("pn(bits=9)", r"bits must be 1\.\.bits of b \(1\.\.8\), not 9"),
        ("lvrm(mode=3)", r"mode must be 0\.\.2, not 3"),
        ("lvrm(first=5)", r"first must be 0\.\.second \(4\), the wires of mode 1 are among those of mode 2, not 5"),
        ("axbxp(mode=statik)", r"mode must be static or dynamic, not 'statik'; did you mean 'static'\?"),
        ("axbxp(block=9)", r"block must be bits of a block \(1\.\.8\), not 9"),
        ("axbxp(kept=17)", r"kept must be pairs of blocks \(1\.\.16\), not 17"),
        ("axbxp(mode=dynamic,kept=5)", r"kept must be blocks of the wider operand \(1\.\.4\), not 5"),
        ("stochastic(length=17)", r"length must be log2 of the stream's bits \(1\.\.16\), not 17"),
        ("stochastic(length=13,width=16)", r"min\(length, bits\) of a and b together at most 24, not 26"),
        ("stochastic(generator=halton)", r"generator must be counter or lfsr, not 'halton'"),
        ("stochastic(seed=0)", r"seed must be 1\.\.2\*\*\(bits of b\)-1, a register of zeros stays so \(1\.\.255\), not 0"),
        (
            "sign_magnitude(multiplier=exact(signed=true))",
            r"multiplier must be an unsigned unit \(its operands are magnitudes\), not exact",
        ),
        ("sign_magnitude(multiplier=drum,complement=ones)", r"complement must be two or one, not 'ones'; did you mean 'one'\?"),
        ("sign_magnitude(multiplier=drum(k=3,width=4),width=6)", r"width must be the multiplier's \(4x4\), not 6x6; give one"),
        ("sign_magnitude(multiplier=nothing)", r"no multiplier is called 'nothing'"),
    ],
)
def test_parameters_out_of_range(spec: str, message: str) -> None:
    with pytest.raises((SpecError, LookupError), match=message):
        units.get(spec)


@pytest.mark.parametrize(("name", "wrong"), [("momeni2", 4), ("yang1", 1), ("venkatachalam", 5), ("akbari1", 10)])
def test_compressors_err_as_often_as_published(name: str, wrong: int) -> None:
    # error rates 25 %, 6.25 %, 31.25 % and 62.5 % of the 16 patterns
    assert sum(int(value) != pattern.bit_count() for pattern, value in enumerate(COMPRESSORS[name])) == wrong


def test_compressor_tables_follow_their_gates() -> None:
    for pattern in range(16):
        x1, x2, x3, x4 = (bool(pattern >> i & 1) for i in range(4))
        sums = {
            "momeni2": ((x1 == x2) or (x3 == x4), (x1 or x2) and (x3 or x4)),
            "yang1": ((x1 ^ x2 ^ x3 ^ x4) or pattern == 15, (x1 and x2) or (x3 and x4) or ((x1 or x2) and (x3 or x4))),
            "venkatachalam": ((x1 != x2) or (x3 != x4) or pattern == 15, (x1 and x2) or (x3 and x4)),
            "akbari1": (x1, x4),
        }
        for name, (total, carry) in sums.items():
            assert int(COMPRESSORS[name][pattern]) == int(total) + 2 * int(carry)


def test_momeni_multiplier_4_as_printed() -> None:
    # of the 65025 products of non-zero operands 9320 are right; mean error distance 0.7827e-3 of the largest product
    unit = units.get("compressor(compressor=momeni2,columns=7)")
    error = unit.table()[1:, 1:].astype(np.int64) - unit.exact_table()[1:, 1:]
    assert int((error == 0).sum()) == 9320
    assert round(float(abs(error).mean()) / 65025 * 1e3, 4) == 0.7827


def test_exact_truth_table_or_no_columns_make_the_tree_exact_but_for_four_ones() -> None:
    assert units.get("compressor(columns=0)").sha256 == units.get("exact").sha256
    mostly = units.get("compressor(compressor=yang1,columns=15)")
    assert profile(mostly).mean_error < 0
    assert profile(mostly).wce > 0
    wide = units.get("compressor(compressor=yang1,columns=9,width=(11,9))")
    generator = np.random.default_rng(2)
    a, b = generator.integers(0, 1 << 11, 3000), generator.integers(0, 1 << 9, 3000)
    error = wide(a, b) - a * b
    # every wrong compressor loses one unit of its column
    assert error.max() == 0
    assert error.min() >= -(1 << 13)


def test_recursive_maps() -> None:
    assert units.get("recursive(blocks=k)").sha256 == units.get("kulkarni").sha256
    assert units.get("recursive(blocks=e)").sha256 == units.get("exact").sha256
    mirrored = units.get("recursive(blocks=p)")
    assert np.array_equal(mirrored.table() - mirrored.exact_table(), units.get("exact").table() - units.get("kulkarni").table())
    assert int(units.get("recursive(blocks=kppe,width=4)")(0b1111, 0b0011)) == 45 - 2 + 2 * 4
    assert int(units.get("recursive(blocks=kppe,width=4)")(0b0011, 0b1111)) == 45 - 2 + 2 * 4
    assert profile(units.get("recursive")).mean_error == 0


def canonical(x: int) -> list[int]:
    """Signed digits by the textbook recurrence, least significant first."""
    digits = []
    while x:
        digit = 2 - x % 4 if x % 2 else 0
        digits.append(digit)
        x = (x - digit) // 2
    return digits


@pytest.mark.parametrize("count", [1, 2, 3])
def test_csd_keeps_the_leading_digits(count: int) -> None:
    for x in range(-300, 300):
        places = [(i, d) for i, d in enumerate(canonical(x)) if d][::-1][:count]
        assert int(leading_digits(np.array([x]), count)[0]) == sum(d << i for i, d in places)
        if places:
            assert abs(x - sum(d << i for i, d in places)) < (1 << places[-1][0]) / 3


@pytest.mark.parametrize("terms", [1, 2, 3])
def test_powers_take_the_nearest_every_time(terms: int) -> None:
    unit = units.get(f"powers(terms={terms},signed=true)")
    powers = [0, *(sign << k for k in range(10) for sign in (1, -1))]
    for b in range(-128, 128):
        rest, taken = b, 0
        for _ in range(terms):
            step = min(powers, key=lambda p: (abs(rest - p), abs(p))) if rest else 0
            rest, taken = rest - step, taken + step
        assert int(unit(3, b)) == 3 * taken
        assert b == 0 or abs(rest) / abs(b) <= 3.0**-terms + 1e-12


def test_positive_and_negative_mode_mirror_each_other() -> None:
    modes = PositiveNegative(bits=3).modes()
    positive, negative = (profile(modes[name]) for name in ("positive", "negative"))
    assert positive.mean_error == -negative.mean_error > 0
    assert positive.error_variance == pytest.approx(negative.error_variance)
    assert modes["exact"].sha256 == units.get("exact").sha256
    assert int(modes["positive"](10, 0b1000)) == 150
    assert int(modes["negative"](10, 0b1011)) == 80


def test_lvrm_modes_hold_the_published_rule_and_one_more_column_breaks_it() -> None:
    def share(cut: int, bound: int) -> float:
        unit = units.get(f"trunc(cut={cut})")
        error = unit.table().astype(np.int64) - unit.exact_table()
        return float((error.var(axis=0) <= bound**2).mean())

    modes = LowVariance().modes()
    assert [LowVariance(mode=mode).cut for mode in range(3)] == [0, 3, 4]
    assert share(3, 8) >= 0.9 > share(4, 8)
    assert share(4, 20) >= 0.9 > share(5, 20)
    assert modes["2"].sha256 == units.get("trunc(cut=4)").sha256


@pytest.mark.parametrize(
    "spec", ["stochastic(length=6)", "stochastic(length=8,generator=lfsr)", "stochastic(length=5,width=(7,6),generator=lfsr,seed=5)"]
)
def test_stochastic_counts_the_ones_of_the_streams(spec: str) -> None:
    unit = units.get(spec)
    (wa, wb), length = unit.width, int(spec.split("length=")[1][0])
    if "lfsr" in spec:
        first, second = (stream(bits, seed, 1 << length) for bits, seed in ((wa, 1), (wb, 5 if "seed" in spec else 1)))
        ra, rb = [x - 1 for x in first], [int(f"{x:0{wb}b}"[::-1], 2) - 1 for x in second]
    else:
        half = 1 << (wa - length - 1) if wa > length else 0
        ra = [(t << (wa - length)) + half for t in range(1 << length)]
        rb = [(int(f"{t:0{length}b}"[::-1], 2) << (wb - length)) + half for t in range(1 << length)]
    for a in range(0, 1 << wa, 7):
        for b in range(0, 1 << wb, 5):
            ones = sum(a > x and b > y for x, y in zip(ra, rb, strict=True))
            assert int(unit(a, b)) == ones << (wa + wb - length)


@pytest.mark.parametrize(
    "spec",
    [
        "stochastic(length=5,width=4)",
        "stochastic(length=9,width=(3,5))",
        "stochastic(length=6,generator=lfsr,seed=9,width=(6,4))",
        "stochastic(length=9,generator=lfsr,width=(3,5))",
    ],
)
def test_stochastic_takes_one_cycle_a_bit_or_all_bits_at_once(spec: str) -> None:
    unit = units.get(spec)
    assert isinstance(unit, Stochastic)
    serial, circuit, grid = unit.serial(), unit.circuit(), np.meshgrid(*map(unit.operand_values, (0, 1)), indexing="ij")
    assert serial.cycles == 2**unit.length
    assert serial.register_bits == unit.length + 1 + (sum(unit.width) if "lfsr" in spec else unit.length)
    assert np.array_equal(serial.evaluate(*grid), unit.table())
    assert circuit is not None
    assert np.array_equal(circuits.table(circuit), unit.table())
    assert units.get("stochastic(length=13)").circuit() is None


def test_stochastic_units_of_wide_operands_are_their_netlists() -> None:
    a, b = np.random.default_rng(0).integers(0, 1 << 16, (2, 2000))
    for spec in ("stochastic(length=6,width=16)", "stochastic(length=6,generator=lfsr,width=16)"):
        circuit = units.get(spec).circuit()
        assert circuit is not None
        assert np.array_equal(circuits.evaluate(circuit, a, b), units.get(spec)(a, b))


def stream(bits: int, state: int, count: int) -> list[int]:
    """A register that shifts right, feedback into the taps of a primitive polynomial."""
    taps = {6: (6, 5), 7: (7, 6), 8: (8, 6, 5, 4)}[bits]
    mask = sum(1 << (tap - 1) for tap in taps)
    states = []
    for _ in range(count):
        states.append(state)
        state = state >> 1 ^ (mask if state % 2 else 0)
    return states


def test_stochastic_converges() -> None:
    short, full = (profile(units.get(f"stochastic(length={n})")) for n in (4, 8))
    assert full.mae < short.mae / 8
    streams = profile(units.get("stochastic(length=8,generator=lfsr)"))
    # a few standard deviations of 256 fair bits
    assert streams.mae < 3 * math.sqrt(0.25 / 256) * 65536


def test_signs_are_restored() -> None:
    for inner in ("drum(k=3)", "bam(hbl=2,vbl=5)"):
        plain, signed = units.get(inner), units.get(f"sign_magnitude(multiplier={inner})")
        for a, b in ((-1, -1), (-3, -5), (-128, -128), (-128, 127), (77, -31), (0, -9)):
            assert int(signed(a, b)) == (1 if (a < 0) == (b < 0) else -1) * int(plain(abs(a), abs(b)))
    one = units.get("sign_magnitude(multiplier=exact,complement=one)")
    assert int(one(-3, 5)) == -(2 * 5) - 1
    assert int(one(-3, -5)) == 2 * 4
    assert int(one(-3, 0)) == 0
    assert int(one(3, 5)) == 15
    assert units.get("sign_magnitude(multiplier=exact)").sha256 == units.get("exact(signed=true)").sha256


def test_sign_magnitude_width_is_the_units() -> None:
    assert units.get("sign_magnitude(multiplier=mitchell(width=(8,4)))").width == (8, 4)
    assert units.get("sign_magnitude(multiplier=mitchell,width=6)").spec == "sign_magnitude(multiplier=mitchell(width=6),width=6)"
    with pytest.raises(SpecError, match=r"drum\(k=7\)|k must be 2\.\.max\(width\) \(2\.\.4\), not 7"):
        units.get("sign_magnitude(multiplier=drum(k=7),width=4)")


@pytest.mark.parametrize("cut", [1, 4, 7])
@pytest.mark.parametrize("signed", [False, True])
def test_variable_correction_adds_the_top_dropped_column_twice(cut: int, signed: bool) -> None:
    unit = units.get(f"trunc(cut={cut},correction=variable,signed={str(signed).lower()})")
    low = -128 if signed else 0
    for a in range(low, low + 256, 11):
        for b in range(low, low + 256, 7):
            cells = [(i + j, (a >> i & 1) * (b >> j & 1)) for i in range(8) for j in range(8) if i + j < cut]
            change = sum(bit << column if column == cut - 1 else -bit << column for column, bit in cells)
            assert int(unit(a, b)) == a * b + change


def blocks_of(x: int, block: int, count: int) -> list[int]:
    return [x >> block * i & (1 << block) - 1 for i in range(count)]


@pytest.mark.parametrize(("block", "kept", "width"), [(2, 3, (8, 8)), (2, 10, (8, 8)), (3, 5, (7, 8)), (4, 2, (8, 4)), (1, 30, (6, 6))])
def test_static_blocks_are_summed_by_weight(block: int, kept: int, width: tuple[int, int]) -> None:
    unit = units.get(f"axbxp(block={block},kept={kept},width={width})")
    counts = [-(-bits // block) for bits in width]
    pairs = [(i, j) for total in reversed(range(sum(counts) - 1)) for i in range(counts[0]) for j in range(counts[1]) if i + j == total]
    # ties: nearest to the diagonal first, then the higher block of a
    pairs.sort(key=lambda pair: (-pair[0] - pair[1], abs(pair[0] - pair[1]), -pair[0]))
    for a in range(0, 1 << width[0], 7):
        for b in range(0, 1 << width[1], 3):
            x, y = blocks_of(a, block, counts[0]), blocks_of(b, block, counts[1])
            assert int(unit(a, b)) == sum(x[i] * y[j] << block * (i + j) for i, j in pairs[:kept])


@pytest.mark.parametrize(("block", "kept", "width"), [(2, 2, (8, 8)), (3, 2, (8, 7)), (4, 1, (8, 8)), (2, 3, (8, 4)), (2, 4, (8, 8))])
def test_dynamic_blocks_begin_at_the_leading_one(block: int, kept: int, width: tuple[int, int]) -> None:
    unit = units.get(f"axbxp(mode=dynamic,block={block},kept={kept},width={width})")

    def leading(x: int, bits: int) -> int:
        parts = blocks_of(x, block, -(-bits // block))
        first = max((i for i, part in enumerate(parts) if part), default=0)
        return sum(part << block * i for i, part in enumerate(parts) if first - kept < i <= first)

    for a in range(0, 1 << width[0], 3):
        for b in range(0, 1 << width[1], 5):
            assert int(unit(a, b)) == leading(a, width[0]) * leading(b, width[1])


def test_blocks_of_one_bit_are_segments_and_all_pairs_are_exact() -> None:
    assert units.get("axbxp(mode=dynamic,block=1,kept=4)").sha256 == units.get("dsm(m=4)").sha256
    assert units.get("axbxp(block=3,kept=9)").sha256 == units.get("exact").sha256
    assert units.get("axbxp(block=4,kept=3)").pairs()[:3] == [(1, 1), (1, 0), (0, 1)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("spec", ["pn", "pn(mode=positive,bits=1,width=(4,4))", "lvrm", "lvrm(first=2,second=3,width=(8,4))"])
def test_the_switched_circuit_is_every_mode_by_its_code(spec: str) -> None:
    unit = multipliers.get(spec)
    circuit, (wa, wb) = unit.switched_circuit(), unit.width
    assert circuit is not None
    assert unit.mode_bits == 2
    a, b = (grid.ravel() for grid in np.meshgrid(np.arange(1 << wa), np.arange(1 << wb), indexing="ij"))
    for code, mode in enumerate(unit.modes().values()):
        assert (circuits.evaluate(circuit, a, b + (code << wb)) == mode.table().ravel()).all()


def test_units_of_one_mode_have_no_switched_circuit() -> None:
    assert multipliers.get("trunc(cut=4)").modes() == {}
    assert multipliers.get("trunc(cut=4)").mode_bits == 0
    assert multipliers.get("trunc(cut=4)").switched_circuit() is None
