"""`inexact attack`: from a plan to a page, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from inexact.cli import run

SHORT = ["--attack", "noise(draws=2)", "--threat", "black_box", "--epsilon", "0.05"]


def arguments(out: Path, *more: str) -> list[str]:
    return ["attack", "run", "--network", "lenet5", "--images", "12", "--out", str(out), "--json", *more]


@pytest.fixture(autouse=True)
def _quick_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    from inexact.security.adversarial import _audit

    monkeypatch.setattr(_audit, "AUDITED", 2)
    monkeypatch.setattr(_audit, "DIRECTIONS", 1)


@pytest.mark.slow
def test_run_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(tmp_path, "--plan", "trunc(cut=7)", *SHORT)) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["images"], found["network"], found["data"], found["plans"]) == (12, "lenet5", "fashion-mnist", ["trunc(cut=7)"])
    (row,) = found["rows"]
    assert (row["attack"], row["threat"], row["epsilon"]) == ("noise(draws=2)", "black_box", 0.05)
    assert row["approximate"]["queries"] > 1
    for name in ("float32", "exact", "approximate"):
        low, high = row[name]["ci"]
        assert low <= row[name]["robust"] <= high
        assert row[name]["robust"] <= found["clean"][name]["robust"]
    page = (tmp_path / "report.html").read_text()
    assert found["verdict"][0].split(",")[0] in page
    (tmp_path / "report.html").unlink()
    assert run(["attack", "report", str(tmp_path), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["rows"] == found["rows"]
    assert (tmp_path / "report.html").read_text() == page
    assert run(["attack", "report", str(tmp_path)]) == 0
    assert found["verdict"][0] in capsys.readouterr().out


@pytest.mark.slow
def test_the_default_list_on_few_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("art")
    pytest.importorskip("pyautoattack")
    given = arguments(tmp_path, "--plan", "mitchell", "--epsilon", "0.1", "--epsilon-l2", "1.5", "--threat", "white_box")
    assert run([word for word in given if word != "--json"]) == 0
    found = json.loads((tmp_path / "attack.json").read_text())
    assert {row["attack"] for row in found["rows"]} >= {"fgsm", "pgd", "carlini_wagner", "deepfool"}
    assert found["worst"][0]["approximate"]["robust"] <= min(
        row["approximate"]["robust"] for row in found["rows"] if row["measure"] == "linf"
    )
    assert "Robust accuracy, %" in capsys.readouterr().out


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["attack", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {attack["name"] for attack in found["attacks"]} == {
        "fgsm",
        "pgd",
        "carlini_wagner",
        "deepfool",
        "square",
        "hop_skip_jump",
        "auto_attack",
        "noise",
        "contrast_reduction",
    }
    assert [threat["name"] for threat in found["threats"]][:3] == ["exact_to_approximate", "approximate_to_exact", "black_box"]
    assert run(["attack", "list"]) == 0
    assert "hop_skip_jump" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--plan", "mitchell", "--attack", "fgsn"], "no attack is called 'fgsn'; did you mean 'fgsm'"),
        (["--plan", "mitchell", "--epsilon", "8"], "epsilon is in pixels 0..1 and must be at most 1, not 8; divide grey levels by 255"),
        (
            ["--plan", "mitchell", "--attack", "fgsm", "--threat", "black_box"],
            "fgsm follows gradients, which no attacker under black_box has",
        ),
        (["--plan", "mitchel", *SHORT], "no multiplier is called 'mitchel'; did you mean 'mitchell'"),
        (["--plan", "none.toml", *SHORT], "plan file none.toml cannot be read"),
        (["--plan", "mitchell", "--images", "0"], "Invalid value for '--images': 0 is not in the range x>=1"),
        (["--plan", "mitchell", "--scaling", "0.5"], "--scaling must be MEAN,DEVIATION such as 0.5,0.5, not '0.5'"),
        (["--plan", "mitchell", "--scaling", "0.5,0"], "the deviation of --scaling must be above 0, not 0"),
        (["--plan", "mitchell", "--scaling", "0.5,9"], "pixels must be 0..1 when normalisation by 0.5, 9 is undone"),
        ([], "there must be an approximate network to compare: give --plan a TOML file or the spec of a unit"),
    ],
)
def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str) -> None:
    assert run(arguments(tmp_path / "out", *more)) != 0
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out" / "attack.json").exists()


def test_text_has_no_pixels(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from inexact import zoo

    tokens = torch.ones(4, 8, dtype=torch.int64)
    mails = zoo.Dataset(images=tokens, labels=torch.zeros(4, dtype=torch.int64), name="spamassassin", split="test", classes=("ham",))
    monkeypatch.setattr(zoo, "data", lambda *_: mails)
    assert run(arguments(tmp_path, "--network", "minilm", "--data", "spamassassin", "--plan", "mitchell", *SHORT)) == 1
    assert "attacks change pixels, so inputs must be images [C, H, W] of numbers; 'spamassassin' has tokens" in capsys.readouterr().err


def test_a_folder_without_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["attack", "report", str(tmp_path)]) == 1
    assert "must hold the result of `inexact attack run`, attack.json" in capsys.readouterr().err
