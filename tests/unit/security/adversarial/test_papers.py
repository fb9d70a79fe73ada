"""The tables of two papers, from networks and flags that are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import AttackError
from inexact.metrics import paired_difference
from inexact.security.adversarial import Images, hit_rates, transfer_grid
from inexact.security.adversarial._robustness import accuracy, difference

SCALING = (0.0, 1.0)


class Bright(nn.Module):
    """Two classes: whether the mean pixel is above a threshold."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(threshold))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.flatten(1).mean(1)
        return torch.stack([self.threshold - mean, mean - self.threshold], 1)


def images() -> Images:
    level = torch.cat([torch.linspace(0.2, 0.39, 20), torch.linspace(0.61, 0.8, 20)])
    return Images(pixels=level[:, None, None, None].expand(40, 1, 3, 3).clone(), labels=(level > 0.5).long(), scaling=SCALING)


def test_a_grid_counts_what_examples_of_the_accurate_network_take_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_grid, "ATTACKS", ("contrast_reduction",))
    monkeypatch.setattr(transfer_grid, "EPSILONS", {"linf": (), "l2": (0.15, 0.3)})
    exact, other = Bright(0.5), Bright(0.62)
    done = list[str]()
    path = tmp_path / "cells.json"
    found = transfer_grid.grid(exact, {"other": other}, images(), seed=0, path=path, progress=lambda what, *_: done.append(what))
    assert done == ["contrast_reduction | 0.15", "contrast_reduction | 0.3"]
    assert found["confidence"] == 1 - 0.05 / 2
    level = np.concatenate([np.linspace(0.2, 0.39, 20), np.linspace(0.61, 0.8, 20)])
    small = level + np.clip(0.5 - level, -0.1, 0.1)  # a change of 0.1 in each of 9 pixels has size 0.3
    clean, after = (level > 0.62) == (level > 0.5), (small > 0.62) == (level > 0.5)
    row = found["grids"]["contrast_reduction"][1]["networks"]
    assert row["exact"]["lost"] == 0
    assert row["other"]["robust"] == pytest.approx(100 * after.mean())
    assert row["other"]["lost"] == pytest.approx(100 * (clean & ~after).mean())
    wanted = paired_difference(clean & ~after, np.zeros(40, dtype=bool), found["confidence"])
    assert row["other"]["excess"] == {"points": pytest.approx(100 * wanted.drop), "ci": [100 * wanted.low, 100 * wanted.high]}
    judged = transfer_grid.verdict(found, ["other"])
    assert judged["verdict"] == "reproduced"
    assert "contrast_reduction, epsilon 0.3: " in judged["why"]
    again = transfer_grid.grid(exact, {"other": other}, images(), seed=0, path=path)
    assert again["grids"] == found["grids"]
    assert transfer_grid.verdict(transfer_grid.grid(exact, {"same": Bright(0.5)}, images(), seed=0), ["same"])["verdict"] == "inconclusive"
    with pytest.raises(AttackError, match="at least one approximate network to run the examples on: give a unit"):
        transfer_grid.grid(exact, {}, images(), seed=0)


def line(threats: tuple[str, ...], exact: int, approximate: int) -> dict[str, Any]:
    a, b = np.arange(100) < exact, np.arange(100) < approximate
    shown = {"float32": accuracy(a), "exact": accuracy(a), "approximate": accuracy(b), "difference": difference(a, b)}
    return {"measure": "linf", "epsilon": 0.1, "threats": list(threats), **shown}


@pytest.mark.parametrize(
    ("transfer", "own", "words"),
    [((20, 70), (20, 22), ["reproduced", "inconclusive"]), ((20, 21), (50, 10), ["inconclusive", "contradicted"])],
)
def test_claims_are_judged_by_their_intervals(transfer: tuple[int, int], own: tuple[int, int], words: list[str]) -> None:
    groups = [line(("exact_to_approximate",), *transfer), line(("white_box", "adaptive", "black_box"), *own), line(("adaptive",), 90, 0)]
    found = hit_rates.verdicts({"groups": groups})
    assert [claim["verdict"] for claim in found] == words
    gained = transfer[1] - transfer[0]
    left = f"linf 0.1: 20.0 % of images left by exact, {transfer[1]:.1f} % by approximate, 20.0 % by float32; "
    assert f"{left}approximate over exact {gained:+.1f} points [" in found[0]["why"]


def test_hit_rates_are_shares_of_what_was_right() -> None:
    row = {
        "attack": "pgd",
        "measure": "linf",
        "epsilon": 0.1,
        "threat": "white_box",
        "exact": {"robust": 48.0},
        "approximate": {"robust": 72.0},
    }
    clean = {"exact": {"robust": 96.0}, "approximate": {"robust": 90.0}}
    (found,) = hit_rates.hit_rates({"rows": [row], "clean": clean})
    assert found["columns"] == {"white box": {"exact": 50.0, "approximate": pytest.approx(20.0)}}


def test_the_plan_approximates_convolutions_alone() -> None:
    rules = hit_rates.PLAN.resolve({"conv1": "Conv2d", "fc1": "Linear"})
    assert rules["fc1"] is None
    assert rules["conv1"] is not None
    assert rules["conv1"].multiplier == "lmul(format=e4m3)"
    assert [attack.spec for attack in hit_rates.settings(0.1, 1.5, 0).members()] == list(hit_rates.ATTACKS)
