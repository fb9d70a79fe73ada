"""Small floats against other libraries' decoders, their products against published limits, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from inexact.core.errors import FormatError, SpecError, UnknownNameError
from inexact.core.numbers import SYSTEMS
from inexact.metrics import float_profile
from inexact.testing import check_float_multiplier
from inexact.units import float_multipliers


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lmul(format=e4m4)", r"format must be e4m3, .*, not 'e4m4'; did you mean 'e4m3'"),
        ("lmul(format=lns8)", "lmul cannot multiply lns8: logarithms are added"),
        ("log_addition(format=e4m3)", "log_addition cannot multiply e4m3: it adds logarithms"),
        ("log_addition(powers=17)", r"powers must be 1\.\.16, not 17"),
        ("lmul(offset=17)", r"offset must be 0 = the paper's, else a power 2\*\*-offset \(0\.\.16\), not 17"),
        ("float_mantissa(multiplier=exact(signed=true))", r"multiplier must be an unsigned unit \(significands are positive\), not exact"),
        ("float_mantissa(multiplier=mitchell(width=3))", r"multiplier must take significands of 4 bits \(e4m3\), not 3x3"),
        ("float_mantissa(format=e5m2,multiplier=drum(k=4))", r"k must be 2\.\.max\(width\) \(2\.\.3\), not 4"),
    ],
)
def test_parameters_out_of_range(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        float_multipliers.get(spec)


def test_what_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"no multiplier is called 'nothing'"):
        float_multipliers.get("float_mantissa(multiplier=nothing(k=3))")
    unit = float_multipliers.get("lmul")
    with pytest.raises(FormatError, match=r"codes of e4m3 must be 0\.\.255, not 0\.\.256"):
        unit([0, 256], 1)
    with pytest.raises(FormatError, match=r"operand b of lmul\(format=e4m3\) must hold e4m3 codes \(integers\), not float64"):
        unit(1, [0.5])
    with pytest.raises(SpecError, match=r"a table of products needs a format of at most 8 bits, not bf16; call the unit instead"):
        float_multipliers.get("lmul(format=bf16)").values()


@pytest.mark.parametrize(("name", "dtype"), [("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)])
def test_eight_bit_codes_mean_what_torch_says(name: str, dtype: torch.dtype) -> None:
    expected = torch.arange(256, dtype=torch.uint8).view(dtype).to(torch.float64).numpy()
    assert np.array_equal(SYSTEMS[name].values(np.arange(256)), expected, equal_nan=True)


def test_sixteen_bit_codes_mean_what_numpy_and_torch_say() -> None:
    codes = np.arange(1 << 16, dtype=np.uint16)
    assert np.array_equal(SYSTEMS["fp16"].values(codes), codes.view(np.float16).astype(np.float64), equal_nan=True)
    brain = torch.from_numpy(codes.view(np.int16)).view(torch.bfloat16).to(torch.float64).numpy()
    assert np.array_equal(SYSTEMS["bf16"].values(codes), brain, equal_nan=True)


def test_microscaling_formats_list_their_numbers() -> None:
    assert SYSTEMS["e2m1"].values(np.arange(8)).tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert SYSTEMS["e2m3"].values(np.array([1, 7, 8, 31])).tolist() == [0.125, 0.875, 1, 7.5]
    assert SYSTEMS["e3m2"].values(np.array([1, 3, 4, 31])).tolist() == [0.0625, 0.1875, 0.25, 28]
    assert SYSTEMS["e4m3"].values(np.array([126])).tolist() == [448]


def normal_pairs(name: str, count: int = 500_000) -> tuple[np.ndarray, np.ndarray]:
    """Random codes of normal numbers with full mantissas."""
    generator, layout = np.random.default_rng(5), SYSTEMS[name]
    exponents = generator.integers(8, 20, (2, count)) << layout.fraction_bits
    a, b = exponents | generator.integers(0, 1 << layout.fraction_bits, (2, count))
    return a, b


@pytest.mark.parametrize(("offset", "bias", "mred"), [(2, 2.595, 8.382), (3, -3.410, 7.077), (4, -6.413, 7.576)])
def test_lmul_without_carry_has_the_published_limits(offset: int, bias: float, mred: float) -> None:
    a, b = normal_pairs("fp16")
    unit = float_multipliers.get(f"lmul(format=fp16,carry=false,offset={offset})")
    relative = 100 * (unit(a, b) / unit.exact(a, b) - 1)
    tolerance = 5 * relative.std() / math.sqrt(relative.size) + 0.02  # a mantissa of 10 bits is not yet continuous
    assert relative.mean() == pytest.approx(bias, abs=tolerance)
    assert abs(relative).mean() == pytest.approx(mred, abs=tolerance)


def test_lmul_with_carry_is_one_integer_addition_of_the_codes() -> None:
    unit = float_multipliers.get("lmul")
    for a in range(0x20, 0x50):
        for b in range(0x20, 0x50):
            # bias once, offset 2**-3 is one unit of the mantissa
            total = a + b - (7 << 3) + 1
            assert float(unit(a, b)) == 2.0 ** ((total >> 3) - 7) * (1 + (total & 7) / 8)
            assert float(unit(a | 0x80, b)) == -float(unit(a, b))


@pytest.mark.parametrize(("mantissa", "power"), [("e2m1", 1), ("e5m2", 2), ("e4m3", 3), ("bf16", 4), ("fp16", 4)])
def test_lmul_takes_the_papers_offset(mantissa: str, power: int) -> None:
    assert float_multipliers.get(f"lmul(format={mantissa})").power == power  # type: ignore[attr-defined]


def test_subnormals_are_normalised() -> None:
    exact = float_multipliers.get("float_mantissa(multiplier=exact)")
    # 3 * 2**-9 times 5 * 2**-9
    assert float(exact(3, 5)) == 15 * 2.0**-18
    mitchell = float_multipliers.get("float_mantissa(multiplier=mitchell)")
    assert float(mitchell(3, 3)) == 8 * 2.0**-18  # 1.5 * 1.5: fractions sum to one, 2 * 2 = 4 eighths


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "posit8_0", "posit8_1", "posit8_2"])
def test_exact_significands_make_the_exact_multiplier(name: str) -> None:
    found = float_profile(float_multipliers.get(f"float_mantissa(format={name},multiplier=exact)"))
    assert (found.error_probability, found.wcre, found.exhaustive) == (0, 0, True)


def test_profile_counts_finite_non_zero_pairs() -> None:
    # e4m3: two NaN codes and two zeros of 256
    assert float_profile(float_multipliers.get("lmul")).pairs == 252 * 252
    # kulkarni's 2x2 block in a 2-bit significand: 1.5 * 1.5 = 7/4 instead of 9/4
    block = float_profile(float_multipliers.get("float_mantissa(format=e2m1,multiplier=kulkarni)"))
    assert block.wcre == pytest.approx(2 / 9)
    assert block.relative_bias == pytest.approx(-block.mred)


def test_check_reports_a_broken_promise() -> None:
    class Wrong:
        spec = "wrong"

    with pytest.raises(AssertionError, match=r"wrong: must derive from inexact\.units\.FloatMultiplier"):
        check_float_multiplier(Wrong())  # type: ignore[arg-type]


def test_products_of_logarithms_are_powers_from_the_table() -> None:
    unit = float_multipliers.get("log_addition")
    one = 64  # the code of logarithm 0
    assert float(unit(one, one)) == 1
    assert float(unit(one + 5, one + 6)) == 2 * round(2 ** (3 / 8) * 256) / 256
    assert float(unit(one - 1, (one + 2) | 128)) == -round(2 ** (1 / 8) * 256) / 256
    found = float_profile(unit)
    assert 0 < found.wcre <= 2**-9
