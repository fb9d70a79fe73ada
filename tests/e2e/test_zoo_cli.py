"""The data and net commands, from the words typed to what is printed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inexact import nn, zoo
from inexact.cli import _mixed, _reductions, run
from inexact.zoo.training._checkpoint import save


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path / "cache"))


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """What a command prints with --json; nothing else may be on stdout."""
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one sentence a command refuses with."""
    assert run(list(words)) == 1
    captured = capsys.readouterr()
    assert not captured.out
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def save_small(path: Path) -> str:
    found = zoo.data("fashion-mnist", "validation", 420)
    parts = {"train": slice(0, 300), "validation": slice(300, 360), "test": slice(360, 420)}
    arrays = {f"{s}_images": found.images[p].numpy() for s, p in parts.items()}
    np.savez(path, **arrays, **{f"{s}_labels": found.labels[p].numpy() for s, p in parts.items()})  # type: ignore[arg-type]
    return str(path)


def test_data_list(capsys: pytest.CaptureFixture[str]) -> None:
    found = {row["name"]: row for row in answer(capsys, "data", "list")["data"]}
    assert found["fashion-mnist"]["splits"] == ["test", "validation"]
    assert found["mnist"]["splits"] == []
    assert run(["data", "list"]) == 0
    assert "fashion-mnist" in capsys.readouterr().out


def test_data_fetch_of_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no data set is called 'minst'; did you mean 'mnist'" in refusal(capsys, "data", "fetch", "minst")


def test_net_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = answer(capsys, "net", "list")["networks"]
    found = {row["name"]: row for row in rows}
    assert found["resnet8"]["parameters"] == 77_754
    assert found["resnet8"]["weights"]["fashion-mnist"]["accuracy"]["test"]["top1"] >= 92.3
    assert found["vgg7"]["weights"] == {}
    monkeypatch.setattr("inexact.cli.net._known", lambda: rows)  # which takes a second
    assert run(["net", "list"]) == 0
    assert "77,754" in capsys.readouterr().out


def test_evaluate_in_float32(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "net", "evaluate", "--network", "lenet5", "--data", "fashion-mnist", "--limit", "200", "--threads", "1")
    assert found["n"] == 200
    assert found["top1"] == zoo.measure(zoo.network("lenet5"), zoo.data("fashion-mnist", limit=200)).top1
    assert found["top1_ci"][0] < found["top1"] < found["top1_ci"][1]
    assert (found["drop"], found["drop_ci"], found["drop_int8"], found["drop_int8_ci"]) == (0.0, [0.0, 0.0], None, None)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    nn.Plan(multiplier="trunc(cut=7)", precision="int8").save(tmp_path / "plan.toml")
    return tmp_path / "plan.toml"


def test_evaluate_a_plan(capsys: pytest.CaptureFixture[str], plan: Path, tmp_path: Path) -> None:
    words = ["net", "evaluate", "--network", "lenet5", "--plan", str(plan), "--limit", "150", "--agreement"]
    found = answer(capsys, *words)
    assert found["drop"] > 5  # a cut of 7 columns without repair ruins this network
    assert found["drop_ci"][0] < found["drop"] < found["drop_ci"][1]
    assert found["drop_int8_ci"][0] < found["drop_int8"] < found["drop_int8_ci"][1]
    assert found["agreement"]["top1"] < 100
    assert found == answer(capsys, *words, "--batch-size", "37")
    net = nn.approximate(zoo.network("lenet5"), nn.Plan.load(plan), calibrate=zoo.data("fashion-mnist", "validation", 512))
    zoo.write_weights(tmp_path / "own.safetensors", net)
    assert answer(capsys, *words, "--weights", str(tmp_path / "own.safetensors")) == found


def test_shares_of_mixed_formats_are_shown_and_charged_or_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = tmp_path / "outlier.toml"
    plan.write_text('[plan]\nversion = 1\n[plan.rules.default]\nprecision = "outlier"\ncoding = "sign_magnitude"\n')
    plan.write_text(plan.read_text() + '[plan.rules.conv1]\ncoding = "sign_magnitude"\n')
    words = ("--network", "lenet5", "--plan", str(plan))
    found = answer(capsys, "net", "evaluate", *words, "--limit", "20")["mixed"]
    assert "conv1" not in found
    assert 0 < found["conv2"]["wide_activation_products"] < 0.1
    charged = answer(capsys, "net", "estimate", *words, "--accelerator", "olaccel-like")
    assert charged["mixed"] == found
    assert charged["savings"]["with_dram"]["value"] > 20
    _mixed.show(found)
    assert "crowded" in capsys.readouterr().out
    assert run(["net", "estimate", *words]) == 1
    assert "wider operands that are few, for which the parallel processing elements" in capsys.readouterr().err


def test_what_reductions_leave_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rules = {"conv1": nn.Rule(coding="signed", reduction="magnitude_pruning(fraction=0.5)"), "default": nn.Rule(reduction="zero_skipping")}
    nn.Plan(rules).save(tmp_path / "plan.toml")
    words = ["--network", "lenet5", "--plan", str(tmp_path / "plan.toml")]
    found = answer(capsys, "net", "evaluate", *words, "--limit", "50")["reductions"]
    assert found == answer(capsys, "net", "estimate", *words)["reductions"]
    assert found["conv1"]["multiplications"] == pytest.approx(0.5, abs=0.01)
    assert found["conv1"]["weights"] == pytest.approx(0.75, abs=0.01)  # 4 bits of position a weight that stays
    assert 0 < found["conv2"]["multiplications"] < 1
    _reductions.show(found)
    assert "reduced layer" in capsys.readouterr().out


def test_estimate(capsys: pytest.CaptureFixture[str], plan: Path) -> None:
    exact = answer(capsys, "net", "estimate", "--network", "lenet5", "--accelerator", "edge-16x16")
    approximate = answer(capsys, "net", "estimate", "--network", "lenet5", "--plan", str(plan), "--accelerator", "edge-16x16")
    assert all(exact["savings"][name]["value"] == 0 for name in ("multiplier", "array", "on_chip", "with_dram"))
    assert approximate["savings"]["multiplier"]["value"] > approximate["savings"]["with_dram"]["value"] > 0
    for figure in (exact["cycles"], exact["latency_ms"], exact["energy_pj"]["total"], exact["area_um2"]["total"]):
        assert figure["value"] > 0
        assert figure["unit"]
        assert figure["source"]
    assert exact["energy_pj"]["by_layer"].keys() == {"conv1", "pool", "conv2", "pool_2", "fc1", "fc2", "fc3"}
    assert run(["net", "estimate", "--network", "lenet5"]) == 0
    assert "chip and DRAM" in capsys.readouterr().out


def test_refusals(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "did you mean 'resnet8'" in refusal(capsys, "net", "evaluate", "--network", "resnet9")
    assert "inexact net train --network vgg7" in refusal(capsys, "net", "evaluate", "--network", "vgg7")
    (tmp_path / "bad.safetensors").write_bytes(b"\x10")
    words = ("net", "evaluate", "--network", "lenet5", "--weights", str(tmp_path / "bad.safetensors"))
    assert "must be a whole safetensors file" in refusal(capsys, *words)
    np.savez(tmp_path / "big.npz", test_images=np.zeros((2, 32, 32), np.uint8), test_labels=np.array([0, 1]))
    words = ("net", "evaluate", "--network", "lenet5", "--data", str(tmp_path / "big.npz"))
    assert "or use those trained on fashion-mnist or mnist: --weights fashion-mnist" in refusal(capsys, *words)
    assert "images must be 1x28x28" in refusal(capsys, *words, "--weights", "fashion-mnist")
    np.savez(tmp_path / "high.npz", test_images=np.zeros((2, 28, 28), np.uint8), test_labels=np.array([0, 11]))
    high = ("net", "evaluate", "--network", "lenet5", "--data", str(tmp_path / "high.npz"), "--weights", "mnist")
    assert "labels must be 0..9 for this network of 10 classes" in refusal(capsys, *high)
    assert "plan file" in refusal(capsys, "net", "evaluate", "--network", "lenet5", "--plan", str(tmp_path / "none.toml"))


def test_train(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data, out = save_small(tmp_path / "small.npz"), tmp_path / "w.safetensors"
    found = answer(capsys, "net", "train", "--network", "lenet5", "--data", data, "--epochs", "1", "--out", str(out))
    assert found["weights"] == str(out)
    assert found["accuracy"]["test"]["n"] == 60
    assert out.is_file()
    assert out.with_suffix(".json").is_file()
    assert "fetch it with: inexact data fetch fashion-mnist" in refusal(
        capsys, "net", "train", "--network", "lenet5", "--out", str(tmp_path / "x.safetensors")
    )


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_interrupted_training_leaves_a_checkpoint_that_resumes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data, out = save_small(tmp_path / "small.npz"), tmp_path / "w.safetensors"
    words = ["net", "train", "--network", "lenet5", "--data", data, "--epochs", "2", "--threads", "1", "--out", str(out)]
    checkpoint = out.with_name("w.safetensors.checkpoint")

    def write_and_interrupt(*args: Any, **about: Any) -> None:
        save(*args, **about)
        signal.raise_signal(signal.SIGINT)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("inexact.zoo.training._train.save", write_and_interrupt)
            assert run(words) == 130
    finally:
        signal.signal(signal.SIGINT, handler)
    printed, errors = capsys.readouterr()
    assert not printed
    assert "interrupted; nothing half-written was left behind" in errors
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small.npz", "w.safetensors.checkpoint"]
    assert answer(capsys, *words, "--resume")["epochs"] == 2
    assert not checkpoint.exists()
