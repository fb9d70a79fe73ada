"""Forecasts of accuracy drops: margins, effects of single layers, plans, intervals, and the file of a calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.cli import _forecast_quality, run
from inexact.core.errors import DataError, PlanError, StudyError
from inexact.explore import NetworkProblem, Settings, Silent, forecast_file
from inexact.explore.conformal import FLOOR, Conformal, calibrate, fewest_plans
from inexact.explore.effects import Isolation, correct_alone
from inexact.explore.forecast import Forecaster
from inexact.explore.forecast_baselines import by_nmed, by_noise, simple
from inexact.explore.forecast_quality import judge
from inexact.explore.forecast_trials import forecaster_of, random_plans, simulate
from inexact.explore.margins import RANKS, Margins, columns, telling
from inexact.nn import Plan, Rule, approximate
from inexact.recovery import recover


def rule(multiplier: str, **more: str) -> Rule:
    return Rule(multiplier=multiplier, coding="sign_magnitude", recovery="bias_correction(gain=true)", **more)


EXACT = Rule(coding="sign_magnitude")
MILD, HARSH = (rule(f"trunc(cut={cut},width=(8,7))") for cut in (3, 9))


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(inplace=True))
    last = nn.Linear(32, 5)
    found = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), last).eval()
    with torch.no_grad():  # answers that vary, as those of a trained network
        last.weight.mul_(10)
        last.bias.sub_(found(noise(80, 1, 12, 12, seed=1)).mean(0))
    return found


@pytest.fixture(scope="module")
def images() -> Tensor:
    return noise(80, 1, 12, 12, seed=1)


@pytest.fixture(scope="module")
def labels(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model(images)
    return (logits + 0.01 * noise(80, 5, seed=2)).argmax(1)


@pytest.fixture(scope="module")
def forecaster(model: nn.Module, images: Tensor, labels: Tensor) -> Forecaster:
    return Forecaster(model, calibration=images[:40], counted=images, labels=labels)


@pytest.fixture(scope="module")
def problem(model: nn.Module, images: Tensor, labels: Tensor) -> NetworkProblem:
    settings = Settings(network="small", data="noise", calibration=30)
    space = {"default": [EXACT, MILD, HARSH]}
    others = noise(80, 1, 12, 12, seed=13)
    with torch.no_grad():
        test = [(others, model(others).argmax(1))]
    return NetworkProblem(model, [(images, labels)], test, hardware.load("edge-16x16"), settings, space)


def labelled(logits: Tensor, labels: Tensor, count: int) -> Margins:
    return Margins(logits, labels, telling(logits, count))


def test_no_change_and_a_common_gain_lose_nothing() -> None:
    logits = noise(200, 4, seed=4)
    margins = labelled(logits, torch.randint(4, (200,), generator=torch.Generator().manual_seed(5)), 50)
    seen = logits[telling(logits, 50)]
    centred = seen - seen.mean(1, keepdim=True)
    lost = margins.lost(torch.stack([torch.zeros(50, 4), 0.5 * centred, -0.4 * centred]))
    np.testing.assert_allclose(lost, 0.0, atol=1e-4)


def test_images_are_seen_most_where_answers_change_first() -> None:
    logits = torch.stack([torch.linspace(5, 0, 1000), torch.zeros(1000)], 1)
    seen = telling(logits, 100)
    assert seen.tolist() == sorted(set(seen.tolist()), reverse=True)  # the last image is the closest to the limit
    assert 3 < (seen >= 900).sum() / (seen < 100).sum() < 20
    weight = Margins(logits, torch.zeros(1000, dtype=torch.int64), seen).weight
    assert float(weight.sum()) == pytest.approx(1000)
    assert weight[0] < 2
    assert weight[-1] > 20
    assert telling(logits, 2000).tolist() == list(range(999, -1, -1))
    assert Margins(logits, torch.zeros(1000, dtype=torch.int64), telling(logits, 2000)).weight.tolist() == [1.0] * 1000


def test_lost_answers_are_those_of_gaussian_changes() -> None:
    """Two classes: independence of rivals is no assumption then, so the loss is what adding such changes to every answer loses."""
    logits = 2 * noise(4000, 2, seed=6)
    labels = (logits + noise(4000, 2, seed=7)).argmax(1)
    change = noise(3000, 2, seed=8) @ torch.tensor([[0.8, -0.2], [0.0, 0.5]]) + torch.tensor([0.3, -0.3])
    before = (logits.argmax(1) == labels).double().mean()
    drawn = torch.randint(3000, (20, 4000), generator=torch.Generator().manual_seed(9))
    after = (logits + change[drawn]).argmax(2) == labels
    lost = Margins(logits, labels, torch.arange(300)).lost(change.view(10, 300, 2))
    assert lost.mean() == pytest.approx(100 * float(before - after.double().mean()), abs=0.5)
    assert lost.min() > 2


def test_changes_that_are_large_where_it_matters_cost_more() -> None:
    """The same changes dealt out otherwise: large where the logits lie close, or where they lie far apart."""
    logits = torch.cat([torch.linspace(0, 8, 400)[:, None], torch.zeros(400, 1)], 1)
    labels, seen = torch.zeros(400, dtype=torch.int64), torch.arange(400)
    change = noise(400, 2, seed=12) * torch.linspace(2, 0, 400)[:, None]
    close, far = Margins(logits, labels, seen).lost(torch.stack([change, change.flip(0)]))
    truth = [100 * float((logits + one).argmax(1).double().mean()) for one in (change, change.flip(0))]
    assert close > 1.5 * far
    assert truth[0] > truth[1]


def test_many_classes_are_seen_by_rank_and_labels_out_of_reach_stay_wrong() -> None:
    logits = noise(30, 40, seed=10)
    chosen = columns(logits)
    assert chosen.shape == (30, RANKS)
    assert torch.equal(chosen[:, 0], logits.argmax(1))
    worst = logits.argmin(1)
    margins = Margins(logits, torch.where(torch.arange(30) < 10, worst, logits.argmax(1)), torch.arange(30))
    assert margins.right == 20
    (lost,) = margins.lost(100 * noise(1, 30, RANKS, seed=11))
    assert 100 * 20 / 30 >= lost > 30


@pytest.mark.parametrize("recovery", ["bias_correction(gain=true)", "equalisation(target=layer)"])
def test_an_effect_is_what_emulating_that_layer_alone_does(model: nn.Module, images: Tensor, recovery: str) -> None:
    seen, harsh = images[:40], HARSH.but(recovery=recovery)
    isolation = Isolation(model, ["0", "3", "7"], seen)
    net = approximate(model, Plan({"3": harsh, "7": MILD}), calibrate=seen)
    correct_alone(net, seen)
    assert ("equalisation" in recovery) == (net.layers()["3"].divisors is not None)
    found = isolation.effects(net)
    alone = {
        name: recover(approximate(model, Plan({name: one}), calibrate=seen), data=seen, size=40)
        for name, one in (("3", harsh), ("7", MILD))
    }
    for name, one in alone.items():
        with torch.no_grad():
            truth = one(seen) - model(seen)
        torch.testing.assert_close(found[name].change, truth - truth.mean(1, keepdim=True), rtol=1e-4, atol=1e-5)
    assert set(found) == {"3", "7"}
    assert found["3"].change.abs().max() > 3 * found["7"].change.abs().max() > 0
    assert found["3"].noise > found["7"].noise > 0
    # nothing is left behind
    with torch.no_grad():
        torch.testing.assert_close(isolation.network(seen), model(seen), rtol=1e-5, atol=1e-6)


def test_error_std_joins_channels_and_holds_on_new_images(model: nn.Module, images: Tensor) -> None:
    net = approximate(model, Plan({"3": HARSH}), calibrate=images[:40])
    correct_alone(net, images[:40])
    found, new = (Isolation(model, ["0", "3", "7"], part).effect("3", net.layers()["3"]) for part in (images[:40], images[40:]))
    assert found.error_std == pytest.approx(new.error_std, rel=0.15)
    assert found.error_std**2 == pytest.approx(float(found.std.square().mean() + found.mean.var(correction=0)))


def test_forecasts_order_plans_and_say_which_layer_costs(forecaster: Forecaster) -> None:
    plans = [
        Plan({"0": None, "3": None, "7": None}),
        Plan(coding="sign_magnitude"),
        Plan({"3": MILD}),
        Plan({"0": MILD, "3": HARSH, "7": HARSH}),
    ]
    nothing, exact, mild, harsh = forecaster.raw(plans)
    assert nothing == 0
    assert abs(exact) < 3
    assert abs(mild) < 3 < harsh
    one = forecaster.forecast(plans[3])
    assert one.raw == pytest.approx(harsh)
    assert one.interval is None
    assert list(one.alone) == sorted(one.alone, key=lambda name: -one.alone[name])
    assert set(one.alone) == {"0", "3", "7"}


def test_a_known_rule_is_not_measured_again(forecaster: Forecaster) -> None:
    forecaster.raw([Plan({"3": MILD})])
    known = forecaster.known["3", MILD]
    forecaster.raw([Plan({"3": MILD, "0": MILD})])
    assert forecaster.known["3", MILD] is known


def test_a_calibrated_forecast_has_an_interval(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    forecaster = Forecaster(model, calibration=images[:40], counted=images, labels=labels)
    forecaster.calibrated = Conformal(factor=2.0, width=0.5, level=0.9, plans=40)
    one = forecaster.forecast(Plan({"0": MILD, "3": HARSH, "7": HARSH}))
    assert one.drop == pytest.approx(2 * one.raw)
    assert one.interval == pytest.approx((one.drop - 0.5 * (FLOOR + one.drop), one.drop + 0.5 * (FLOOR + one.drop)))
    assert json.loads(json.dumps(one.to_json()))["drop"] == one.drop


def test_bad_input_is_said(forecaster: Forecaster, model: nn.Module, images: Tensor, labels: Tensor) -> None:
    with pytest.raises(PlanError, match="layers of a plan must be layers of the network; 'nine' is none of 0, 3, 7"):
        forecaster.raw([{"nine": MILD}])
    with pytest.raises(PlanError, match="plan key 'nine' must match a layer"):
        forecaster.forecast(Plan({"nine": MILD}))
    with pytest.raises(
        DataError, match="a forecast needs at least one image to calibrate on and one to count answers on; give more images"
    ):
        Forecaster(model, calibration=images[:0], counted=images, labels=labels)
    with pytest.raises(DataError, match="a forecast needs at least one image"):
        Margins(noise(0, 4, seed=0), torch.zeros(0, dtype=torch.int64), torch.arange(3))


def test_intervals_cover_what_they_say() -> None:
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        raw = generator.exponential(3.0, 80)
        drops = 1.7 * raw + (0.5 + raw) * generator.standard_t(4, 80)
        known = calibrate(raw[:60], drops[:60])
        low, high = np.transpose([known.interval(value) for value in raw[60:]])
        covered.append(((low <= drops[60:]) & (drops[60:] <= high)).mean())
    # 4,000 intervals of nominally 0.9 to 0.9 + 1/31: their mean has a standard error below 0.01
    assert 0.88 < np.mean(covered) < 0.95
    assert known.factor == pytest.approx(1.7, rel=0.4)


def test_calibration_needs_enough_plans() -> None:
    assert fewest_plans(0.9) == 18
    with pytest.raises(
        DataError, match="a 90 % interval needs forecast and measured drop of at least 18 plans, not 17 and 17; measure more"
    ):
        calibrate(np.ones(17), np.ones(17))
    with pytest.raises(DataError, match=r"the level of an interval must be 0\.5\.\.0\.99, not 1"):
        calibrate(np.ones(50), np.ones(50), 1.0)
    assert calibrate(np.zeros(20), np.zeros(20)).factor == 1.0


def test_random_plans_range_from_exact_to_all_layers(problem: NetworkProblem) -> None:
    plans = random_plans(problem.candidates, EXACT, 200, seed=0)
    changed = [sum(one != EXACT for one in plan.values()) for plan in plans]
    assert set(changed) == {0, 1, 2, 3}
    assert plans == random_plans(problem.candidates, EXACT, 200, seed=0)


def test_baselines_know_what_they_look_at(model: nn.Module, images: Tensor) -> None:
    received = {"0": images[:8]}
    found = {}
    for one in (EXACT, MILD, HARSH):
        net = approximate(model, Plan({"0": one}), calibrate=images[:40])
        found["0", one] = simple(net, received)["0"]
    assert by_nmed({"0": EXACT}, found) == 0 < by_nmed({"0": MILD}, found) < by_nmed({"0": HARSH}, found)
    assert 0 < by_noise({"0": EXACT}, found) < by_noise({"0": MILD}, found) < by_noise({"0": HARSH}, found)


def test_a_calibration_is_kept_and_refused(problem: NetworkProblem, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    made = forecast_file.Calibration(problem=problem.fingerprint(), images=50, seed=0, raw=(0.0, 1.0) * 10, drops=(0.5, 2.0) * 10)
    made.save(path)
    assert forecast_file.kept(path, problem) == made
    assert made.conformal().plans == 20
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"inexact": "0.0.9"}))
    with pytest.raises(StudyError, match=r"must come from this version of inexact \(.*\), not from 0\.0\.9, format 1: name another file"):
        forecast_file.kept(path, problem)
    path.write_text(json.dumps(content | {"problem": "other"}))
    with pytest.raises(StudyError, match="must be of this network, weights, data and candidates; it is of others"):
        forecast_file.kept(path, problem)
    path.write_text(json.dumps({name: value for name, value in content.items() if name != "raw"}))
    with pytest.raises(StudyError, match="must hold problem, images, seed, raw and drops: KeyError"):
        forecast_file.kept(path, problem)
    for strange in ("[1]", "{}"):
        path.write_text(strange)
        with pytest.raises(StudyError, match="must be a file that inexact forecast wrote; it is something else"):
            forecast_file.kept(path, problem)
    path.write_text("{")
    with pytest.raises(StudyError, match="must be a file that inexact forecast wrote: Expecting"):
        forecast_file.kept(path, problem)


def test_calibration_asks_for_plans_and_images(problem: NetworkProblem) -> None:
    forecaster = forecaster_of(problem, 10)
    with pytest.raises(DataError, match="calibration needs at least 18 plans, not 5; more give a steadier interval"):
        forecast_file.measured(problem, forecaster, plans=5, images=10, seed=0, watch=Silent())
    with pytest.raises(DataError, match="validation data must leave images to measure on after calibration"):
        simulate(problem, [], 0, watch=Silent())


@pytest.mark.slow
def test_the_judge_reports_what_it_measured(problem: NetworkProblem) -> None:
    quality = judge(problem, plans=20, calibration_plans=18, images=60, seed=0)
    found = json.loads(json.dumps(quality.to_json()))
    assert found["plans"] == 20
    assert set(found["spearman"]) == {"forecast", "nmed", "one population"}
    assert f"perfect forecast {found['ceiling']:.3f}" in _forecast_quality.text({"network": "small", "data": "noise", **found})
    halves = max(0.0, found["halves"])
    assert found["ceiling"] == pytest.approx((2 * halves / (1 + halves)) ** 0.5)
    assert found["spearman"]["forecast"]["value"] > 0.6
    assert found["plans_per_second"] > 200
    assert found["std_within_15pct"]["forecast"] > found["std_within_15pct"]["one population"]


@pytest.mark.parametrize(
    ("network", "plan", "message"),
    [
        ("resnet8", "missing.toml", "plan file missing.toml cannot be read"),
        ("resnet8", "unit.toml", "no multiplier is called 'trunk'"),
        ("resnet9", "good.toml", "resnet9"),
    ],
)
def test_the_command_says_what_is_wrong(
    network: str, plan: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Plan(multiplier="trunc(cut=4)").save(tmp_path / "good.toml")
    text = (tmp_path / "good.toml").read_text()
    (tmp_path / "unit.toml").write_text(text.replace("trunc(", "trunk("))
    assert run(["forecast", "--network", network, "--plan", plan]) != 0
    assert message in capsys.readouterr().err
