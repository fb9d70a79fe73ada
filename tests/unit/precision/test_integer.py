"""Integer formats: code ranges, zero, round trips, calibration."""

from __future__ import annotations

import pytest
import torch

from inexact import precision
from inexact.core.errors import FormatError, SpecError
from inexact.precision import Int, Observer


def observed(values: torch.Tensor) -> Observer:
    observer = Observer()
    observer.update(values)
    return observer


@pytest.mark.parametrize("bits", range(2, 17))
@pytest.mark.parametrize("coding", ["unsigned", "signed", "sign_magnitude"])
def test_codes_fill_their_range_and_zero_is_exact(bits: int, coding: str) -> None:
    values = torch.linspace(-1.3, 3.1, 4001)
    quantiser = Int(a_bits=bits).activations(observed(values), coding)
    codes = quantiser.quantise(values)
    signed = coding == "signed"
    limit = (-(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    assert (quantiser.low, quantiser.high) == limit
    assert float(codes.max()) == limit[1]
    assert torch.equal(codes, codes.round())
    assert float(quantiser.dequantise(quantiser.quantise(torch.zeros(1)))) == 0.0
    if not signed:
        assert float(codes.min()) == 0.0


@pytest.mark.parametrize("coding", ["unsigned", "signed", "sign_magnitude"])
def test_round_trip_error_is_half_a_step_inside_the_range(coding: str) -> None:
    values = torch.linspace(-2, 5, 999)
    quantiser = Int().activations(observed(values), coding)
    inside = quantiser.dequantise(quantiser.quantise(values)) - values
    # the zero point is rounded, so the ends of an affine range may be cut by up to half a step more
    assert float(inside.abs().max()) <= float(quantiser.scale) * 1.001


def test_per_channel_weights_have_one_scale_a_row() -> None:
    weight = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 2, 4, 8, 16]).reshape(5, 1, 1, 1)
    quantiser = Int(granularity="per_channel").weights(weight, "signed")
    assert quantiser.scale.shape == (5, 1, 1, 1)
    assert torch.allclose(quantiser.scale.reshape(-1) * 127, weight.abs().reshape(5, -1).amax(1))
    errors = (quantiser.dequantise(quantiser.quantise(weight)) - weight).abs()
    assert bool((errors <= quantiser.scale * 0.5001).all())


def test_mse_calibration_beats_minmax_on_outliers() -> None:
    values = torch.cat([torch.randn(5000, generator=torch.Generator().manual_seed(0)), torch.tensor([60.0])])
    errors = {}
    for method in ("minmax", "mse", "percentile"):
        quantiser = Int(a_bits=4, calibration=method, percentile=99.9).activations(observed(values), "unsigned")
        errors[method] = float((quantiser.dequantise(quantiser.quantise(values[:-1])) - values[:-1]).square().mean())
    assert errors["mse"] < errors["minmax"] / 2
    assert errors["percentile"] < errors["minmax"] / 2


def test_constant_zero_still_has_a_scale() -> None:
    quantiser = Int().activations(observed(torch.zeros(10)), "unsigned")
    assert float(quantiser.dequantise(quantiser.quantise(torch.zeros(3))).abs().max()) == 0.0


def test_short_names() -> None:
    assert precision.get("int8") == Int()
    assert precision.get("w4a8") == Int(a_bits=8, b_bits=4)
    for form in (Int(b_bits=5), Int(a_bits=16, b_bits=16), Int(b_bits=4, granularity="per_tensor"), Int(percentile=99.0)):
        assert precision.get(form.spec) == form
    assert Int(b_bits=5).spec == "w5a8"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("int1", "a_bits must be 2..16, not 1"),
        ("int17", "a_bits must be 2..16, not 17"),
        ("int(granularity=per_chanel)", "granularity must be one of per_tensor, per_channel, not 'per_chanel'; did you mean 'per_channel'"),
        ("int(calibration=max)", "calibration must be one of minmax, percentile, mse, not 'max'"),
        ("int(percentile=40)", "percentile must be above 50 and at most 100, not 40"),
        ("", "a format must be named"),
    ],
)
def test_bad_formats_say_what_must_hold(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message.replace("(", r"\(").replace(")", r"\)")):
        precision.get(spec)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_observing_nan_or_infinity_is_refused(bad: float) -> None:
    with pytest.raises(FormatError, match="values must be finite to find their range"):
        observed(torch.tensor([0.0, bad]))


def test_observing_nothing_is_refused() -> None:
    with pytest.raises(FormatError, match="calibration must see at least one value"):
        Int().activations(Observer(), "unsigned")


def test_percentile_of_more_values_than_a_quantile_takes() -> None:
    weight = torch.linspace(-1, 1, 2**24 + 4096).reshape(2, -1)
    quantiser = Int(granularity="per_tensor", weight_calibration="percentile", percentile=99.0).weights(weight, "signed")
    assert float(quantiser.scale) * 127 == pytest.approx(0.98, abs=1e-3)
