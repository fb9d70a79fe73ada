"""Recipes of works run on the zoo: every planned layer is emulated, and the network still answers."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import torch

from inexact import zoo
from inexact.atlas.describe import commands
from inexact.atlas.links import recipes
from inexact.cli import run
from inexact.nn import approximate, correct_answers
from inexact.recovery import recover

PLANS = sorted(name for name, recipe in recipes().items() if recipe.kind == "plan" and name != "early_exit")
"""Every plan but that of exits, whose classifiers must be trained first."""

IMAGES = 100


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANS)
def test_a_recipe_runs_on_its_network(name: str) -> None:
    torch.set_num_threads(1)
    recipe = recipes()[name]
    model, plan = zoo.network(recipe.network, data=recipe.data), recipe.plan()
    calibration, images = zoo.data(recipe.data, "validation", 256), zoo.data(recipe.data, "test", IMAGES)
    emulated = approximate(model, plan, calibrate=calibration)
    if any(rule is not None and rule.recovery != "none" for rule in plan.rules.values()):
        emulated = recover(emulated, data=calibration)
    assert emulated.layers()
    right = correct_answers(emulated, images).mean()
    needed = 0.1 if "finetune" in " ".join(recipe.commands) else 0.5  # some answer only after the training that their commands begin with
    assert right >= needed, right


def test_plans_that_answer_only_after_training_say_so() -> None:
    trained = {name for name in PLANS if "finetune" in " ".join(recipes()[name].commands)}
    assert {"filter_pruning", "alphabet_one", "power_of_two"} <= trained


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table_gradient", "alphabet_one"])
def test_a_recipe_that_trains(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = recipes()[name]
    (tmp_path / "plan.toml").write_text(recipe.to_toml())
    train, evaluate = commands(recipe, tmp_path)
    assert run([*shlex.split(train)[1:], "--limit", "1024", "--validation-limit", "256", "--threads", "1", "--json"]) == 0
    capsys.readouterr()
    assert run([*shlex.split(evaluate)[1:], "--limit", "500", "--threads", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["top1"] > 80


@pytest.mark.slow
def test_a_recipe_that_searches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = recipes()["layerwise_search"]
    (tmp_path / "space.toml").write_text(recipe.to_toml())
    small = ["--trials", "3", "--calibration", "64", "--search-images", "128", "--promote-images", "128", "--finalists", "1"]
    assert (
        run([*shlex.split(commands(recipe, tmp_path)[0])[1:], *small, "--max-drop", "50", "--threads", "1", "--no-report", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["trials"] == 3
    assert run(["atlas", "complexity", "--mine", str(tmp_path / "study.db"), "--json"]) == 0
    placed = json.loads(capsys.readouterr().out)["mine"]
    assert (placed["data_tier"], placed["network_tier"]) == (1, 2)
    assert placed["macs"] == 9_345_920
