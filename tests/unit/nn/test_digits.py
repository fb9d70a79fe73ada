"""Inputs as digits: the same sums of finer pieces."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from inexact import units
from inexact.core.errors import PlanError, SpecError
from inexact.nn import ApproxLayer, Plan, approximate, with_digits

PIXELS = (
    torch.randint(0, 64, (4, 2, 9, 8), generator=torch.Generator().manual_seed(3)) - 18
) / 21  # the codes of 6 bits between -18/21 and 45/21


def model(bias: bool = True) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(2, 3, (3, 2), stride=2, padding=(2, 1), dilation=2, bias=bias), nn.BatchNorm2d(3)).eval()


@pytest.mark.parametrize(("bits", "count"), [(3, 2), (2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_digits_that_hold_the_input_change_nothing(bits: int, count: int, bias: bool) -> None:
    source = model(bias)
    found = with_digits(source, "0", -18 / 21, 45 / 21, bits=bits, count=count)
    torch.testing.assert_close(found(PIXELS), source(PIXELS), rtol=1e-4, atol=1e-5)
    digits = found.get_submodule("0.0")(PIXELS)
    assert digits.shape == (4, 2 * count, 9 + 4, 8 + 2)
    assert sorted(digits.unique().tolist()) == list(range(2**bits))
    first, second = digits[:, :2], digits[:, 2:4]
    if count == 2:
        torch.testing.assert_close((8 * first + second - 18)[:, :, 2:-2, 1:-1] / 21, PIXELS)
    assert "0.1" not in dict(source.named_modules())


def test_values_outside_are_clipped() -> None:
    found = with_digits(model(), "0", -1.0, 1.0)
    assert torch.equal(found(torch.full((1, 2, 9, 8), 7.0)), found(torch.full((1, 2, 9, 8), 1.0)))


def test_a_unit_that_is_exact_on_digits_sees_the_whole_input() -> None:
    """drum(k=3) is exact below 8: on digits of 3 bits its sums are those of its own weights with the input itself."""
    source = with_digits(model(), "0", -18 / 21, 45 / 21)
    digits = source.get_submodule("0.0")(PIXELS)
    net = approximate(source, Plan(multiplier="drum(k=3)", coding="sign_magnitude"), calibrate=PIXELS)
    layer = net.layers()["0.1"]
    assert isinstance(layer, ApproxLayer)
    layer.a_scale.fill_(1.0)
    layer.a_zero.fill_(0.0)
    codes = layer.b_codes().detach()
    rounded = torch.tensor(units.multipliers.get("drum(k=3)").table()[1]).float()[codes.abs().long()] * codes.sign()
    expected = nn.functional.conv2d(digits, rounded, None, stride=2, dilation=2)
    assert torch.equal(layer.approximate_sums(layer.a_codes(digits), codes).float(), expected)


@pytest.mark.parametrize(
    ("name", "given", "error", "message"),
    [
        ("O", {}, PlanError, "the network has no layer 'O'"),
        ("1", {}, PlanError, "digits are for a Conv2d without groups that pads with zeros by numbers, which 1 is not: BatchNorm2d"),
        ("0", {"low": 0.5}, SpecError, "low must be below high, and 0 between them where 0 pads, not 0.5 and 1"),
        ("0", {"bits": 9}, SpecError, "bits must be 1..8, not 9"),
        ("0", {"bits": 8, "count": 3}, SpecError, "count must be 2..2, not 3"),
    ],
)
def test_what_has_no_digits_is_refused(name: str, given: dict[str, Any], error: type[Exception], message: str) -> None:
    settings = {"low": -1.0, "high": 1.0} | given
    with pytest.raises(error, match=re.escape(message)):
        with_digits(model(), name, **settings)
