"""Ranking, accounts and descriptions on a small untrained network with real arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from inexact import hardware, units
from inexact.explore import Settings, Silent
from inexact.explore.accounts import Accounting
from inexact.explore.describe import describe, error_map
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.pool import Pool
from inexact.explore.ranking import rank
from inexact.explore.space import Space
from inexact.nn import ApproxLayer, Plan, Rule, approximate, divide_channels, workload
from inexact.recovery import recover


def rule(multiplier: str, coding: str = "sign_magnitude") -> Rule:
    return Rule(multiplier=multiplier, coding=coding, recovery="bias_correction(gain=true)")


EXACT = Rule(coding="sign_magnitude")
MILD, HARSH, COSTLY = (rule(f"trunc(cut={cut},width=(8,7))") for cut in (3, 8, 0))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(54, 10)
    ).eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(20, 1, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def accounting(model: nn.Module) -> Accounting:
    return Accounting.of(hardware.load("edge-16x16"), workload(model, (1, 12, 12)))


@pytest.fixture(scope="module")
def ranked(model: nn.Module, images: torch.Tensor, accounting: Accounting) -> Space:
    assert accounting.exact == EXACT  # weights held in the array: their signs are too
    candidates = {"0": [EXACT, MILD, HARSH, COSTLY], "5": [EXACT, MILD, HARSH]}
    return rank(model, candidates, images, accounting, seed=0, watch=Silent())


def test_exact_comes_first_and_harsh_units_are_noisier(ranked: Space) -> None:
    for layer in ranked.layers:
        found = {option.rule: option for option in layer.options}
        assert layer.options[0].rule == EXACT
        assert found[HARSH].noise > found[MILD].noise >= 0
        assert found[HARSH].impact > found[MILD].impact
        assert found[HARSH].energy_pj < found[MILD].energy_pj < found[EXACT].energy_pj
        assert COSTLY not in found or layer.layer == "0"


def test_noise_is_that_of_the_layer_after_its_own_correction(model: nn.Module, images: torch.Tensor, ranked: Space) -> None:
    """Recomputed from outside: the first layer sees the images themselves in every network."""
    net = approximate(model, Plan({"0": HARSH}), calibrate=images)
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    with torch.no_grad():
        exact = layer.float_output(images)
        raw = net.layers()["0"](images)
        # The free correction is a least squares line per channel, up to the rounding of the bias.
        residual = torch.zeros_like(raw)
        for channel in range(raw.shape[1]):
            x, y = raw[:, channel].flatten().double(), exact[:, channel].flatten().double()
            slope = ((x - x.mean()) * (y - y.mean())).mean() / x.var(correction=0)
            residual[:, channel] = (y - y.mean() - slope * (x - x.mean())).reshape(raw[:, channel].shape).float()
    expected = float(residual.double().square().mean() / exact.double().var(correction=0))
    found = next(option.noise for option in ranked.layers[0].options if option.rule == HARSH)
    assert found == pytest.approx(expected, rel=0.15)


def test_impact_predicts_the_error_of_the_logits(model: nn.Module, images: torch.Tensor, ranked: Space) -> None:
    """The last layer is the logits: its impact is the power of its error over the power of the centred logits."""
    net = recover(approximate(model, Plan({"5": HARSH, "0": EXACT}), calibrate=images), data=images, size=20)
    with torch.no_grad():
        logits, approx = model(images), net(images)
    error = approx - logits
    power = (logits - logits.mean(1, keepdim=True)).square().sum(1).mean()
    expected = float((error - error.mean(1, keepdim=True)).square().sum(1).mean() / power)
    found = next(option.impact for option in ranked.layers[1].options if option.rule == HARSH)
    assert expected / 2 < found < expected * 2


def test_deterministic(model: nn.Module, images: torch.Tensor, accounting: Accounting, ranked: Space) -> None:
    candidates = {"0": [EXACT, MILD, HARSH, COSTLY], "5": [EXACT, MILD, HARSH]}
    assert rank(model, candidates, images, accounting, seed=0, watch=Silent()) == ranked


def test_accounts(model: nn.Module, images: torch.Tensor, accounting: Accounting) -> None:
    exact = approximate(model, Plan({"0": EXACT, "5": EXACT}), calibrate=images)
    same = accounting.judge(workload(exact))
    assert same["energy_saving"] == 0.0
    assert same["area_saving"] == 0.0
    cheap = approximate(model, Plan({"0": HARSH, "5": HARSH}), calibrate=images)
    found = accounting.judge(workload(cheap))
    predicted = accounting.predict({"0": HARSH, "5": HARSH})
    assert found["energy_saving"] > 0
    assert found["energy_pj"] == pytest.approx(predicted.energy_pj)
    assert found["area_um2"] == pytest.approx(predicted.area_um2)
    assert sum(found["by_layer"].values()) == pytest.approx(found["energy_pj"])
    assert sum(found["by_component"].values()) == pytest.approx(found["energy_pj"])
    assert list(found["by_boundary"]) == ["multiplier", "array", "on_chip", "with_dram"]
    assert found["by_boundary"]["multiplier"] == found["by_component"]["multipliers"]
    assert found["by_boundary"]["on_chip"] == pytest.approx(found["energy_pj"] - found["by_component"]["dram"])
    for boundary, saving in found["savings"].items():
        assert saving["value"] == pytest.approx(100 - 100 * found["by_boundary"][boundary] / same["by_boundary"][boundary])
    assert (found["latency_ms"]["value"], found["latency_ms"]["unit"]) == (pytest.approx(found["cycles"] / 400e6 * 1e3), "ms")


@pytest.mark.parametrize("precision", ["int8", "int(granularity=per_tensor)"])
def test_divided_channels_are_charged_before_a_design_is_built_as_behind(precision: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3, groups=2), nn.GELU(), nn.Flatten(), nn.Linear(256, 5)).eval()
    images = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    ours = Accounting.of(hardware.load("edge-16x16"), workload(model, (3, 12, 12)))
    plan = Plan(multiplier="trunc(cut=6)", precision=precision, recovery="equalisation")
    built = approximate(model, plan, calibrate=images)
    for (name, layer), channels in zip(built.layers().items(), (3, 6, 256), strict=True):
        assert isinstance(layer, ApproxLayer), name
        divide_channels(layer, torch.arange(1.0, channels + 1))
    rules = dict.fromkeys(built.layers(), plan.rules["default"])
    planned, found = ours.planned(rules), workload(built)  # type: ignore[arg-type]
    assert [layer.name for layer in planned.layers] == [layer.name for layer in found.layers]
    predicted, judged = ours.predict(rules), ours.judge(found)  # type: ignore[arg-type]
    assert (predicted.energy_pj, predicted.area_um2, predicted.cycles) == (judged["energy_pj"], judged["area_um2"], judged["cycles"])
    assert ours.layer_energies(rules) == judged["by_layer"]  # type: ignore[arg-type]
    assert set(judged["by_layer"]) == {layer.name for layer in ours.workload.layers}
    assert len(found.layers) - len(ours.workload.layers) == (2 if precision == "int8" else 3)


def test_description(model: nn.Module, images: torch.Tensor, accounting: Accounting, ranked: Space) -> None:
    plan = Plan({"0": HARSH, "5": EXACT})
    accounts = accounting.judge(workload(approximate(model, plan, calibrate=images)))
    parts = describe(accounting, plan, ranked, accounts)
    first, pool, last = parts["layers"]
    assert (first["multiplier"], last["multiplier"]) == ("trunc(cut=8,width=(8,7))", "exact")
    assert (pool["multiplier"], pool["precision"]) == (None, "vector unit")
    assert first["noise"] == next(option.noise for option in ranked.layers[0].options if option.rule == HARSH)
    assert sum(layer["energy_share"] for layer in parts["layers"]) == pytest.approx(1)
    assert [unit["spec"] for unit in parts["units"]] == ["trunc(cut=8,width=(8,7))", "exact"]
    assert {row["quantity"] for row in parts["provenance"]} >= {
        "energy saving, with_dram",
        "area saving",
        "latency, exact 8-bit",
        "energy of trunc(cut=8,width=(8,7)) over exact 8x8",
    }
    assert describe(accounting, None, ranked, {})["layers"] == []


def test_error_map_is_the_mean_error_of_blocks() -> None:
    unit = units.get("trunc(cut=7,width=(8,4))")
    found = np.array(error_map(unit))
    error = unit.table().astype(float) - unit.exact_table()
    assert found.shape == (32, 16)
    assert found[3, 5] == error[24:32, 5].mean()
    assert found.mean() == pytest.approx(error.mean())


def test_pools(model: nn.Module, images: torch.Tensor) -> None:
    labels = torch.arange(20) % 10
    pool = Pool.of([(images[:13], labels[:13]), (images[13:], labels[13:])])
    assert torch.equal(pool.images, images)
    mixed = pool.shuffled(3)
    assert torch.equal(mixed.images, pool.shuffled(3).images)
    assert not torch.equal(mixed.images, images)
    order = [int((images == image).flatten(1).all(1).nonzero()) for image in mixed.images]
    assert torch.equal(mixed.labels, labels[order])
    assert mixed.digest() != pool.digest()


def test_problem_keeps_calibration_apart(model: nn.Module, images: torch.Tensor) -> None:
    data = [(images, torch.arange(20) % 10)]
    settings = Settings(network="small", data="random", calibration=128)
    problem = NetworkProblem(model, data, None, hardware.load("edge-16x16"), settings, {"0": ["trunc(cut=4)"]})
    assert len(problem.calibration) == 5  # a quarter of what there is
    assert problem.images("validation") == 15
    assert problem.images("test") == 0
    seen = {image.sum().item() for image in problem.calibration}
    assert not seen & {image.sum().item() for image in problem.pools["validation"].images}
    other = NetworkProblem(model, data, data, hardware.load("edge-16x16"), settings, {"0": ["trunc(cut=4)"]})
    assert problem.fingerprint() != other.fingerprint()


def test_every_precision_worth_it_stays_though_a_small_unit_beats_it(
    model: nn.Module, images: torch.Tensor, accounting: Accounting
) -> None:
    """One exact multiplier serves all widths, which the energy of a layer by itself does not show."""
    plain = [EXACT.but(precision=p, recovery="bias_correction(gain=true)") for p in ("w6a6", "w5a5", "w4a4")]
    small = [rule.but(multiplier=f"trunc(cut=1,width=({rule.format.a_bits},{rule.format.b_bits - 1}))") for rule in plain]
    found = rank(model, {"5": [EXACT, *plain, *small]}, images, accounting, seed=0, watch=Silent(), keep=3, shared=1)
    kept = {option.rule for option in found.layers[0].options}
    assert len(kept & set(plain)) >= 2


def test_layers_need_not_be_listed_in_the_order_they_run(images: torch.Tensor) -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.head = nn.Linear(16, 10)
            self.body = nn.Conv2d(1, 16, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.head(torch.relu(self.body(x)).mean((2, 3)))
            return scores

    model = Backwards().eval()
    own = Accounting.of(hardware.load("edge-16x16"), workload(model, (1, 12, 12)))
    space = rank(model, {"head": [EXACT, HARSH], "body": [EXACT, HARSH]}, images, own, seed=0, watch=Silent())
    assert {layer.layer for layer in space.layers} == {"head", "body"}
    assert all(option.impact >= 0 for layer in space.layers for option in layer.options)
