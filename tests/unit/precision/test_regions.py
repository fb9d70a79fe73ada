"""Precision by region: masks, sums, shares and charges against plain loops and hand computation."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import HardwareError, PlanError, SpecError
from inexact.core.workload import Arithmetic, LayerWorkload, Products
from inexact.hardware._pe import element_cost
from inexact.nn import ApproxLayer, ApproxModel, Plan, approximate, workload
from inexact.precision import formats, get


def network() -> nn.Sequential:
    generator = torch.Generator().manual_seed(7)
    conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)
    for parameter in conv.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return nn.Sequential(conv).eval()


def images(coding: str) -> Tensor:
    generator = torch.Generator().manual_seed(8)
    found = torch.randn(4, 2, 7, 6, generator=generator) * torch.rand(4, 1, 7, 6, generator=generator) ** 2
    return found if coding == "signed" else found.abs()


def applied(spec: str, coding: str) -> ApproxModel:
    return approximate(network(), Plan(precision=spec, coding=coding), calibrate=images(coding))


def layer_of(net: ApproxModel) -> ApproxLayer:
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    return layer


def region_mean(x: Tensor, n: int, row: int, column: int, side: int) -> float:
    """Of the region that a pixel lies in."""
    top, left = row // side * side, column // side * side
    inside = [x[n, k, r, c] for k in range(2) for r in range(top, min(top + side, 7)) for c in range(left, min(left + side, 6))]
    return sum(abs(float(value)) for value in inside) / len(inside)


def upper(code: int, top: int, unit: int) -> int:
    return min((abs(code) + unit // 2) // unit, top) * unit * (1 if code >= 0 else -1)


@pytest.mark.parametrize(
    ("coding", "side", "bits"), [("sign_magnitude", 2, 4), ("signed", 4, 4), ("signed", 3, 6), ("sign_magnitude", 1, 2)]
)
def test_sums_are_those_of_a_plain_loop(coding: str, side: int, bits: int) -> None:
    x = images(coding)
    net = applied(f"regions(side={side},share=0.4,bits={bits})", coding)
    layer = layer_of(net)
    assert layer.mixture is not None
    threshold, unit = float(layer.mixture.threshold), 1 << (8 - bits)
    a = layer.a_quantiser().quantise(x)
    b = layer.b_quantiser().quantise(layer.weight.detach())
    b_top = 2 ** (bits - 1) - 1
    a_top = b_top if coding == "signed" else 2**bits - 1
    wide = every = 0
    found = net(x)
    for n, o, r, c in itertools.product(range(4), range(3), range(4), range(3)):
        total = 0
        for k, i, j in itertools.product(range(2), range(3), range(3)):
            row, column = 2 * r + i - 1, 2 * c + j - 1
            every += 1
            if not (0 <= row < 7 and 0 <= column < 6):
                continue
            left, right = int(a[n, k, row, column]), int(b[o, k, i, j])
            if region_mean(x, n, row, column, side) > threshold + 1e-7:
                total += left * right
                wide += 1
            else:
                total += upper(left, a_top, unit) * upper(right, b_top, unit)
        factor = layer.a_scale.double() * layer.b_scale.double().flatten()[o]
        assert layer.bias is not None
        assert found[n, o, r, c].item() == ((total * factor).float() + layer.bias[o]).item()
    shares = net.mixtures()["0"]
    assert shares["wide_products"] == pytest.approx(wide / every)
    assert 0 < shares["wide_products"] < 1


@pytest.mark.parametrize(("share", "side"), [(0.25, 2), (0.5, 4), (1.0, 3)])
def test_the_threshold_leaves_the_share_asked_for(share: float, side: int) -> None:
    x = images("signed")
    net = applied(f"regions(side={side},share={share})", "signed")
    layer = layer_of(net)
    assert layer.mixture is not None
    corners = itertools.product(range(4), range(0, 7, side), range(0, 6, side))
    means = [region_mean(x, n, row, column, side) for n, row, column in corners]
    sensitive = sum(mean > float(layer.mixture.threshold) + 1e-7 for mean in means)
    assert sensitive == int(share * len(means))
    if share == 1:
        plain = approximate(network(), Plan(precision="int8", coding="signed"), calibrate=x)
        assert torch.equal(net(x), plain(x))
        assert net.mixtures()["0"]["sensitive_pixels"] == 1


def test_charges_follow_the_share() -> None:
    machine = dataclasses.replace(hardware.load("drq-like"), dataflows=("weight_stationary",))
    parts = (Products(share=0.3, a_bits=8, b_bits=8), Products(share=0.7, a_bits=4, b_bits=4))
    held = Arithmetic(coding="sign_magnitude", scheme="regions", parts=parts)
    layer = LayerWorkload(name="l", kind="linear", in_channels=64, out_channels=64, out_h=256, in_h=256, arithmetic=held)
    narrow = element_cost("exact(width=4)", signs=True, regime="network_b_held")
    found = machine.layer(layer)
    assert found.energy["multipliers"][0] == pytest.approx(layer.macs * narrow.multiplier.energy * (0.3 * 4 + 0.7))
    assert found.energy["adders"][0] == pytest.approx(layer.macs * narrow.adder.energy * (0.3 * 4 + 0.7))
    assert found.mapping is not None
    assert found.mapping.cycles == pytest.approx(256 * (0.3 * 4 + 0.7) * 4 + 4 * (2 * 16 + 64 - 2), rel=1e-3)
    assert found.mapping.dram_reads == layer.inputs * 8 + layer.weights * 8


def test_the_mean_filter_is_charged() -> None:
    found = workload(applied("regions", "signed"))
    layer = found.multiplying[0]
    assert layer.checks * layer.macs == pytest.approx(layer.inputs)
    cost = hardware.load("drq-like").evaluate(workload(applied("regions", "sign_magnitude")))
    assert cost.components["reduction_control"][0] > 0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("regions(side=0)", r"side must be 1\.\.64, not 0"),
        ("regions(bits=8)", r"bits must be 2\.\.7, not 8"),
        ("regions(share=0)", "share must be a share of the regions, above 0 and at most 1, not 0"),
        ("regions(calibration=best)", "calibration must be one of minmax, percentile, mse, not 'best'"),
    ],
)
def test_parameters_out_of_range(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        get(spec)


def test_what_does_not_fit_is_refused() -> None:
    x = images("signed")
    with pytest.raises(PlanError, match="regions has no unsigned codes: use coding 'signed' or 'sign_magnitude'"):
        Plan(precision="regions")
    with pytest.raises(PlanError, match=r"regions in layer 0 must have activations that are not negative .*use coding 'signed'"):
        approximate(network(), Plan(precision="regions", coding="sign_magnitude"), calibrate=x)
    for module, inputs in ((nn.Linear(6, 2), x), (nn.ConvTranspose2d(2, 2, 2), x), (nn.Conv1d(2, 2, 2), x[:, :, 0])):
        with pytest.raises(PlanError, match="regions tells regions of an image apart, and layer 0 is no Conv2d: give it another precision"):
            approximate(nn.Sequential(module), Plan(precision="regions", coding="signed"), calibrate=inputs)
    with pytest.raises(HardwareError, match=r"layer '0' has operands whose width depends on the region .* take .* with pe.style = passes"):
        hardware.load("bit-fusion-like").evaluate(workload(applied("regions", "signed")))
    with pytest.raises(HardwareError, match="digits of 4 bits, which the two's complement of layer '0' does not have"):
        hardware.load("drq-like").evaluate(workload(applied("regions", "signed")))


def test_state_and_plan_round_trip(tmp_path: Path) -> None:
    net = applied("regions(side=2)", "signed")
    net.plan.save(tmp_path / "plan.toml")
    again = approximate(network(), Plan.load(tmp_path / "plan.toml"))
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(images("signed")), net(images("signed")))
    assert again.mixtures() == net.mixtures()
    for spec in ("regions", "regions(side=2,share=0.1)"):
        assert formats.get(get(spec).spec) == get(spec)
