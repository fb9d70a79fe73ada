"""Attacks on a linear classifier, whose answers under any small change are known in closed form."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import AttackError, MissingDependencyError, SpecError, UnknownNameError
from inexact.security.adversarial import Attack, Images, Target, attacks, distances

SCALING = (0.3, 0.5)
SIZE = (1, 10, 10)
MEMBERS = [attack for _, cls in attacks.items() for attack in cls.samples()]
FROM_ART = {"fgsm", "pgd", "deepfool"}
QUICK = [attack for attack in MEMBERS if attack.family_name not in FROM_ART]
ART = [attack for attack in MEMBERS if attack.family_name in FROM_ART]


class Linear(nn.Module):
    """Logits W x of normalised pixels, without bias."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.randn(classes, math.prod(SIZE), generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T


class Rounded(nn.Module):
    """A staircase: its gradient is zero everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Linear()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.inner(torch.round(x * 16) / 16)
        return found


def images(network: nn.Module, count: int = 12) -> Images:
    """Grey pixels far from the box, labelled as the network answers, the last one wrongly."""
    pixels = 0.4 + 0.2 * torch.rand(count, *SIZE, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        labels = network((pixels - SCALING[0]) / SCALING[1]).argmax(1)
    labels[-1] = (labels[-1] + 1) % 5
    return Images(pixels=pixels, labels=labels, scaling=SCALING)


def least(network: Linear, found: Images, norm: str) -> Tensor:
    """Smallest change in pixels that makes each image wrong: over the other classes, margin / dual norm of the difference of weights."""
    with torch.no_grad():
        logits = network((found.pixels - SCALING[0]) / SCALING[1])
        best = torch.full((len(found),), torch.inf)
        for image in range(len(found)):
            for other in range(5):
                own = int(found.labels[image])
                if other == own:
                    continue
                slope = (network.weight[other] - network.weight[own]) / SCALING[1]
                dual = slope.abs().sum() if norm == "linf" else slope.norm()
                best[image] = torch.minimum(best[image], (logits[image, own] - logits[image, other]) / dual)
    return best.clamp_min(0)


def numpy_state() -> list[int]:
    found: list[int] = np.random.get_state(legacy=False)["state"]["key"].tolist()
    return found


def radius(attack: Attack) -> float:
    return 0.03 if attack.measure == "linf" else 0.12


@pytest.mark.parametrize(
    "attack",
    [*QUICK, *(pytest.param(member, marks=pytest.mark.slow) for member in ART)],  # importing ART takes seconds
    ids=lambda attack: attack.spec,
)
def test_result_is_in_the_box_within_epsilon_and_repeatable(attack: Attack) -> None:
    pytest.importorskip({"square": "pyautoattack", "auto_attack": "pyautoattack"}.get(attack.family_name, "torch"))
    if attack.family_name in FROM_ART:
        pytest.importorskip("art")
    network = Linear()
    found = images(network)
    epsilon = radius(attack) if attack.bounded else 0.0
    before = numpy_state(), torch.get_rng_state()
    first = attack(Target(network, SCALING, name="linear"), found, epsilon=epsilon, seed=7)
    again = attack(Target(network, SCALING, name="linear"), found, epsilon=epsilon, seed=7)
    assert torch.equal(first.pixels, again.pixels)
    assert numpy_state() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert float(first.pixels.min()) >= 0
    assert float(first.pixels.max()) <= 1
    size = distances(first.pixels - found.pixels, attack.measure)
    if attack.bounded:
        assert float(size.max()) <= epsilon * (1 + 1e-6)
    assert torch.equal(first.pixels[-1], found.pixels[-1])  # wrong from the start: left alone
    assert bool(first.broken[-1])
    beyond = size[:-1] >= least(network, found, attack.measure)[:-1] * (1 - 1e-4)
    assert bool((~first.broken[:-1] | beyond).all())  # nothing is wrong within less than the least change
    assert (first.backward_passes > 0) == (attack.needs == "gradients")


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["fgsm", "pgd", "pgd(loss=margin)", "pgd(norm=l2,steps=40)", "pgd(norm=l2,loss=margin)"])
def test_gradient_attacks_find_every_image_within_reach(spec: str) -> None:
    pytest.importorskip("art")
    network = Linear(classes=2)  # with two classes one step is the best there is
    pixels = 0.4 + 0.2 * torch.rand(60, *SIZE, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        labels = network((pixels - SCALING[0]) / SCALING[1]).argmax(1)
        slope = (network.weight[0] - network.weight[1]) / SCALING[1]
        logits = network((pixels - SCALING[0]) / SCALING[1])
        margin = (logits[:, 0] - logits[:, 1]).abs()
    found, attack = Images(pixels=pixels, labels=labels, scaling=SCALING), attacks.get(spec)
    need = margin / (slope.abs().sum() if attack.measure == "linf" else slope.norm())
    epsilon = float(need.median())
    made = attack(Target(network, SCALING, name="linear"), found, epsilon=epsilon, seed=0)
    clear = (need < 0.9 * epsilon) | (need > epsilon * 1.001)
    assert int(clear.sum()) > 50
    assert torch.equal(made.broken[clear], (need < 0.9 * epsilon)[clear])


@pytest.mark.parametrize(
    ("spec", "slack"),
    [
        pytest.param("deepfool", 1.03, marks=pytest.mark.slow),
        ("carlini_wagner(searches=8,steps=100,rate=.002)", 1.05),
        pytest.param("hop_skip_jump(queries=4000)", 1.3, marks=pytest.mark.slow),
    ],
)
def test_attacks_for_the_smallest_change_come_near_it(spec: str, slack: float) -> None:
    if spec == "deepfool":
        pytest.importorskip("art")
    network = Linear()
    found = images(network)
    made = attacks.get(spec)(Target(network, SCALING, name="linear"), found, seed=1)
    assert bool(made.broken.all())
    ratio = (distances(made.pixels - found.pixels, "l2") / least(network, found, "l2"))[:-1]
    assert float(ratio.min()) >= 1 - 1e-4
    assert float(ratio.max()) <= slack


def test_square_spends_its_queries_on_images_that_are_still_right() -> None:
    pytest.importorskip("pyautoattack")
    network = Linear()
    found = images(network)
    target = Target(network, SCALING, name="linear", gives_gradients=False)
    made = attacks.get("square(queries=60)")(target, found, epsilon=0.2, seed=0)
    assert 0 < made.queries <= 60 + 5
    assert float(made.broken.double().mean()) > 0.7


def test_square_in_l2_needs_room_for_its_windows() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    small = Images(pixels=torch.rand(2, 1, 4, 4), labels=torch.zeros(2, dtype=torch.int64), scaling=SCALING)
    small = Images(pixels=small.pixels, labels=network((small.pixels - 0.3) / 0.5).argmax(1), scaling=SCALING)
    with pytest.raises(AttackError, match=r"square\(norm=l2\) places windows in a grid and needs images of 10 x 10, not 4 x 4"):
        attacks.get("square(norm=l2)")(Target(network, SCALING, name="linear"), small, epsilon=0.5, seed=0)


def test_contrast_is_reduced_by_the_share_that_has_size_epsilon() -> None:
    network = Linear()
    found = images(network)
    target = Target(network, SCALING, name="linear")
    made = attacks.get("contrast_reduction(norm=linf)")(target, found, epsilon=0.02, seed=0)
    torch.testing.assert_close(distances(made.pixels - found.pixels, "linf")[:-1], torch.full((11,), 0.02))
    ratio = (made.pixels - found.pixels)[0] / (0.5 - found.pixels)[0]
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-3, atol=1e-4)
    grey = attacks.get("contrast_reduction")(target, found, epsilon=9.0, seed=0)
    torch.testing.assert_close(grey.pixels[:-1], torch.full_like(grey.pixels[:-1], 0.5))


@pytest.mark.parametrize("network", [Rounded(), Linear()], ids=["staircase", "no_grad"])
def test_an_attack_that_follows_gradients_refuses_a_network_without(network: nn.Module) -> None:
    target = Target(network, SCALING, name="the bare table", gives_gradients=isinstance(network, Rounded))
    found = images(Linear())
    what = "zero or no number for all of 8 images" if isinstance(network, Rounded) else "none"
    with pytest.raises(
        AttackError, match=rf"carlini_wagner follows gradients, but the bare table gives {what}: .* would look like robustness"
    ):
        attacks.get("carlini_wagner")(target, found, seed=0)


@pytest.mark.parametrize(
    ("spec", "epsilon", "said"),
    [
        ("fgsm", 8.0, r"epsilon of fgsm must be above 0 and at most 1 \(pixels are 0..1\), not 8; divide grey levels by 255"),
        ("noise", 0.0, "epsilon of noise must be above 0 and at most 1"),
        ("square(norm=l2)", 10.5, r"must be above 0 and at most 10 \(the root of 100 pixel values\), not 10.5"),
    ],
)
def test_epsilon_out_of_range(spec: str, epsilon: float, said: str) -> None:
    network = Linear()
    with pytest.raises(AttackError, match=said):
        attacks.get(spec)(Target(network, SCALING, name="linear"), images(network), epsilon=epsilon, seed=0)


def test_no_images() -> None:
    network = Linear()
    none = images(network).part(torch.zeros(12, dtype=torch.bool))
    with pytest.raises(AttackError, match="at least one image to attack; none came"):
        attacks.get("noise")(Target(network, SCALING, name="linear"), none, epsilon=0.1, seed=0)


def test_unknown_names_and_parameters() -> None:
    with pytest.raises(UnknownNameError, match="no attack is called 'pgdd'; did you mean 'pgd'"):
        attacks.get("pgdd")
    with pytest.raises(SpecError, match="norm must be one of linf, l2, not 'l1'"):
        attacks.get("pgd(norm=l1)")
    with pytest.raises(SpecError, match="loss must be one of cross_entropy, margin, not 'dlr'"):
        attacks.get("pgd(loss=dlr)")
    with pytest.raises(SpecError, match="parts of auto_attack must be of apgd-ce"):
        attacks.get("auto_attack(parts=('apgd',))")
    with pytest.raises(SpecError, match=r"spread must be 0..1, as pixels are, not 2"):
        attacks.get("hop_skip_jump(spread=2)")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    network = Linear()
    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(
        MissingDependencyError, match=r"the package art, which is not installed; install it with: pip install 'inexact\[security\]'"
    ):
        attacks.get("fgsm")(Target(network, SCALING, name="linear"), images(network), epsilon=0.1, seed=0)


def test_specs_come_back() -> None:
    for attack in MEMBERS:
        assert attacks.get(attack.spec) == attack
        assert (type(attack).__doc__ or "").count("Reference:") == 1
