"""`inexact recover`: from a plan to recovered weights, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inexact.cli import run
from inexact.nn import Plan
from inexact.recovery import automatic, recover


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    Plan(multiplier="trunc(cut=8)").save(tmp_path / "plan.toml")
    return tmp_path / "plan.toml"


def arguments(plan: Path, *more: str) -> list[str]:
    sizes = ["--calibration", "32", "--decide", "60", "--limit", "60"]
    return ["recover", "--network", "lenet5", "--plan", str(plan), "--out", str(plan.parent / "r.safetensors"), *sizes, "--json", *more]


def test_auto_stops_at_the_first_recovery_that_meets_the_budget(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(plan, "--max-drop", "15")) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["met"]
    assert [trial["recovery"] for trial in found["trials"]] == list(automatic.LADDER[: len(found["trials"])])
    assert all(trial["drop"] > 15 for trial in found["trials"][:-1])
    assert found["trials"][-1]["drop"] <= 15
    assert found["recovery"] == found["trials"][-1]["recovery"]
    assert Plan.load(found["plan"]).rules["default"].recovery == found["recovery"]  # type: ignore[union-attr]
    assert not list(plan.parent.glob("*.trials.json"))
    checked = ["net", "evaluate", "--network", "lenet5", "--plan", found["plan"], "--weights", found["weights"], "--limit", "60", "--json"]
    assert run(checked) == 0
    assert json.loads(capsys.readouterr().out)["top1"] == found["top1"]


def test_modes_are_chosen_under_the_budget_and_can_be_estimated(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Plan(multiplier="lvrm(mode=0)", modes="per_weight").save(plan)
    assert run(arguments(plan, "--method", "modes", "--max-drop", "15")) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["met"]
    assert found["recovery"] == "every layer in its cheapest modes"
    files = ["--plan", found["plan"], "--weights", found["weights"]]
    assert run(["net", "evaluate", "--network", "lenet5", *files, "--limit", "60", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["top1"] == found["top1"]
    assert run(["net", "estimate", "--network", "lenet5", *files, "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)
    assert "netlist of all modes with the mode set" in cost["energy_pj"]["by_component"]["multipliers"]["source"]
    assert cost["savings"]["multiplier"]["value"] > 0
    assert run(arguments(plan, "--method", "pn_balance")) == 1
    assert "pn_balance in layer conv1 chooses modes of pn, but its unit is lvrm(" in capsys.readouterr().err


def test_an_interrupted_run_goes_on(plan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole, made = recover, list[Any]()

    def stop_at_third(net: Any, spec: Any, **settings: Any) -> Any:
        made.append(spec)
        if len(made) == 3:
            raise KeyboardInterrupt
        return whole(net, spec, **settings)

    monkeypatch.setattr(automatic, "recover", stop_at_third)
    monkeypatch.setattr(automatic, "LADDER", ("none", "bias_correction", "bias_correction(gain=true)"))
    assert run(arguments(plan, "--max-drop", "15")) == 130
    assert not (plan.parent / "r.safetensors").exists()
    assert run(arguments(plan, "--max-drop", "15")) == 0
    found = json.loads(capsys.readouterr().out)
    assert made[:3] == list(automatic.LADDER[:3])
    assert made[3] == automatic.LADDER[2]  # the two finished trials are not made again
    assert [trial["recovery"] for trial in found["trials"]][:2] == made[:2]


def test_what_is_refused(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(plan, "--method", "reconstruction")) == 1
    assert "reconstruction needs at least 64 calibration inputs, but 32 came" in capsys.readouterr().err
    assert run(arguments(plan, "--method", "bias_corection")) == 1
    assert "did you mean 'bias_correction'" in capsys.readouterr().err
    assert run(arguments(plan, "--method", "modes")) == 1
    assert "no layer has modes to choose: give a rule a unit pn or lvrm and modes = 'per_weight'" in capsys.readouterr().err
    Plan({"*": None}).save(plan)
    assert run(arguments(plan, "--method", "bias_correction")) == 1
    assert "needs a layer to correct, but the plan keeps every layer in float32" in capsys.readouterr().err
    assert run([*arguments(plan)[:6], str(plan.parent / "r.bin")]) == 1
    assert "the weights file must end with .safetensors" in capsys.readouterr().err
