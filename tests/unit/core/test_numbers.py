"""Number systems against other libraries' decoders and rounding, bit for bit, and against their definitions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inexact.core.numbers import SYSTEMS, NumberSystem, Posit

FLOATS: dict[str, Any] = {
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
}
SMALL = [name for name, system in SYSTEMS.items() if system.width <= 8]


def rounded(system: NumberSystem, values: np.ndarray) -> np.ndarray:
    """The number nearest to each float32 value."""
    found = np.searchsorted(np.array(system.limits, dtype=np.float32), np.abs(values), side="left")
    return np.asarray(system.sizes[found] * np.sign(values))


def hard_values(system: NumberSystem) -> np.ndarray:
    """Random values of every order, every number, every halfway point, and their neighbours; within the range."""
    generator = np.random.default_rng(0)
    drawn = generator.normal(size=20_000) * np.exp2(generator.uniform(-28, 28, 20_000))
    halves = system.halfway(np.arange(len(system.sizes) - 1))
    places = np.concatenate([drawn, system.sizes, halves]).astype(np.float32)
    near = np.concatenate([places, np.nextafter(places, np.float32(np.inf)), np.nextafter(places, np.float32(0))])
    return np.concatenate([near, -near]).clip(-system.sizes[-1], system.sizes[-1]).astype(np.float32)


@pytest.mark.parametrize("name", FLOATS)
def test_floats_decode_and_round_as_ml_dtypes_does(name: str) -> None:
    system = SYSTEMS[name]
    codes = np.arange(1 << system.width, dtype=np.uint8)
    assert np.array_equal(system.values(codes), codes.view(FLOATS[name]).astype(np.float64), equal_nan=True)
    values = hard_values(system)
    assert np.array_equal(rounded(system, values), values.astype(FLOATS[name]).astype(np.float64))


@pytest.mark.parametrize("name", SMALL)
def test_ranks_and_codes_round_trip(name: str) -> None:
    system = SYSTEMS[name]
    assert (np.diff(system.sizes) > 0).all()
    assert system.sizes[0] == 0
    ranks = np.arange(len(system.sizes))
    codes = system.patterns(np.concatenate([ranks, -ranks[1:]]))
    assert np.array_equal(system.values(codes), np.concatenate([system.sizes, -system.sizes[1:]]))
    assert len(set(codes.tolist())) == len(codes)
    assert np.array_equal(rounded(system, system.sizes), system.sizes)


def posit(code: int, bits: int, es: int) -> Fraction:
    """The number of a positive posit, read bit by bit as the standard writes it."""
    text = format(code, f"0{bits}b")[1:]
    run = len(text) - len(text.lstrip(text[0]))
    regime = run - 1 if text[0] == "1" else -run
    rest = text[run + 1 :]
    exponent = int((rest[:es] + "0" * es)[:es] or "0", 2)
    fraction = sum((Fraction(int(bit), 2 ** (place + 1)) for place, bit in enumerate(rest[es:])), Fraction(0))
    return Fraction(Fraction(2) ** (regime * 2**es + exponent) * (1 + fraction))


@pytest.mark.parametrize(("bits", "es"), [(8, 0), (8, 1), (8, 2), (9, 2), (6, 1)])
def test_posits_decode_as_the_standard_writes(bits: int, es: int) -> None:
    system = Posit(bits=bits, es=es)
    assert [Fraction(size) for size in system.sizes.tolist()[1:]] == [posit(code, bits, es) for code in range(1, 1 << (bits - 1))]
    assert np.isnan(system.values(1 << (bits - 1)))


def test_posits_round_their_bits() -> None:
    system = SYSTEMS["posit8_2"]
    # above 2**16 whole powers of 16 and 4 are left: the halfway point is that of the bit string, not the mean
    assert rounded(system, np.array([2.0**22 * 1.001, 2.0**22 * 0.999, 1e-30, 1e30], dtype=np.float32)).tolist() == [
        2.0**24,
        2.0**20,
        2.0**-24,
        2.0**24,
    ]
    assert rounded(SYSTEMS["posit8_0"], np.array([0.0, 1 + 1 / 64, 1 + 3 / 64], dtype=np.float32)).tolist() == [0, 1, 1 + 2 / 32]


def test_logarithms_are_rounded_as_logarithms() -> None:
    system = SYSTEMS["lns8"]
    values = np.exp2(np.random.default_rng(1).uniform(-7.8, 7.8, 5000)).astype(np.float32)
    assert np.array_equal(rounded(system, values), np.exp2(np.rint(np.log2(values.astype(np.float64)) * 8) / 8))
    least = system.sizes[1]
    assert rounded(system, np.array([least * 0.49, least * 0.51], dtype=np.float32)).tolist() == [0, least]
