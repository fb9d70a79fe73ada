"""Campaigns: what is run, what is kept, and that a stopped one goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import AttackError, UnknownNameError
from inexact.nn import Plan, approximate
from inexact.security.adversarial import Campaign, Images, Networks, RandomisedModel, Settings, Target, _audit, exact_plan, report
from inexact.security.adversarial._flags import read

SCALING = (0.4, 0.5)


@pytest.fixture(autouse=True)
def _short_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_audit, "DIRECTIONS", 1)
    monkeypatch.setattr(_audit, "AUDITED", 2)


ATTACKS = ("carlini_wagner(searches=2,steps=6)", "noise(draws=3)", "hop_skip_jump(queries=150,first=20)")
UNBOUNDED = "pgd(loss=margin,steps=40)"


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4)).eval()


def pixels(count: int, seed: int) -> Tensor:
    return torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))


def networks(*units: str) -> Networks:
    original, seen = network(), (pixels(16, 1) - SCALING[0]) / SCALING[1]
    plans = [Plan(multiplier=unit) for unit in units]
    made = [approximate(original, plan, calibrate=seen) for plan in plans]
    exact = approximate(original, exact_plan(plans[0]), calibrate=seen)
    return Networks(float32=original, exact=exact, approximate=made[0] if len(made) == 1 else RandomisedModel(made, 0), scaling=SCALING)


def images() -> Images:
    found = pixels(9, 3)
    with torch.no_grad():
        labels = network()((found - SCALING[0]) / SCALING[1]).argmax(1)
    return Images(pixels=found, labels=labels, scaling=SCALING)


def settings(*threats: str, attacks: tuple[str, ...] = ATTACKS) -> Settings:
    return Settings(attacks=attacks, threats=threats, epsilons=(0.1, 0.02), epsilons_l2=(0.3,))


def without_unbounded(campaign: Campaign) -> None:
    """ART takes seconds to import, so the run over the whole box is taken from the record."""
    for maker in ("float32", "exact", "approximate"):
        flags = "0" * len(campaign.images)
        right = dict.fromkeys(("float32", "exact", "approximate"), flags)
        cell = {"attack": UNBOUNDED, "epsilon": 1.0, "right": right, "distance": [1.0] * len(campaign.images), "seconds": 0.0}
        campaign.record.parts[f"{UNBOUNDED} | 1 | {maker}:straight_through"] = cell


def test_threats_share_the_examples_of_one_maker() -> None:
    chosen = settings("exact_to_approximate", "approximate_to_exact", "white_box", "black_box")
    keys = [cell.key for cell in chosen.cells()]
    assert len(keys) == len(set(keys))
    for maker in ("float32", "exact", "approximate"):
        assert f"carlini_wagner(searches=2,steps=6) | 0 | {maker}:straight_through" in keys
        assert f"noise(draws=3) | 0.02 | {maker}:none" in keys
        assert f"{UNBOUNDED} | 1 | {maker}:straight_through" in keys
    assert len(keys) == 3 * (1 + 2 + 1 + 1)  # C&W, noise at two strengths, HopSkipJump, the run over the whole box


def test_a_stopped_campaign_goes_on(tmp_path: Path) -> None:
    chosen = settings("white_box", "black_box")
    whole = Campaign(networks("trunc(cut=7)"), images(), chosen)
    without_unbounded(whole)
    wanted = whole.run()
    path = tmp_path / "cells.json"

    def stop(what: str, done: int, steps: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    first = Campaign(networks("trunc(cut=7)"), images(), chosen, path=path)
    without_unbounded(first)
    with pytest.raises(KeyboardInterrupt):
        first.run(stop)
    kept = json.loads(path.read_text())["parts"]
    assert len(kept) == 6 + 3
    second = Campaign(networks("trunc(cut=7)"), images(), chosen, path=path)
    found = second.run()
    assert {key: cell for key, cell in found.items() if key in kept} == kept
    for key, cell in wanted.items():
        assert {name: value for name, value in cell.items() if name != "seconds"} == {
            name: value for name, value in found[key].items() if name != "seconds"
        }
    with pytest.raises(AttackError, match="holds an attack with other networks; go on with what it was started with"):
        Campaign(networks("trunc(cut=4)"), images(), chosen, path=path)
    path.write_text("{}")
    with pytest.raises(AttackError, match="must be the record of an attack, or not exist yet; choose another --out"):
        Campaign(networks("trunc(cut=7)"), images(), chosen, path=path)


def test_flags_are_those_of_the_networks_on_the_examples() -> None:
    campaign = Campaign(networks("trunc(cut=7)"), images(), settings("black_box", attacks=("noise(draws=3)",)))
    cells = campaign.run()
    cell = cells["noise(draws=3) | 0.1 | approximate:none"]
    target = Target(campaign.networks.approximate, SCALING, name="approximate", gives_gradients=False)
    from inexact.security.adversarial import attacks

    made = attacks.get("noise(draws=3)")(target, campaign.images, epsilon=0.1, seed=0)
    again = Images(pixels=made.pixels, labels=campaign.images.labels, scaling=SCALING)
    for name in ("float32", "exact", "approximate"):
        assert read(cell["right"][name]).tolist() == campaign.judge(name).correct(again).tolist()
    assert read(cell["right"]["approximate"]).tolist() == (~made.broken).tolist()


def test_an_adaptive_attacker_tries_every_gradient_on_what_is_left() -> None:
    chosen = Settings(attacks=("auto_attack(steps=2,parts=('apgd-ce',))",), threats=("adaptive",), epsilons=(0.02,))
    pytest.importorskip("pyautoattack")
    campaign = Campaign(networks("trunc(cut=7)"), images(), chosen)
    cells = campaign.run()
    for name, one in (("approximate", "straight_through"), ("exact", "straight_through, start 1")):
        cell = cells[f"{chosen.attacks[0]} | 0.02 | {name}:adaptive"]
        left = [share for _, share in cell["sources"]]
        assert cell["sources"][0][0] == one
        assert left == sorted(left, reverse=True)
        assert left[-1] == pytest.approx(read(cell["right"][name]).mean())
    found = report(cells, chosen, images(), {name: campaign.judge(name) for name in ("float32", "exact", "approximate")})
    assert {row["threat"] for row in found["rows"]} == {"adaptive"}
    assert found["rows"][0]["approximate"]["sources"][0][0] == "straight_through"


def test_a_randomised_network_is_judged_with_draws_of_its_own() -> None:
    campaign = Campaign(networks("exact", "trunc(cut=7)"), images(), settings("black_box", attacks=("noise(draws=2)",)))
    first, second = campaign.run(), Campaign(networks("exact", "trunc(cut=7)"), images(), campaign.settings).run()
    assert {key: cell["right"] for key, cell in first.items() if "right" in cell} == {
        key: cell["right"] for key, cell in second.items() if "right" in cell
    }
    assert set(first["audit approximate"]["sources"]) == {
        "straight_through",
        "twin_exact",
        "twin_float32",
        "linear_fit",
        "low_rank",
        "smoothed_difference",
        "noisy_inputs",
    }


@pytest.mark.slow
def test_a_stolen_substitute_needs_images_and_learns_answers() -> None:
    from inexact.security.adversarial._substitute import substitute

    made = networks("trunc(cut=7)")
    with pytest.raises(AttackError, match="the threat substitute needs images the attacker may ask about: give spare="):
        substitute(made, "approximate", None, 0)
    spare = (pixels(3000, 8) - SCALING[0]) / SCALING[1]
    stolen = substitute(made, "approximate", spare, 0)
    with torch.no_grad():
        fresh = (pixels(200, 9) - SCALING[0]) / SCALING[1]
        wanted = made.approximate(fresh).argmax(1)
        guess = int(torch.bincount(wanted).max()) / 200
        assert float((stolen(fresh).argmax(1) == wanted).double().mean()) > guess + 0.05
        assert not torch.equal(stolen[3].weight, made.float32[3].weight)  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"epsilons": (4.0,)}, AttackError, "epsilon is in pixels 0..1 and must be at most 1, not 4; divide grey levels by 255"),
        ({"epsilons": (-0.1,)}, AttackError, "every epsilon must be a number above 0, in pixels 0..1, not -0.1"),
        ({"epsilons_l2": (float("nan"),)}, AttackError, "every epsilon must be a number above 0"),
        ({"threats": ("whitebox",)}, UnknownNameError, "no threat is called 'whitebox'; did you mean 'white_box'"),
        ({"threats": ()}, AttackError, "a campaign must have at least one threat"),
        (
            {"attacks": ("fgsm",), "threats": ("black_box",)},
            AttackError,
            "fgsm follows gradients, which no attacker under black_box has; add a threat such as white_box or adaptive, or choose square",
        ),
        (
            {"attacks": ("square",), "threats": ("white_box",)},
            AttackError,
            "square only asks the network, so it needs the threat black_box",
        ),
        ({"attacks": ("fgsm",), "threats": ("white_box", "black_box")}, AttackError, "no attack of fgsm can be made under black_box"),
    ],
)
def test_settings_that_cannot_be_run(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Settings(**given)


def test_every_epsilon_is_checked_before_anything_runs() -> None:
    chosen = Settings(attacks=("noise(norm=l2)",), threats=("black_box",), epsilons_l2=(0.5, 7.0))
    with pytest.raises(AttackError, match=r"epsilon of noise\(norm=l2\) must be above 0 and at most 6"):
        Campaign(networks("trunc(cut=7)"), images(), chosen)


def test_random_settings_are_ordered_and_without_repetition() -> None:
    made = Settings(epsilons=(0.1, 0.01, 0.1), attacks=("noise()", "noise"), threats=("black_box",))
    assert made.epsilons == (0.01, 0.1)
    assert made.attacks == ("noise",)
    assert np.isclose(made.strengths(made.members()[0])[0], 0.01)
