"""Fault campaigns and attacks in a study's report: found, named after designs, compared, and refused when they are about something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inexact.core.errors import AttackError, FaultError, StudyError
from inexact.core.files import sha256
from inexact.explore import Settings, Study
from inexact.explore.records import with_records
from inexact.nn import Plan
from inexact.reliability import CAMPAIGN
from inexact.reliability import Store as Campaigns

from .conftest import Fake

PLANS = [Plan({"default": unit}) for unit in ("exact", "trunc(cut=4)", "mitchell")]


@pytest.fixture
def study(tmp_path: Path) -> dict[str, Any]:
    """The report of a finished study of three trials; trial 2 was chosen."""
    (tmp_path / "net.safetensors").write_bytes(b"weights")
    settings = Settings(network="net", data="own", weights=str(tmp_path / "net.safetensors"))
    trials = [{"id": n, "status": "done" if n else "failed", "plan_toml": plan.to_toml()} for n, plan in enumerate(PLANS)]
    best = {"trial": 2, "plan_toml": PLANS[2].to_toml()}
    return {"title": "kept", "settings": settings.to_json(), "trials": trials, "best": best}


def about(plan: str, **changes: str) -> dict[str, str]:
    return {"network": "net", "data": "own", "plan": plan, "weights": sha256(b"weights"), "protect": "none", **changes}


def rate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "ci": [low, high], "n": 100}


def campaign(folder: Path, named: dict[str, str], sdc1: dict[str, Any] | None, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    settings = {"confidence": 0.95, "about": named}
    report = {"settings": settings, "images": 50, "top1": 90.0, "faults": [{"fault": "weight_flip", "sdc1": sdc1}], **changes}
    with Campaigns(folder / CAMPAIGN) as store:
        if sdc1 is not None:
            store.set_value("report", report)
    return folder


def attack(folder: Path, named: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    line = {"measure": "linf", "epsilon": 0.1, "pictures": [{"before": "AAAA"}]}
    (folder / "attack.json").write_text(json.dumps({"about": named, "worst": [line], "verdict": ["yes"], "plan_toml": ["long"]}))
    return folder


def test_records_are_found_named_and_compared(study: dict[str, Any], tmp_path: Path) -> None:
    home = tmp_path / "study"
    campaign(home / "faults" / "a", about(PLANS[2].sha256), rate(3.0, 2.0, 4.5))
    campaign(home / "faults" / "b", about("anything", study="this", design="exact"), rate(1.0, 0.5, 1.8))
    campaign(home / "faults" / "c", about(PLANS[1].sha256), None)
    elsewhere = campaign(tmp_path / "runs" / "one", about(PLANS[1].sha256), rate(0.9, 0.4, 1.7))
    attack(home / "attacks" / "a", about(PLANS[2].sha256))
    found = with_records(study, "this", home, faults=[elsewhere.parent, elsewhere])
    reliability = found["reliability"]
    assert found["title"] == "kept"
    assert [entry["design"] for entry in reliability["campaigns"]] == ["exact 8 bit", "chosen, trial 2", "trial 1"]
    assert reliability["unfinished"] == [str(Path("faults", "c"))]
    assert [entry["folder"] for entry in reliability["campaigns"]][1:] == [str(Path("faults", "a")), str(elsewhere)]
    chosen, other = reliability["comparisons"]
    (row,) = chosen["rows"]
    # ends by hand: 2 -+ the root of the sum of squares of what either end is away from its rate
    assert row["difference"] == {"points": 2.0, "ci": pytest.approx([2 - (1 + 0.64) ** 0.5, 2 + (2.25 + 0.25) ** 0.5]), "confidence": 0.95}
    assert (chosen["design"], row["verdict"]) == ("chosen, trial 2", "more")
    assert row["sentence"].startswith("Under weight_flip, the design (chosen, trial 2) loses 2.00 points more answers [0.72, 3.58] than")
    assert other["rows"][0]["verdict"] == "not told apart"
    (made,) = found["security"]["attacks"]
    assert made["design"] == "chosen, trial 2"
    assert made["result"] == {"worst": [{"measure": "linf", "epsilon": 0.1}], "verdict": ["yes"]}


def test_campaigns_under_other_conditions_are_not_compared(study: dict[str, Any], tmp_path: Path) -> None:
    exact = campaign(tmp_path / "exact", about("exact 8 bit"), rate(1.0, 0.5, 1.8))
    guarded = campaign(tmp_path / "guarded", about(PLANS[1].sha256, protect="range_clip"), rate(1.0, 0.5, 1.8))
    found = with_records(study, "this", tmp_path, faults=[exact, guarded])["reliability"]
    assert [entry["design"] for entry in found["campaigns"]] == ["exact 8 bit", "trial 1"]
    assert found["comparisons"] == [{"design": "trial 1", "rows": []}]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (about(PLANS[1].sha256, network="other"), r"must be about the study's network net, not other: leave it out, or run it"),
        (about(PLANS[1].sha256, data="mnist"), r"must be about the study's data own, not mnist"),
        (about(PLANS[1].sha256, weights=""), r"must be about the study's weights: leave it out"),
        (about(PLANS[0].sha256), r"must be about a plan of this study; none of its finished trials has the plan"),
        (about(PLANS[1].sha256, study="that"), r"was made for another study, or for this one before it was run anew: make it again"),
    ],
)
def test_records_of_something_else_are_refused(study: dict[str, Any], tmp_path: Path, named: dict[str, str], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        with_records(study, "this", tmp_path, faults=[campaign(tmp_path / "run", named, rate(1.0, 0.5, 1.8))])
    with pytest.raises(StudyError, match=said):
        with_records(study, "this", tmp_path, attacks=[attack(tmp_path / "attack", named)])


def test_folders_without_a_record_are_refused(study: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=r"must be the folder of a campaign, but has no campaign.db"):
        with_records(study, "this", tmp_path, faults=[tmp_path])
    with pytest.raises(AttackError, match=r"must hold the result of `inexact attack run`, attack.json"):
        with_records(study, "this", tmp_path, attacks=[tmp_path])


def test_the_report_of_a_study_in_python_takes_records(
    run_study: Callable[..., Study], fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, written = run_study(fake), list[Any]()
    monkeypatch.setattr("inexact.explore.study.write_html", lambda content, path: written.append(content))
    named = about(Plan.from_toml(study.trials[1].plan_toml).sha256, network="fake", data="made up", weights="", study=fake.fingerprint())
    study.report(tmp_path / "out", faults=[campaign(tmp_path / "runs" / "one", named, rate(3.0, 2.0, 4.5))])
    (found,) = written[0]["reliability"]["campaigns"]
    assert (found["design"], found["report"]["faults"][0]["sdc1"]["value"]) == ("trial 1", 3.0)
    with pytest.raises(StudyError, match=r"was made for another study"):
        study.report(tmp_path / "out", faults=[campaign(tmp_path / "runs" / "two", named | {"study": "that"}, rate(3.0, 2.0, 4.5))])
