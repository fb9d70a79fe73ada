"""Outlier-aware integers: steps, codes, sums, shares and charges against plain loops and hand computation."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import DataError, FormatError, HardwareError, PlanError, SpecError
from inexact.core.workload import Arithmetic, LayerWorkload, Products, Workload
from inexact.hardware._pe import element_cost
from inexact.nn import ApproxLayer, ApproxModel, Plan, Product, Rule, approximate, measured_workload, planned_workload, workload
from inexact.precision import formats, get


def small_network() -> nn.Sequential:
    generator = torch.Generator().manual_seed(3)
    conv, fc = nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.Linear(45, 4)
    for module in (conv, fc):
        for parameter in module.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) ** 3  # long tails
    return nn.Sequential(conv, nn.ReLU(), nn.Flatten(), fc).eval()


def images(coding: str = "sign_magnitude", count: int = 6) -> Tensor:
    found = torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(4)) ** 3
    return found if coding == "signed" else found.abs()


def applied(spec: str, coding: str = "sign_magnitude") -> ApproxModel:
    return approximate(small_network(), Plan(precision=spec, coding=coding), calibrate=images(coding))


def layer_of(net: ApproxModel) -> ApproxLayer:
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    return layer


def largest_but(values: list[float], ratio: float) -> float:
    return sorted(values)[len(values) - int(ratio * len(values)) - 1]


@pytest.mark.parametrize("coding", ["signed", "sign_magnitude"])
def test_the_step_is_that_of_the_bulk(coding: str) -> None:
    net = applied("outlier(ratio=0.1,a_outlier_bits=16)", coding)
    conv, weights = layer_of(net), small_network()[0].get_parameter("weight").detach().flatten().abs().tolist()
    step = max(largest_but(weights, 0.1) / 7, max(weights) / 127)
    assert float(conv.b_scale) == pytest.approx(step)
    seen = images(coding).flatten().abs().tolist()
    bulk, top = (7, 32767) if coding == "signed" else (15, 65535)
    expected = max(largest_but(seen, 0.1) / bulk, max(seen) / top)
    assert float(conv.a_scale) == pytest.approx(expected)


@pytest.mark.parametrize("coding", ["signed", "sign_magnitude"])
def test_sums_are_those_of_a_plain_loop(coding: str) -> None:
    x = images(coding, 2)
    net = applied("outlier(ratio=0.05,granularity=per_channel)", coding)
    conv = layer_of(net)
    low, high = (-127, 127) if coding == "signed" else (0, 255)
    zero = int(conv.a_zero)
    weight, bias = conv.weight.detach(), conv.bias
    assert bias is not None

    def loop(n: int, o: int, r: int, c: int) -> int:
        total = 0
        for k, i, j in itertools.product(range(3), range(3), range(3)):
            row, column = 2 * r + i - 1, 2 * c + j - 1
            inside = 0 <= row < 6 and 0 <= column < 6
            a = min(max(round(float(x[n, k, row, column] / conv.a_scale)) + zero, low), high) if inside else zero
            total += (a - zero) * min(max(round(float(weight[o, k, i, j] / conv.b_scale.flatten()[o])), -127), 127)
        return total

    found = conv(x)
    for place in itertools.product(range(2), range(5), range(3), range(3)):
        factor = conv.a_scale.double() * conv.b_scale.double().flatten()[place[1]]
        assert found[place].item() == ((loop(*place) * factor).float() + bias[place[1]]).item()


@pytest.mark.parametrize("coding", ["signed", "sign_magnitude"])
def test_shares_are_counted_product_by_product(coding: str) -> None:
    net = applied("outlier(ratio=0.1,granularity=per_channel)", coding)
    layer = layer_of(net)
    bulk = 7 if coding == "signed" else 15
    a = layer.a_quantiser().quantise(layer.padded(images(coding)))
    b = layer.b_quantiser().quantise(layer.weight.detach())
    wide_a = wide_b = every = 0
    for n, o, r, c, k, i, j in itertools.product(range(6), range(5), range(3), range(3), range(3), range(3), range(3)):
        far = abs(float(a[n, k, 2 * r + i, 2 * c + j])) > bulk
        wide_a += far
        wide_b += not far and abs(float(b[o, k, i, j])) > 7
        every += 1
    shares = net.mixtures()["0"]
    assert shares["wide_activation_products"] == pytest.approx(wide_a / every)
    assert shares["wide_weight_products"] == pytest.approx(wide_b / every)
    assert 0 < shares["wide_activation_products"] < 0.3
    inner = a[:, :, 1:-1, 1:-1]
    assert shares["activations"] == pytest.approx(float((inner.abs() > bulk).float().mean()))
    assert shares["weights"] == pytest.approx(float((b.abs() > 7).float().mean()))
    crowded = sum(int((b[:, k, i, j].abs() > 7).sum() > 1) for k, i, j in itertools.product(range(3), range(3), range(3)))
    assert shares["crowded_groups"] == pytest.approx(crowded / 27)  # five channels are one group of 16


def test_charges_follow_the_shares() -> None:
    machine = dataclasses.replace(hardware.load("olaccel-like"), dataflows=("weight_stationary",))
    parts = (
        Products(share=0.86, a_bits=4, b_bits=4),
        Products(share=0.06, a_bits=4, b_bits=8),
        Products(share=0.08, a_bits=16, b_bits=8, beside=True),
    )
    held = Arithmetic(
        a_bits=4, b_bits=4, coding="sign_magnitude", scheme="outliers", parts=parts, waits=0.25, a_stored_bits=5, b_stored_bits=4.5
    )
    layer = LayerWorkload(name="l", kind="linear", in_channels=256, out_channels=64, out_h=1024, in_h=1024, arithmetic=held)
    narrow = element_cost("exact(width=4)", signs=True, regime="network_b_held")
    wide = element_cost("exact(width=(16,7))", signs=True)
    found = machine.layer(layer)
    assert found.mapping is not None
    expected = layer.macs * (narrow.multiplier.energy * (0.86 + 0.06 * 2) + wide.multiplier.energy * 0.08)
    assert found.energy["multipliers"][0] == pytest.approx(expected)
    # 1.25 cycles a product on the array, but 32 units for 8 % of the products of 1024 elements take longer
    assert found.cycles == math.ceil(layer.macs * 0.08 / 32)
    assert found.mapping.cycles == pytest.approx(1024 * 1.25 * 16 + 16 * 4 * (2 * 16 + 64 - 2))  # in four strips
    assert found.mapping.dram_reads == pytest.approx(layer.inputs * 5 + layer.weights * 4.5)
    area = machine.evaluate(Workload(network="n", layers=(layer,))).area
    array = 16 * 64 + 16 * 64 // 16
    assert area["multipliers"][0] == pytest.approx(array * narrow.multiplier.area + 32 * wide.multiplier.area)


def test_digits_of_wide_operands_take_passes() -> None:
    machine = hardware.load("olaccel-like")

    def layer(a_bits: int, b_bits: int, coding: str = "unsigned") -> LayerWorkload:
        held = Arithmetic(a_bits=a_bits, b_bits=b_bits, coding=coding)
        return LayerWorkload(name="l", kind="linear", in_channels=16, out_channels=64, arithmetic=held)

    assert machine.pace(layer(a_bits=8, b_bits=8)) == (4, 1)
    assert machine.pace(layer(a_bits=4, b_bits=5, coding="sign_magnitude")) == (1, 1)
    assert machine.pace(layer(a_bits=6, b_bits=4)) == (2, 1)
    with pytest.raises(
        HardwareError, match="digits of 4 bits, which the two's complement of layer 'l' does not have: use coding 'unsigned'"
    ):
        machine.layer(layer(a_bits=8, b_bits=8, coding="signed"))
    assert machine.layer(layer(a_bits=4, b_bits=4, coding="signed")).cycles > 0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("outlier(bits=1)", r"bits must be 2\.\.8, not 1"),
        ("outlier(b_outlier_bits=9)", r"b_outlier_bits must be bits\.\.8 \(4\.\.8\), not 9"),
        ("outlier(a_outlier_bits=12)", "a_outlier_bits must be 8 or 16, not 12"),
        ("outlier(ratio=0.5)", r"ratio must be a share above 0 and below 0\.5, not 0\.5"),
        ("outlier(granularity=per_filter)", "granularity must be one of per_tensor, per_channel, not 'per_filter'"),
        ("outlier(index_bits=-1)", r"index_bits must be 0\.\.32, not -1"),
    ],
)
def test_parameters_out_of_range(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        get(spec)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"coding": "unsigned"}, "outlier has no unsigned codes: use coding 'signed' or 'sign_magnitude'"),
        (
            {"coding": "sign_magnitude", "multiplier": "trunc(cut=4)"},
            "operands of several widths or scales, which trunc.*: leave multiplier",
        ),
        ({"coding": "signed", "accumulator": "accumulator(adder=loa(low=8),width=24)"}, "leave multiplier and accumulator exact"),
        ({"coding": "signed", "reduction": "zero_skipping"}, "outlier and zero_skipping do not go together in one layer"),
    ],
)
def test_rules_that_do_not_fit_are_refused(rule: dict[str, str], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Rule(precision="outlier", **rule)


def test_products_of_activations_are_refused() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.product = Product()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.product(x, x.transpose(1, 2))
            return out

    with pytest.raises(FormatError, match="outlier is for layers with weights, and this product has none"):
        approximate(Attention(), Plan(precision="outlier", coding="signed"), calibrate=torch.randn(2, 3, 4))


def test_what_cannot_be_charged_is_refused() -> None:
    net = applied("outlier")
    planned = workload(net)
    for name in ("edge-16x16", "stripes-like", "bit-fusion-like", "eyeriss-like"):
        with pytest.raises(
            HardwareError, match=r"layer '0' has wider operands that are few, for which .* take an accelerator with pe.style"
        ):
            hardware.load(name).evaluate(planned)
    with pytest.raises(DataError, match="operands of layer 0 in outlier have several widths or scales"):
        measured_workload(net, images())
    with pytest.raises(PlanError, match="what outlier takes in layer 0 must be counted on data"):
        planned_workload(workload(small_network(), (3, 6, 6)), Plan(precision="outlier", coding="signed"))
    blank = approximate(small_network(), Plan(precision="outlier", coding="signed"))
    with pytest.raises(FormatError, match="what outlier takes in layer 0 must be counted"):
        blank.mixtures()
    with pytest.raises(
        PlanError, match=r"outlier in layer 0 must have activations that are not negative under sign_magnitude coding, .*signed"
    ):
        approximate(small_network(), Plan(precision="outlier", coding="sign_magnitude"), calibrate=images("signed"))


def test_state_and_plan_round_trip(tmp_path: Path) -> None:
    net = applied("outlier(ratio=0.1,bits=5)")
    net.plan.save(tmp_path / "plan.toml")
    again = approximate(small_network(), Plan.load(tmp_path / "plan.toml"))
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(images()), net(images()))
    assert again.mixtures() == net.mixtures()
    assert workload(again, (3, 6, 6)) == workload(net)
    for spec in ("outlier", "outlier(bits=5,ratio=0.1)", "outlier(a_outlier_bits=16)"):
        assert formats.get(get(spec).spec) == get(spec)


def test_the_largest_outlier_fits_its_bits() -> None:
    x = images()
    x[0, 0, 0, 0] = 1000.0  # the step of 8-bit outliers has to grow for it
    for bits, top in ((8, 255), (16, 600)):
        net = approximate(small_network(), Plan(precision=f"outlier(a_outlier_bits={bits})", coding="sign_magnitude"), calibrate=x)
        codes = layer_of(net).a_quantiser().quantise(x)
        assert float(codes.max()) == top if bits == 8 else float(codes.max()) > top
        assert float(layer_of(net).a_quantiser().dequantise(codes.max())) == pytest.approx(1000.0, rel=0.01)
        assert bool(torch.isfinite(net(x)).all())
