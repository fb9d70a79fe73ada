"""`inexact study` on a real network and real images: run, files, front, report, resume, exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import inexact as ix
from inexact.cli import run
from inexact.zoo import load_into, read_weights

WEIGHTS = Path(ix.zoo.__file__).parent / "weights"
TRIALS = 8


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred embedded images as a user's .npz with two splits."""
    path = tmp_path_factory.mktemp("data") / "few.npz"
    arrays: dict[str, Any] = {}
    for split, count in (("validation", 300), ("test", 200)):
        part = ix.zoo.data("fashion-mnist", split, limit=count)
        arrays |= {f"{split}_images": part.images.numpy(), f"{split}_labels": part.labels.numpy()}
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small search space."""
    path = tmp_path_factory.mktemp("space") / "space.toml"
    path.write_text(
        '[[group]]\nmultipliers = ["exact", "trunc(cut=4)", "drum(k=4)"]\nprecisions = ["w5a6", "int8"]\ncodings = ["sign_magnitude"]\n'
        'recoveries = ["bias_correction(gain=true)"]\n'
    )
    return path


def command(images: Path, space: Path, out: Path, *more: str) -> list[str]:
    chosen = ["--network", "lenet5", "--data", str(images), "--weights", str(WEIGHTS / "lenet5.fashion-mnist.safetensors")]
    sizes = ["--trials", str(TRIALS), "--calibration", "40", "--search-images", "120", "--space", str(space), "--max-drop", "3"]
    return ["study", "run", *chosen, *sizes, "--seed", "0", "--out", str(out), *more]


@pytest.fixture(scope="module")
def finished(images: Path, space: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study")
    assert run(command(images, space, out)) == 0
    return out


def test_files(finished: Path) -> None:
    names = {path.name for path in finished.iterdir() if not path.name.startswith("study.db-")}
    assert names == {"report.html", "front.csv", "best.plan.toml", "best.safetensors", "study.db", "study.json"}
    page = (finished / "report.html").read_text()
    assert len(page) < 1_000_000
    assert "trunc" in page or "drum" in page or "exact" in page
    with (finished / "front.csv").open() as handle:
        assert list(csv.DictReader(handle))


def test_content(finished: Path) -> None:
    content = json.loads((finished / "study.json").read_text())
    assert len(content["trials"]) == TRIALS
    assert content["trials"][0]["energy_saving"] == 0.0  # the exact design comes first
    best = content["best"]
    assert best["validation"]["n"] == 260
    assert best["validation"]["drop"] <= 3
    assert best["test"]["n"] == content["test_float32"]["n"] == 200
    low, high = best["test"]["drop_ci"]
    assert low <= best["test"]["drop"] <= high
    assert set(best["savings"]) == set(best["ceiling"]) == {"multiplier", "array", "on_chip", "with_dram"}
    energy = sum(layer["energy_pj"] for layer in best["layers"])
    assert energy == pytest.approx(sum(content["energy"]["best"].values()))
    baseline = sum(layer["baseline_energy_pj"] for layer in best["layers"])
    assert best["savings"]["with_dram"]["value"] == pytest.approx(100 * (1 - energy / baseline))
    assert {unit["spec"] for unit in content["units"]} == {
        layer["multiplier"] for layer in best["layers"] if layer["precision"] != "vector unit"
    }
    assert content["energy"]["by_boundary"]["best"]["with_dram"] == pytest.approx(energy)
    assert 0 < best["latency_ms"]["value"] <= best["baseline_latency_ms"]["value"] < 1
    assert "latency, chosen design" in (finished / "report.html").read_text()
    assert all(row["source"] and row["unit"] for row in content["provenance"])


def test_best_weights_are_the_measured_network(finished: Path, images: Path) -> None:
    content = json.loads((finished / "study.json").read_text())
    model = ix.zoo.network("lenet5")
    net = ix.approximate(model, ix.Plan.load(finished / "best.plan.toml"))
    load_into(net, read_weights(finished / "best.safetensors"), where="best.safetensors")
    test = ix.evaluate(net, ix.zoo.data(str(images), "test"), reference=model)
    assert test.top1 == pytest.approx(content["best"]["test"]["top1"])
    assert test.drop == pytest.approx(content["best"]["test"]["drop"])


@pytest.mark.slow
def test_a_space_may_offer_divided_channels(images: Path, tmp_path: Path) -> None:
    """Ranked, forecast, tried and measured like any other; costs of a plan are those of its design, and its files give it back."""
    space = tmp_path / "space.toml"
    units = '[[group]]\nmultipliers = ["trunc(cut=8)"]\ncodings = ["unsigned"]\nlayers = ["conv2", "fc*"]\n'
    space.write_text(
        units + 'recoveries = ["equalisation(alphas=(0.5,1.0))", "equalisation(alphas=(0.5,1.0)) + shared_column(gain=true)"]\n'
    )
    out = tmp_path / "out"
    assert run(command(images, space, out, "--forecast")) == 0
    content = json.loads((out / "study.json").read_text())
    best, plan = content["best"], ix.Plan.load(out / "best.plan.toml")
    assert any(rule is not None and "equalisation" in rule.recovery for rule in plan.rules.values())
    assert sum(layer["energy_pj"] for layer in best["layers"]) == pytest.approx(sum(content["energy"]["best"].values()))
    net = ix.approximate(ix.zoo.network("lenet5"), plan)
    load_into(net, read_weights(out / "best.safetensors"), where="best.safetensors")
    assert any(layer.divisors is not None for layer in net.layers().values())
    found = ix.evaluate(net, ix.zoo.data(str(images), "test"))
    assert found.top1 == pytest.approx(best["test"]["top1"])
    built = ix.estimate(net, "edge-16x16", input_shape=(1, 28, 28))
    assert built.energy_pj.total.value == pytest.approx(sum(layer["energy_pj"] for layer in best["layers"]))


def test_running_again_repeats_nothing(finished: Path, images: Path, space: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((finished / "study.json").read_text())
    assert run(command(images, space, finished, "--json")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["trials"] == TRIALS
    assert answer["best"] == before["best"]
    assert [point["trial"] for point in answer["front"]] == [trial["id"] for trial in before["front"]]


def test_front_and_report(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", "front", str(finished), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["finished"]
    content = json.loads((finished / "study.json").read_text())
    assert [point["trial"] for point in answer["front"]] == [trial["id"] for trial in content["front"]]
    assert run(["study", "front", str(finished)]) == 0
    assert "points lost" in capsys.readouterr().out
    (finished / "report.html").unlink()
    assert run(["study", "report", str(finished)]) == 0
    assert (finished / "report.html").is_file()


FAULTS = ("--images", "40", "--workers", "0", "--margin", "6", "--fault", "activation_flip(bits=3)")


def test_faults_of_a_design_stand_in_the_report(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fault", "run", "--study", str(finished), *FAULTS, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    content = json.loads((finished / "study.json").read_text())
    chosen = f"trial-{content['best']['trial']}"
    assert set(answer["designs"]) == {"exact", chosen}
    assert (finished / "faults" / chosen / "plan.toml").read_text() == content["best"]["plan_toml"]
    alike = [read_weights(path) for path in (finished / "faults" / chosen / "weights.safetensors", finished / "best.safetensors")]
    assert all(torch.equal(value, alike[1][name]) for name, value in alike[0].items())
    assert [row["fault"] for row in answer["comparison"]] == ["activation_flip(bits=(3,))"]
    page = (finished / "report.html").read_text()
    assert answer["comparison"][0]["sentence"].removeprefix(f"Under activation_flip(bits=(3,)), {chosen}") in page
    # by hand, on another plan: named with --faults, and not among those of the study
    assert run(["fault", "run", "--network", "lenet5", "--out", str(finished / "other"), *FAULTS]) == 0
    capsys.readouterr()
    assert run(["study", "report", str(finished), "--faults", str(finished / "other")]) == 1
    assert "must be about the study's data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--trial", "900"], 1, "trial must be best or one of the study's"),
        (["--network", "lenet5"], 2, "--study names network, data, plan and folder; leave out --network"),
    ],
)
def test_designs_that_cannot_be_examined(finished: Path, more: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fault", "run", "--study", str(finished), *FAULTS, *more]) == code
    assert said in capsys.readouterr().err
    assert run(["attack", "run", *more[2:], "--epsilon", "0.1"]) == 2
    assert "--network and --out must be given, or --study with" in capsys.readouterr().err


@pytest.mark.slow
def test_attacks_on_a_design_stand_in_the_report(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--images", "12", "--scaling", "0.2860,0.3530", "--attack", "noise(draws=2)", "--threat", "black_box", "--epsilon", "0.05"]
    assert run(["attack", "run", "--study", str(finished), *quick, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["about"]["design"].startswith("trial-")
    page = (finished / "report.html").read_text()
    assert "Alarms for masked gradients" in page
    assert answer["verdict"][0].split(",")[0] in page


def test_resume_extends(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((finished / "study.json").read_text())
    capsys.readouterr()
    assert run(["study", "resume", str(finished), "--trials", str(TRIALS + 2), "--json", "--no-report"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["trials"] == TRIALS + 2
    after = json.loads((finished / "study.json").read_text())
    assert [t["plan_toml"] for t in after["trials"][:TRIALS]] == [t["plan_toml"] for t in before["trials"]]


def test_nothing_satisfies(images: Path, space: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(images, space, tmp_path, "--max-drop", "-20", "--trials", "2", "--json")
    assert run(arguments) == 3
    captured = capsys.readouterr()
    assert json.loads(captured.out)["best"] is None
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("error: no design loses at most -20 points: the best of 2 reached")
    assert (tmp_path / "report.html").is_file()
    assert not (tmp_path / "best.plan.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "resume", "{tmp}"], "must hold a study"),
        (["study", "front", "{tmp}/missing"], "must hold a study"),
        (["study", "run", "--network", "lenet5", "--sampler", "genetic", "--out", "{tmp}/a"], "no sampler is called 'genetic'"),
        (["study", "run", "--network", "lenet", "--out", "{tmp}/b"], "no network is called 'lenet'; did you mean 'lenet5'"),
        (["study", "run", "--network", "lenet5", "--accelerator", "edge", "--out", "{tmp}/c"], "edge-16x16"),
        (["study", "run", "--network", "lenet5", "--space", "{tmp}/none.toml", "--out", "{tmp}/d"], "must be a readable TOML file"),
        (["study", "run", "--network", "lenet5", "--max-drop", "nan", "--out", "{tmp}/e"], "max_drop must be a finite number"),
    ],
)
def test_bad_input(arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([part.replace("{tmp}", str(tmp_path)) for part in arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]


def test_python_face(images: Path, tmp_path: Path) -> None:
    model = ix.zoo.network("lenet5")
    data = ix.zoo.data(str(images), "validation")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    candidates = {"conv2": ["exact", "trunc(cut=4)"], "fc1": ["drum(k=4)"]}
    study = ix.explore(model, candidates, objectives=("top1", "energy_pj"), budget=4, data=data, seed=0, out=tmp_path)
    assert 1 <= len(study.trials) <= 4
    assert "points lost" in study.front.plot()
    assert study.best.test is None
    assert study.report(tmp_path).is_file()
    assert repr(study).endswith(f"study.db, {len(study.trials)} trials, {len(study.front)} on the front, best trial {study.best.trial})")
    with pytest.raises(ix.core.errors.FaultError, match=r"must be the folder of a campaign, but has no campaign\.db"):
        study.report(tmp_path, faults=[tmp_path])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ix.core.errors.DataError, match="a search needs labelled images to measure accuracy: give data="):
        ix.explore(model, candidates)


@pytest.mark.slow(first=True)  # it takes two minutes: the other core runs the rest meanwhile
def test_the_main_job(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    arguments = ["study", "run", "--network", "resnet8", "--data", "fashion-mnist", "--accelerator", "edge-16x16", "--max-drop", "1.0"]
    assert run([*arguments, "--trials", "60", "--seed", "0", "--out", str(out)]) == 0
    content = json.loads((out / "study.json").read_text())
    assert len(content["trials"]) == 60
    assert content["best"]["validation"]["drop"] <= 1.0
    assert content["best"]["test"]["n"] == 10000
    assert content["best"]["savings"]["with_dram"]["value"] > 20
