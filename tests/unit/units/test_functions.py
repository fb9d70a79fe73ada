"""Non-linear units against definitions in exact or floating-point arithmetic, and what they refuse."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from inexact import circuits
from inexact.core.errors import FormatError, SpecError
from inexact.metrics import function_profile
from inexact.testing import check_function
from inexact.units import Function, functions


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lookup(function=exq)", r"function must be exp, gelu, rsqrt, sigmoid or tanh, not 'exq'; did you mean 'exp'\?"),
        ("lookup(entries=48)", r"entries must be a power of two in 2\.\.256 \(one per value of the leading bits\), not 48"),
        ("lookup(entries=512)", r"entries must be a power of two in 2\.\.256 .*, not 512"),
        ("linear(function=rsqrt)", r"function must be exp, gelu, sigmoid or tanh, not 'rsqrt'"),
        ("linear(segments=1)", r"segments must be a power of two in 2\.\.256 .*, not 1"),
        ("base2(function=tanh)", r"function must be exp, gelu or rsqrt, not 'tanh'"),
        ("base2(segments=3)", r"segments must be a power of two in 1\.\.256 \(lines on an octave\), not 3"),
        ("base2(constant_bits=1)", r"constant_bits must be 2\.\.16, not 1"),
        ("base2(width=17)", r"width must be bits of an argument \(2\.\.16\), not 17"),
        ("base2(fraction=9)", r"fraction must be 0\.\.width \(0\.\.8\), not 9"),
        ("base2(out_width=33)", r"out_width must be bits of a result \(2\.\.32\), not 33"),
        ("softmax(exponential=lookup(function=gelu))", r"exponential must be a unit for exp, as base2\(.*\), not lookup\(function=gelu"),
        ("softmax(exponential=softmax)", r"exponential must be a unit for exp"),
        ("softmax(width=4)", r"softmax has no parameter 'width'"),
    ],
)
def test_parameters_out_of_range(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        functions.get(spec)


def test_arguments_that_do_not_fit() -> None:
    unit = functions.get("base2(function=exp)")
    with pytest.raises(FormatError, match=r"arguments of base2\(.*\) must be -128\.\.127 \(8 bits\), not 0\.\.128"):
        unit([0, 128])
    with pytest.raises(FormatError, match=r"must be fixed-point codes \(integers\), not float64"):
        unit([0.5])
    with pytest.raises(FormatError, match=r"must be finite"):
        unit.apply([math.nan])
    with pytest.raises(SpecError, match=r"softmax depends on a whole row and has no table; call it"):
        functions.get("softmax").table()
    with pytest.raises(SpecError, match=r"softmax needs at least one argument along the last axis"):
        functions.get("softmax")(np.int64(3))


def half_up(x: Fraction) -> int:
    return math.floor(x + Fraction(1, 2))


def line(points: list[int], position: Fraction) -> int:
    """The lines through equally spaced points at 0 <= position < 1, rounded to nearest."""
    place = position * (len(points) - 1)
    low = int(place)
    return points[low] + half_up((points[low + 1] - points[low]) * (place - low))


@pytest.mark.parametrize("segments", [1, 4])
def test_base2_exp_in_exact_arithmetic(segments: int) -> None:
    unit = functions.get(f"base2(function=exp,segments={segments},constant_bits=6)")
    points = [round(2.0 ** (i / segments) * 65536) for i in range(segments + 1)]
    for code in range(-128, 1):
        t = Fraction(code, 16) * Fraction(round(math.log2(math.e) * 64), 64)
        whole = math.floor(t)
        value = Fraction(line(points, t - whole), 65536) * Fraction(2) ** whole
        assert int(unit(code)) == half_up(value * 4096)


@pytest.mark.parametrize("fraction", [0, 3, 4])
def test_base2_rsqrt_in_exact_arithmetic(fraction: int) -> None:
    unit = functions.get(f"base2(function=rsqrt,segments=8,fraction={fraction})")
    for code in range(1, 256):
        x, e = Fraction(code, 1 << fraction), 0
        while x >= 4:
            x, e = x / 4, e + 1
        while x < 1:
            x, e = x * 4, e - 1
        start = 1 if x < 2 else 2
        points = [round(65536 / math.sqrt(start * (1 + i / 8))) for i in range(9)]
        value = Fraction(line(points, x / start - 1), 65536) / Fraction(2) ** e
        assert int(unit(code)) == min(half_up(value * 4096), 65535)
    assert int(unit(0)) == 65535


def test_base2_gelu_is_the_logistic_form() -> None:
    unit = functions.get("base2(function=gelu,segments=64,constant_bits=12)")
    x = unit.arguments() / 16
    logistic = x / (1 + np.exp(-1.702 * x))
    assert abs(unit.table() / 4096 - logistic).max() < 2**-10
    # the logistic form is up to 0.0203 from GELU, near |x| = 2.27
    assert 0.0195 < function_profile(unit).max_error < 0.0208


@pytest.mark.parametrize("name", ["exp", "gelu", "sigmoid", "tanh"])
def test_linear_interpolates_its_points(name: str) -> None:
    unit = functions.get(f"linear(function={name},segments=32)")
    exact = unit.exact(unit.arguments() / 16)
    ends = unit.arguments() % 8 == 0
    inside = ends & unit.in_domain()
    assert abs(unit.table()[inside] - exact[inside] * 4096).max() <= 0.5 + 0.125
    finer = function_profile(functions.get(f"linear(function={name},segments=64)")).max_error
    assert finer < function_profile(unit).max_error / 2.5


@pytest.mark.parametrize(
    "spec",
    [
        "lookup(function=tanh,entries=8,width=12,fraction=7,out_width=6,out_fraction=5)",
        "linear(function=gelu,segments=8,width=10,fraction=6,out_width=7,out_fraction=4)",
        "linear(function=sigmoid,segments=32,width=5,fraction=2,out_width=8,out_fraction=8)",
        "linear(function=exp,segments=2,width=7,fraction=4,out_width=6,out_fraction=5)",
        "base2(function=exp,segments=8,width=6,fraction=3,out_width=5,out_fraction=4)",
        "base2(function=exp,segments=2,constant_bits=11,width=13,fraction=9,out_width=20,out_fraction=14)",
        "base2(function=exp,segments=8,constant_bits=2,width=16,fraction=0)",
        "base2(function=gelu,segments=256,constant_bits=2,width=5,fraction=0,out_width=24,out_fraction=20)",
        "base2(function=gelu,segments=4,constant_bits=16,width=16,fraction=8,out_width=10,out_fraction=4)",
        "base2(function=rsqrt,segments=256,width=5,fraction=5,out_width=24,out_fraction=20)",
        "base2(function=rsqrt,segments=2,width=16,fraction=7,out_width=9,out_fraction=3)",
    ],
)
def test_other_formats_as_gates(spec: str) -> None:
    unit = functions.get(spec)
    circuit = unit.circuit()
    assert circuit is not None
    assert np.array_equal(circuits.evaluate(circuit, unit.arguments()), unit.table())


def test_a_row_of_four_as_gates() -> None:
    unit = functions.get("softmax(exponential=base2(function=exp,segments=4,width=4,fraction=1),out_width=12,out_fraction=11)")
    circuit = unit.row_circuit(4)
    assert circuit is not None
    rows = np.stack(np.meshgrid(*[unit.arguments()] * 4, indexing="ij"), axis=-1)
    word = circuits.evaluate(circuit, *np.moveaxis(rows, -1, 0))
    assert np.array_equal(word[..., None] >> 12 * np.arange(4) & 4095, unit(rows))


def test_what_has_no_netlist_says_so() -> None:
    for spec in ("softmax", "lookup(function=gelu,entries=512,width=12)", "linear(function=gelu,segments=512,width=12)"):
        assert functions.get(spec).circuit() is None
    assert functions.get("lookup(function=gelu)").row_circuit(2) is None
    assert functions.get("softmax(exponential=lookup(function=exp,entries=512,width=12))").row_circuit(2) is None
    with pytest.raises(SpecError, match=r"size must be .*at most 64 bits together \(1\.\.4\), not 5"):
        functions.get("softmax").row_circuit(5)


def test_lookup_takes_the_middle_of_a_group() -> None:
    unit = functions.get("lookup(function=tanh,entries=32)")
    for code in (-128, -3, 0, 7, 8, 127):
        middle = (code // 8 * 8 + 3.5) / 16
        assert int(unit(code)) == round(math.tanh(middle) * 4096)


def test_results_saturate() -> None:
    assert int(functions.get("lookup(function=rsqrt,entries=256,out_width=8,out_fraction=7)")(1)) == 255
    assert int(functions.get("lookup(function=gelu,entries=256,out_width=6,out_fraction=4)")(127)) == 31
    assert int(functions.get("base2(function=exp)")(127)) == 65535


@pytest.mark.parametrize("spec", ["softmax", "softmax(exponential=lookup(function=exp,entries=256),out_width=8,out_fraction=8)"])
def test_softmax_divides_by_the_sum(spec: str) -> None:
    unit = functions.get(spec)
    inner = functions.get(unit.exponential)  # type: ignore[attr-defined]
    rows = np.random.default_rng(1).integers(-128, 128, size=(50, 7))
    for row, found in zip(rows, unit(rows), strict=True):
        powers = [int(inner(max(int(x - row.max()), -128))) for x in row]
        scale = 1 << unit.out_fraction
        wanted = [half_up(Fraction(p * scale, sum(powers))) for p in powers]
        assert found.tolist() == [min(w, (1 << unit.out_width) - 1) for w in wanted]


def test_softmax_rows_sum_to_one_and_move_with_nothing() -> None:
    unit = functions.get("softmax(exponential=base2(function=exp,segments=8))")
    codes = unit.quantise(np.random.default_rng(2).normal(scale=2, size=(100, 33)))
    assert abs(unit(codes).sum(axis=-1) - 2**15).max() <= 33 / 2
    shifted = np.clip(codes, -100, 90)
    assert np.array_equal(unit(shifted), unit(shifted + 20))


def test_profile_counts_the_arguments_it_is_over() -> None:
    # exp: codes -128..0; rsqrt: all but 0
    assert function_profile(functions.get("lookup(function=exp,entries=64)")).arguments == 129
    assert function_profile(functions.get("lookup(function=rsqrt,entries=64)")).arguments == 255
    assert function_profile(functions.get("lookup(function=gelu,entries=64)")).arguments == 256


def test_profile_by_hand() -> None:
    unit = functions.get("lookup(function=gelu,entries=2,width=2,fraction=0,out_width=8,out_fraction=4)")
    exact = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in (0, 1, -2, -1)]
    approx = [round(16 * m * 0.5 * (1 + math.erf(m / math.sqrt(2)))) / 16 for m in (0.5, 0.5, -1.5, -1.5)]
    error = [y - x for x, y in zip(exact, approx, strict=True)]
    found = function_profile(unit)
    assert found.mean_error == pytest.approx(sum(error) / 4)
    assert found.mae == pytest.approx(sum(map(abs, error)) / 4)
    assert found.max_ulp == pytest.approx(16 * max(map(abs, error)))


def test_check_function_reports_a_broken_promise() -> None:
    class Wrong:
        spec = "wrong"

    with pytest.raises(AssertionError, match=r"wrong: must derive from inexact\.units\.Function"):
        check_function(Wrong())  # type: ignore[arg-type]


def test_every_function_the_tool_names_has_a_unit() -> None:
    known = {unit.target for _, cls in functions.items() for unit in cls.samples()}
    assert {"softmax", "gelu", "exp", "rsqrt"} <= known
    assert all(isinstance(unit, Function) for _, cls in functions.items() for unit in cls.samples())
