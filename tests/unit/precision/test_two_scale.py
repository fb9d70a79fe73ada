"""Two scales: sizes, sums, shares and charges against plain loops and hand computation."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import HardwareError, PlanError, SpecError
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware._pe import element_cost
from inexact.nn import ApproxLayer, ApproxModel, Plan, approximate, workload
from inexact.precision import formats, get
from inexact.precision.two_scale import grid


def network() -> nn.Sequential:
    generator = torch.Generator().manual_seed(7)
    conv = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    conv.weight.data = torch.randn(conv.weight.shape, generator=generator) ** 3
    return nn.Sequential(conv).eval()


def images(coding: str) -> Tensor:
    found = torch.randn(4, 2, 5, 5, generator=torch.Generator().manual_seed(8)) ** 3
    return found if coding == "signed" else found.abs()


def applied(spec: str, coding: str) -> ApproxModel:
    return approximate(network(), Plan(precision=spec, coding=coding), calibrate=images(coding))


def layer_of(net: ApproxModel) -> ApproxLayer:
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    return layer


def code(steps: float, largest: int, gap: int) -> int:
    """The rounding of the definition: at the fine scale where that covers the value, else at the wide one."""
    size = abs(steps)
    fine = min(range(largest + 1), key=lambda k: (abs(size - k), k))
    wide = min(range(largest + 1), key=lambda k: (abs(size - (k << gap)), k)) << gap
    best = fine if size <= largest else min(fine, wide, key=lambda k: (abs(size - k), k))
    return best if steps >= 0 else -best


def test_sizes() -> None:
    assert grid(7, 2).codes == (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 28)
    assert grid(3, 3).codes == (0, 1, 2, 3, 8, 16, 24)
    assert len(grid(31, 1).codes) == 32 + 16


@pytest.mark.parametrize(
    ("coding", "bits", "gap"), [("signed", 4, 2), ("sign_magnitude", 4, 3), ("sign_magnitude", 6, 2), ("signed", 8, 8)]
)
def test_sums_are_those_of_a_plain_loop(coding: str, bits: int, gap: int) -> None:
    x = images(coding)
    net = applied(f"two_scale(bits={bits},gap={gap})", coding)
    layer, found = layer_of(net), net(x)
    b_largest = 2 ** (bits - 1) - 1
    a_largest = b_largest if coding == "signed" else 2**bits - 1
    weight = layer.weight.detach()
    assert float(layer.a_scale) == pytest.approx(float(x.abs().max()) / (a_largest << gap))
    b_scale = layer.b_scale.flatten()
    a = {
        place: code(float(x[place] / layer.a_scale), a_largest, gap) for place in itertools.product(range(4), range(2), range(5), range(5))
    }
    shape = itertools.product(range(3), range(2), range(3), range(3))
    b = {place: code(float(weight[place] / b_scale[place[0]]), b_largest, gap) for place in shape}
    for n, o, r, c in itertools.product(range(4), range(3), range(5), range(5)):
        taps = itertools.product(range(2), range(3), range(3))
        total = sum(a.get((n, k, r + i - 1, c + j - 1), 0) * b[o, k, i, j] for k, i, j in taps)
        assert found[n, o, r, c].item() == (total * (layer.a_scale.double() * b_scale[o].double())).float().item()
    shares = net.mixtures()["0"]
    assert shares["wide_activations"] == pytest.approx(sum(abs(size) > a_largest for size in a.values()) / len(a))
    assert shares["wide_weights"] == pytest.approx(sum(abs(size) > b_largest for size in b.values()) / len(b))
    assert 0 < shares["wide_weights"] < 1


def test_charges_are_those_of_narrow_multipliers_and_shifters() -> None:
    machine = dataclasses.replace(hardware.load("edge-16x16"), dataflows=("weight_stationary",))
    held = Arithmetic(a_bits=6, b_bits=6, coding="sign_magnitude", scheme="two_scales", shift=2, a_stored_bits=6.5, b_stored_bits=7)
    layer = LayerWorkload(name="l", kind="linear", in_channels=16, out_channels=16, out_h=256, in_h=256, arithmetic=held)
    plain = dataclasses.replace(layer, arithmetic=Arithmetic(a_bits=6, b_bits=6, coding="sign_magnitude"))
    found, other = machine.layer(layer), machine.layer(plain)
    unit = element_cost("exact(width=(6,5))", signs=True, regime="network_b_held")
    assert found.energy["multipliers"][0] == pytest.approx(layer.macs * unit.multiplier.energy)
    shifters = layer.macs * 2 * (6 + 6 + 2 * 2) * machine.rates.mux_bit[0]
    assert found.energy["adders"][0] == pytest.approx(other.energy["adders"][0] + shifters)
    assert found.energy["registers"][0] > other.energy["registers"][0]
    assert found.mapping is not None
    assert found.mapping.dram_reads == layer.inputs * 6.5 + layer.weights * 7
    assert other.mapping is not None
    assert found.mapping.cycles == other.mapping.cycles
    areas = [machine.evaluate(Workload(network="n", layers=(each,))).area["adders"][0] for each in (layer, plain)]
    assert areas[0] > areas[1]


def test_an_index_costs_no_more_than_flags() -> None:
    few, many = (get("two_scale").charged(dict.fromkeys(("wide_activations", "wide_weights"), share), "signed") for share in (0.05, 0.5))  # type: ignore[attr-defined]
    assert (few.a_stored_bits, few.b_stored_bits) == (6.4, 6.4)
    assert (many.a_stored_bits, many.b_stored_bits) == (7.0, 7.0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("two_scale(bits=9)", r"bits must be 2\.\.8, not 9"),
        ("two_scale(gap=0)", r"gap must be 1\.\.8, not 0"),
        ("two_scale(index_bits=40)", r"index_bits must be 0\.\.32, not 40"),
        ("two_scale(granularity=per_row)", "granularity must be one of per_tensor, per_channel, not 'per_row'"),
        ("two_scale(weight_calibration=best)", "calibration must be one of minmax, percentile, mse, not 'best'"),
    ],
)
def test_parameters_out_of_range(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        get(spec)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PlanError, match="two_scale has no unsigned codes: use coding 'signed' or 'sign_magnitude'"):
        Plan(precision="two_scale")
    with pytest.raises(PlanError, match=r"two_scale in layer 0 must have activations that are not negative under sign_magnitude coding"):
        approximate(network(), Plan(precision="two_scale", coding="sign_magnitude"), calibrate=images("signed"))
    planned = workload(applied("two_scale", "signed"))
    for name in ("stripes-like", "loom-like", "bit-fusion-like", "drq-like"):
        with pytest.raises(HardwareError, match=r"layer '0' has products that are shifted by the scale .* with pe.style = parallel"):
            hardware.load(name).evaluate(planned)
    assert hardware.load("eyeriss-like").evaluate(planned).energy_pj.total.value > 0


def test_state_and_plan_round_trip(tmp_path: Path) -> None:
    net = applied("two_scale(bits=4,gap=3)", "signed")
    net.plan.save(tmp_path / "plan.toml")
    again = approximate(network(), Plan.load(tmp_path / "plan.toml"))
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(images("signed")), net(images("signed")))
    assert again.mixtures() == net.mixtures()
    layer = layer_of(net)
    for quantiser, values in ((layer.a_quantiser(), images("signed")), (layer.b_quantiser(), layer.weight.detach())):
        codes = quantiser.quantise(values)
        assert torch.equal(quantiser.quantise(quantiser.dequantise(codes)), codes)
    for spec in ("two_scale", "two_scale(bits=4,gap=3,granularity=per_tensor)"):
        assert formats.get(get(spec).spec) == get(spec)
