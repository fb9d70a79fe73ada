"""Layers that sum through an accumulator: raw products of codes go through it, corrections by zero points stay exact."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import inexact as ix
from inexact import zoo
from inexact.cli import run
from inexact.core.errors import InexactError, PlanError
from inexact.nn import Plan, Rule, approximate, evaluate, workload
from inexact.nn.layers import ApproxConv2d
from inexact.units import Accumulator

SPEC = "accumulator(adder=loa(low=6),width=20,overflow=saturate,order=systolic(rows=4))"


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("multiplier", "coding"),
    [
        ("exact", "unsigned"),
        ("exact", "signed"),
        ("drum(k=3)", "unsigned"),
        ("drum(k=3,width=(8,7))", "sign_magnitude"),
        ("trunc(cut=4,signed=true)", "signed"),
    ],
)
def test_a_layer_is_the_definition_plus_exact_corrections(multiplier: str, coding: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=1, groups=2))
    x = images(3, 4, 7, 6)
    rule = Rule(multiplier=multiplier, coding=coding, accumulator=SPEC)
    layer = next(iter(approximate(model, Plan({"0": rule}), calibrate=x).layers().values()))
    assert isinstance(layer, ApproxConv2d)
    a, b = layer.a_quantiser().quantise(layer.padded(x)), layer.b_quantiser().quantise(layer.weight)
    patterns = layer.arithmetic.a_patterns(a).numpy(), layer.arithmetic.b_patterns(b.detach()).numpy()
    columns = torch.nn.functional.unfold(torch.from_numpy(patterns[0]).float(), (3, 2), stride=(2, 1)).to(torch.int64)
    windows = columns.reshape(3, 2, 12, -1).permute(0, 1, 3, 2).numpy()  # [N, groups, pixels, window]
    weights = patterns[1].reshape(2, 3, 12)
    table = layer.table.numpy()
    products = table[windows[:, :, None, :, :], weights[None, :, :, None, :]]  # [N, groups, O/groups, pixels, window]
    raw = Accumulator.get(SPEC).total(products)
    za = int(layer.a_zero)
    zb = layer.b_zero.double().reshape(-1).expand(6).reshape(1, 2, 3, 1).numpy() * (coding == "unsigned")
    codes = torch.nn.functional.unfold(a.float(), (3, 2), stride=(2, 1)).reshape(3, 2, 1, 12, -1).sum(3).double().numpy()
    b_sums = b.detach().double().reshape(2, 3, 12).sum(2).numpy()[None, :, :, None]
    total = raw - zb * codes - za * b_sums + 12 * za * zb
    scale = float(layer.a_scale) * layer.b_scale.double().reshape(-1)
    assert layer.bias is not None
    wanted = torch.from_numpy(total).reshape(3, 6, 4, 7) * scale.reshape(1, -1, 1, 1)
    found = layer(x)
    torch.testing.assert_close(found, wanted.float() + layer.bias.reshape(1, -1, 1, 1), rtol=1e-6, atol=1e-6)
    exact_sums = approximate(model, Plan({"0": rule.but(accumulator="exact")}), calibrate=x)(x)
    assert not torch.equal(found, exact_sums)


def test_a_wide_exact_accumulator_changes_nothing() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 6 * 6, 3))
    x = images(4, 2, 6, 6)
    plain = approximate(model, Plan(multiplier="mitchell"), calibrate=x)(x)
    for accumulator in ("accumulator(width=26)", "accumulator(width=26,overflow=saturate,order=tree(radix=8))"):
        assert torch.equal(approximate(model, Plan(multiplier="mitchell", accumulator=accumulator), calibrate=x)(x), plain)


def test_products_and_other_layers_take_an_accumulator() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.Linear(8, 5))
    x = images(2, 3, 8)
    plain = approximate(model, Plan(multiplier="exact"), calibrate=x)(x)
    wide = approximate(model, Plan(accumulator="accumulator(width=24,overflow=saturate)"), calibrate=x)(x)
    assert torch.equal(wide, plain)
    assert not torch.equal(approximate(model, Plan(accumulator=SPEC), calibrate=x)(x), plain)


def test_products_of_activations_take_an_accumulator() -> None:
    from inexact.nn import Product

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = Product()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.scores(x, x.transpose(-1, -2))
            return found

    x = images(2, 3, 5, 7)
    plain = approximate(Scores(), Plan(multiplier="exact"), calibrate=x)(x)
    wide = Plan(multiplier="exact", accumulator="accumulator(width=24,overflow=saturate)")
    assert torch.equal(approximate(Scores(), wide, calibrate=x)(x), plain)
    assert not torch.equal(approximate(Scores(), Plan(multiplier="exact", accumulator=SPEC), calibrate=x)(x), plain)


def test_gradients_pass_straight_through() -> None:
    torch.manual_seed(0)
    x = images(2, 3, 6, 6)
    layer = approximate(nn.Sequential(nn.Conv2d(3, 4, 3)), Plan(accumulator=SPEC), calibrate=x)
    layer(x).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in layer.parameters())


def test_a_plan_keeps_its_accumulator(tmp_path: Path) -> None:
    plan = Plan({"conv1": Rule(accumulator=SPEC)}, multiplier="trunc(cut=2)", accumulator=Accumulator(adder="gear(r=4,p=4)", width=22))
    assert Plan.from_toml(plan.to_toml()) == plan
    assert plan.rules["conv1"] == Rule(accumulator=Accumulator.get(SPEC))
    assert 'accumulator = "accumulator(adder=gear(r=4,p=4,width=22),width=22)"' in plan.to_toml()
    assert "accumulator" not in Plan(multiplier="exact").to_toml()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"accumulator": "accumulator(width=16)"}, r"every product of exact \(0\.\.65025\), but 16 bits hold .*: give it at least 17 bits"),
        ({"accumulator": SPEC, "padding": "skipped"}, r"padding must be 'multiplied' with an accumulator"),
        ({"accumulator": "loa(low=4)"}, r"an accumulator must be written 'accumulator\("),
        ({"accumulator": "accumulator(order=systolic)"}, r"order systolic must be written 'systolic\(rows=16\)'"),
        ({"accumulator": 24}, r"an accumulator must be a spec"),
    ],
)  # fmt: skip
def test_bad_rules_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(InexactError, match=message):
        Rule(**given)


def test_a_transposed_convolution_has_no_accumulator() -> None:
    x = images(1, 2, 4, 4)
    with pytest.raises(PlanError, match="layer 0 must have accumulator = 'exact'"):
        approximate(nn.Sequential(nn.ConvTranspose2d(2, 2, 2)), Plan(accumulator=SPEC), calibrate=x)


def test_hardware_sees_the_width() -> None:
    x = images(2, 3, 6, 6)
    net = approximate(nn.Sequential(nn.Conv2d(3, 4, 3)), Plan(accumulator=SPEC), calibrate=x)
    assert workload(net).layers[0].arithmetic.accumulator_bits == 20


def test_the_command_line_takes_a_plan_with_an_accumulator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.toml"
    Plan(coding="signed", accumulator="accumulator(adder=loa(low=4),width=24)").save(path)
    arguments = ["net", "evaluate", "--network", "lenet5", "--data", "fashion-mnist", "--plan", str(path), "--limit", "200", "--json"]
    assert run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 200
    path.write_text('[plan]\nversion = 1\n[plan.rules.default]\naccumulator = "accumulator(adder=laa(low=4))"\n', encoding="utf-8")
    assert run(arguments) == 1
    assert "no adder is called 'laa'; did you mean 'loa'" in capsys.readouterr().err


@pytest.mark.slow
def test_lenet_keeps_its_accuracy_with_short_lower_parts_and_loses_it_with_long_ones() -> None:
    network, data = zoo.network("lenet5", data="fashion-mnist"), zoo.data("fashion-mnist", "test")
    float32 = evaluate(network, data)
    drops = {}
    for low in (4, 12):
        plan = Plan(coding="signed", accumulator=f"accumulator(adder=loa(low={low}),width=24)")
        net = approximate(network, plan, calibrate=zoo.data("fashion-mnist", "validation"))
        found = evaluate(net, data, reference=float32)
        assert found.drop_ci is not None
        drops[low] = found.drop_ci
    assert drops[4][0] < 1.0  # percentage points; interval measured: see docs/engines.md
    assert drops[12][0] > drops[4][1]  # the intervals do not even touch


def test_rules_say_what_sums() -> None:
    net = approximate(nn.Sequential(nn.Linear(4, 2)), Plan(accumulator=SPEC), calibrate=images(3, 4))
    assert "adder=loa(low=6,width=20)" in repr(net)
    assert ix.Rule().exact
    assert not Rule(accumulator=SPEC).exact
    assert np.isfinite(net(images(3, 4)).detach().numpy()).all()
