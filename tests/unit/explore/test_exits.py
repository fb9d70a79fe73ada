"""Early exits in a search: what settings are worth trying, what a genome stands for, and what a study makes of them."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import PlanError, StudyError
from inexact.explore import Option, Settings, Silent, Space, Store, Study
from inexact.explore.exit_problem import ExitProblem
from inexact.explore.exits import WEIGHTS, ExitChoice, ExitSpace, NoiseScale, exit_choices, settings_of
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.space import LayerChoices
from inexact.nn import ExitHead, ExitNetwork, Plan, Rule, approximate, exits_of, with_exits, workload
from inexact.zoo import load_into, read_weights

AFTER = ("early", "middle")
ASKED: dict[str, Any] = {"network": "net", "data": "made up", "calibration": 32, "rank_images": 8, "screen_images": 64}
SPACE = ["exact", "trunc(cut=4)"]


def scores() -> tuple[list[Tensor], Tensor]:
    """Three classifiers, each better than the one before, on 600 images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (600,), generator=generator)
    truth = nn.functional.one_hot(labels, 5).float()
    return [strength * truth + torch.randn(600, 5, generator=generator) for strength in (2.0, 3.0, 4.5)], labels


def energy(tau: tuple[float, ...], reach: tuple[float, ...]) -> float:
    """Stages of 1, 2 and 4; a classifier that is not closed costs a tenth."""
    return reach[0] + 2 * reach[1] + 4 * reach[2] + 0.1 * sum(share * (value < 1) for value, share in zip(tau, reach, strict=False))


def test_settings_that_nothing_beats_are_kept() -> None:
    logits, labels = scores()
    found = exit_choices(logits, labels, (0.5, 0.7, 0.9), energy, max_drop=1.0, keep=100)
    assert (found[0].tau, found[0].reach, found[0].lost, found[0].impact) == ((1.0, 1.0), (1.0, 1.0, 1.0), 0.0, 0.0)
    confidence = [part.softmax(1).amax(1) for part in logits]
    rows = {}
    for tau in itertools.product((0.5, 0.7, 0.9, 1.0), repeat=2):  # by hand, image by image
        leave = [0 if confidence[0][n] > tau[0] else 1 if confidence[1][n] > tau[1] else 2 for n in range(600)]
        right = sum(int(logits[leave[n]][n].argmax() == labels[n]) for n in range(600))
        reach = (1.0, sum(place > 0 for place in leave) / 600, sum(place > 1 for place in leave) / 600)
        rows[tau] = (100 * (int((logits[2].argmax(1) == labels).sum()) - right) / 600, energy(tau, reach), reach)
    good = [
        tau
        for tau, (lost, cost, _) in rows.items()
        if lost <= 2.0 and not any(a <= lost + 1e-9 and b <= cost + 1e-9 and (a, b) != (lost, cost) for a, b, _ in rows.values())
    ]
    assert {choice.tau for choice in found[1:]} == set(good) - {(1.0, 1.0)}
    assert len(found) > 3
    for choice in found[1:]:
        assert (choice.lost, *choice.reach) == pytest.approx((rows[choice.tau][0], *rows[choice.tau][2]))
    few = exit_choices(logits, labels, (0.5, 0.7, 0.9), energy, max_drop=1.0, keep=2)
    assert len(few) == 3
    assert set(few) <= set(found)


def test_impact_is_the_noise_that_loses_as_much() -> None:
    logits, labels = scores()
    scale = NoiseScale(logits[2], labels, seed=1)
    assert scale.power(0.0) == scale.power(-1.0) == 0.0
    powers = [scale.power(lost) for lost in (0.2, 1.0, 3.0, 10.0)]
    assert powers == sorted(powers)
    own = float((logits[2] - logits[2].mean(1, keepdim=True)).square().sum(1).mean())
    noise = torch.randn(200, *logits[2].shape, generator=torch.Generator().manual_seed(5))
    noise *= (powers[2] * own / float((noise - noise.mean(2, keepdim=True)).square().sum(2).mean())) ** 0.5
    lost = 100 * float((logits[2].argmax(1) == labels).double().mean() - ((logits[2] + noise).argmax(2) == labels).double().mean())
    assert lost == pytest.approx(3.0, abs=0.5)
    assert scale.power(200.0) == pytest.approx(200 / scale.lost[-1])


def test_too_many_settings_are_refused() -> None:
    assert settings_of((0.5,), 2) == [(1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (0.5, 0.5)]
    message = r"at most 20,000 settings of 5 exits, but 7 and closed make 32,768: give fewer --threshold, or train fewer exits"
    with pytest.raises(StudyError, match=message):
        settings_of((0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98), 5)


def made_up() -> Space:
    layers = [LayerChoices(layer=name, options=(Option(rule=Rule()), Option(rule=Rule(multiplier="trunc(cut=4)"), impact=0.25)))
              for name in ("conv", "exits.0.linear", "exits.1.linear")]  # fmt: skip
    taus = ((1.0, 1.0), (0.8, 1.0), (0.8, 0.6))
    choices = tuple(ExitChoice(tau=tau, reach=(1.0, 0.5, 0.25), lost=0.5, impact=index / 2) for index, tau in enumerate(taus))
    return Space(layers=tuple(layers), exits=ExitSpace(after=AFTER, pool=2, choices=choices))


def test_a_genome_ends_with_the_exits() -> None:
    space = made_up()
    assert space.sizes == (2, 2, 2, 3)
    assert Space.from_json(space.to_json()) == space
    assert space.settled((1, 1, 1, 0)) == (1, 0, 0, 0)
    assert space.settled((1, 1, 1, 1)) == (1, 1, 0, 1)
    assert space.settled((1, 1, 1, 2)) == (1, 1, 1, 2)
    assert list(space.choose((1, 1, 1, 1))) == ["conv", "exits.0.linear"]
    assert space.impact((1, 1, 1, 1)) == 0.25 + 0.25 + 0.5
    assert space.plan((1, 1, 1, 0)) == Plan({"conv": "trunc(cut=4)"})
    plan = space.plan((0, 1, 0, 1))
    assert plan.exits is not None
    assert (plan.exits.after, plan.exits.tau, plan.exits.pool, plan.exits.weights) == (AFTER, (0.8, 1.0), 2, WEIGHTS)
    assert list(plan.rules) == ["conv", "exits.0.linear"]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """Classifies by brightness of quarters; small enough for a study in a second."""
    torch.manual_seed(0)
    parts: dict[str, nn.Module] = {
        "early": nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()),
        "middle": nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.ReLU()),
        "late": nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
        "fc": nn.Linear(64, 4),
    }
    network = nn.Sequential()
    for name, part in parts.items():
        network.add_module(name, part)
    return network.eval()


def pairs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    images = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    labels = torch.nn.functional.avg_pool2d(images, 4).flatten(1).argmax(1)
    for row, label in zip(images, labels.tolist(), strict=True):
        row[0, 4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 0.3
    return images, labels


@pytest.fixture(scope="module")
def trained(model: nn.Module) -> ExitNetwork:
    """All classifiers fitted by least squares on features that stay as drawn."""
    images, labels = pairs(400, 1)
    wanted = 6 * nn.functional.one_hot(labels, 4).float()
    with torch.no_grad():
        fit(model.fc, model[:-1](images), wanted)  # type: ignore[index, arg-type]
        net = with_exits(model, AFTER, example=images[:1])
        seen: list[Tensor] = []

        def read(head: nn.Module, x: Tensor) -> Tensor:
            assert isinstance(head, ExitHead)
            seen.append(head.flat(x))
            return seen[-1]

        net.scores(images, read)
        for place, head in enumerate(net.exits):
            assert isinstance(head, ExitHead)
            fit(head.linear, seen[place], wanted)
    return net


def fit(linear: nn.Linear, x: Tensor, wanted: Tensor) -> None:
    augmented = torch.cat([x, torch.ones(len(x), 1)], 1).double()
    solved = torch.linalg.lstsq(augmented.T @ augmented + 1e-3 * torch.eye(augmented.shape[1]), augmented.T @ wanted.double()).solution
    linear.weight.copy_(solved[:-1].T)
    linear.bias.copy_(solved[-1])


def problem(model: nn.Module, trained: ExitNetwork, **changes: Any) -> NetworkProblem:
    asked = Settings(**{**ASKED, "exits": "heads", "max_drop": 3.0, "search_images": 200, "promote_images": 250, **changes})
    machine = hardware.load("edge-16x16")
    return NetworkProblem(model, [pairs(332, 2)], [pairs(200, 3)], machine, asked, SPACE, exits=trained)


def test_the_account_of_a_genome_is_that_of_its_network(model: nn.Module, trained: ExitNetwork) -> None:
    """Predicted with the shares of the exact network, charged with those that were counted: the same where the network is exact."""
    asked = problem(model, trained)
    space = asked.rank(Silent())
    assert space.exits is not None
    assert [layer.layer for layer in space.layers][-2:] == ["exits.0.linear", "exits.1.linear"]
    assert all(option.impact >= 0 and option.energy_pj > 0 for layer in space.layers for option in layer.options)
    assert any(space.exits.choices[-1].closed) or len(space.exits.choices) > 2
    for gene in range(len(space.exits.choices)):
        genome = (*[0] * len(space.layers), gene)
        candidate = asked.candidate(space.plan(genome))
        right = candidate.correct("validation", 0, 200)
        found, predicted = candidate.accounts(), asked.costs(space, genome)
        assert found["energy_pj"] == pytest.approx(predicted["energy_pj"])
        assert found["area_um2"] == pytest.approx(predicted["area_um2"])
        assert found["cycles"] == pytest.approx(predicted["cycles"])
        lost = space.exits.choices[gene].lost
        exact = asked.candidate(space.plan(space.settled((*genome[:-1], 0)))).correct("validation", 0, 200)
        assert 100 * (exact.mean() - right.mean()) == pytest.approx(lost)
        if gene:
            assert found["exits"]["images"] == 200
            shares = [row["share"] for row in found["exits"]["leave"]]
            assert sum(shares) == pytest.approx(1)
            assert space.exits.choices[gene].reach == pytest.approx([1, 1 - shares[0], 1 - shares[0] - shares[1]])
            assert found["worst_latency_ms"]["value"] > found["latency_ms"]["value"]
    initial = asked.initial(space, 40)
    assert initial[0] == (0,) * len(space.sizes)
    assert len({genome[-1] for genome in initial[:12]}) > 1
    assert all(space.settled(genome) == genome for genome in initial)


def test_a_study_searches_for_thresholds_and_goes_on_where_it_stopped(model: nn.Module, trained: ExitNetwork, tmp_path: Path) -> None:
    asked = Settings(
        **{**ASKED, "exits": "heads", "max_drop": 3.0, "search_images": 200, "trials": 8, "finalists": 1, "sampler": "nsga2(population=4)"}
    )
    whole = Study(problem(model, trained), asked, Store(":memory:"))
    report = whole.run()
    with Store(tmp_path / "study.db") as store:
        Study(problem(model, trained), dataclasses.replace(asked, trials=4), store).run()
        resumed = Study(problem(model, trained), asked, store)
        again = resumed.run()
    assert [t.plan_toml for t in again.trials] == [t.plan_toml for t in report.trials]
    assert [t.energy_saving for t in again.trials] == [t.energy_saving for t in report.trials]
    plans = [Plan.from_toml(t.plan_toml) for t in report.trials]
    assert len({plan.sha256 for plan in plans}) == len(plans)
    assert len({plan.exits for plan in plans}) > 1
    best = whole.best
    assert best.exits["images"] == 200
    assert best.exits["test_images"] == 200
    assert [row["after"] for row in best.exits["leave"]] == [*AFTER, "end"]
    assert sum(row["test_share"] for row in best.exits["leave"]) == pytest.approx(1)
    assert {layer.name: layer.reached for layer in best.layers}["fc"] == pytest.approx(best.exits["leave"][-1]["share"])
    assert best.layers[0].reached == 1
    saved = next(t.energy_saving or 0.0 for t in report.trials if t.id == best.trial)
    assert sum(layer.energy_pj for layer in best.layers) == pytest.approx(
        (1 - saved / 100) * sum(layer.baseline_energy_pj for layer in best.layers)
    )
    files = {path.name for path in whole.write(tmp_path / "out")}
    assert {"best.plan.toml", "best.safetensors", WEIGHTS} <= files
    plan = Plan.load(tmp_path / "out" / "best.plan.toml")
    assert plan.exits is not None
    net = approximate(with_exits(model, plan.exits.after, example=torch.zeros(1, 1, 8, 8)), plan)
    load_into(net, read_weights(tmp_path / "out" / "best.safetensors"), where="best")
    network = exits_of(net)
    assert network is not None
    assert network.thresholds == plan.exits.tau
    cost = hardware.load("edge-16x16").evaluate(workload(net, (1, 8, 8)))
    assert sum(triple[0] for triple in cost.components.values()) == pytest.approx(sum(layer.energy_pj for layer in best.layers))
    right = (net(pairs(200, 3)[0]).argmax(1) == pairs(200, 3)[1]).numpy()
    assert best.test is not None
    assert 100 * np.mean(right) == pytest.approx(best.test.top1)


def test_exits_of_another_network_are_refused(model: nn.Module, trained: ExitNetwork) -> None:
    other = nn.Sequential(*[nn.Flatten(), nn.Linear(64, 4)]).eval()
    with pytest.raises(PlanError, match="exits of a study must be those of its network, whose weights are others"):
        ExitProblem(trained, other, pairs(8, 1)[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": ()}, r"thresholds of exits must be different numbers above 0 and below 1, at least one, not \(\)"),
        ({"thresholds": (0.5, 0.5)}, r"thresholds of exits must be different numbers above 0 and below 1"),
        ({"thresholds": (1.0,)}, r"thresholds of exits must be different numbers above 0 and below 1"),
        ({"exits": "r.safetensors", "forecast": True}, "a forecast must not stand in for early exits, whose answers it does not see"),
        (
            {"exits": "r.safetensors", "families": ("approximate_units",)},
            "early exits are computation_reduction, which the families of this study leave out: approximate_units",
        ),
    ],
)
def test_settings_that_exits_cannot_have(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Settings(**{**ASKED, **changes})
