"""`inexact net finetune`, from the words typed to weights that `net evaluate` reads."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inexact import nn, zoo
from inexact.cli import run


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The command on LeNet-5 with 300 training, 60 validation and 60 test images."""
    found = zoo.data("fashion-mnist", "validation", 420)
    parts = {"train": slice(0, 300), "validation": slice(300, 360), "test": slice(360, 420)}
    arrays = {f"{s}_images": found.images[p].numpy() for s, p in parts.items()}
    np.savez(tmp_path / "small.npz", **arrays, **{f"{s}_labels": found.labels[p].numpy() for s, p in parts.items()})  # type: ignore[arg-type]
    nn.Plan(multiplier="trunc(cut=8)", recovery="bias_correction").save(tmp_path / "plan.toml")
    weights = Path(zoo.__file__).parent / "weights" / "lenet5.fashion-mnist.safetensors"
    data = ["--data", str(tmp_path / "small.npz"), "--network", "lenet5", "--plan", str(tmp_path / "plan.toml")]
    return [*data, "--weights", str(weights), "--threads", "1"]


def answer(capsys: pytest.CaptureFixture[str], *typed: str) -> Any:
    """What a command prints with --json; nothing else may be on stdout."""
    assert run([*typed, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], *typed: str) -> str:
    """The one sentence a command refuses with."""
    assert run(list(typed)) == 1
    captured = capsys.readouterr()
    assert not captured.out
    (line,) = captured.err.strip().splitlines()
    return line


def test_the_weights_are_those_of_the_plan_and_better(capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]) -> None:
    out = tmp_path / "tuned.safetensors"
    settings = ["--epochs", "2", "--loss", "distillation(alpha=0.9)", "--training", "finetune(epochs=5,rate=0.02)"]
    told = answer(capsys, "net", "finetune", *words, *settings, "--out", str(out))
    assert told["training"] == "finetune(epochs=2,rate=0.02,loss='distillation(alpha=0.9)')"
    assert [epoch["epoch"] for epoch in told["epochs"]] == [0, 1, 2]
    assert told["epochs"][0]["loss"] is None
    assert told["epochs"][told["kept"]]["top1"] > told["epochs"][0]["top1"]
    assert (told["stopped"], told["images"]) == (None, 300)
    assert json.loads(out.with_suffix(".json").read_text()) == {name: value for name, value in told.items() if name != "weights"}
    before = answer(capsys, "net", "evaluate", *words)
    after = answer(capsys, "net", "evaluate", *words, "--weights", str(out))
    assert after["top1"] > before["top1"]
    assert not list(tmp_path.glob("*.checkpoint"))


def test_what_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]) -> None:
    out = tmp_path / "tuned.safetensors"
    assert run(["net", "finetune", *words, "--limit", "64", "--validation-limit", "0", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].startswith(f"weights in {out}, card beside; epoch 1 kept, ")
    assert lines[1] == "epoch 0: before training"
    assert lines[2].startswith("epoch 1: loss ")


def test_divergence_is_one_sentence_and_the_start_is_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]) -> None:
    out = tmp_path / "tuned.safetensors"
    assert run(["net", "finetune", *words, "--rate", "1e37", "--out", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    assert "warning: training stopped in epoch 1, step 2: " in captured.err
    assert json.loads(captured.out)["kept"] == 0


def test_refusals(capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]) -> None:
    out = ["--out", str(tmp_path / "tuned.safetensors")]
    assert refusal(capsys, "net", "finetune", *words, "--out", "x.pt") == "error: the weights file must end with .safetensors, not 'x.pt'"
    assert refusal(capsys, "net", "finetune", *words, *out, "--rate", "0").startswith("error: rate must be a finite number above 0, not 0")
    assert refusal(capsys, "net", "finetune", *words, *out, "--gradient", "none").startswith("error: no gradient is called 'none'")
    (tmp_path / "tuned.safetensors.checkpoint").touch()
    assert "an unfinished training lies in" in refusal(capsys, "net", "finetune", *words, *out)
    assert "cannot be read; delete it to train from the start" in refusal(capsys, "net", "finetune", *words, *out, "--resume")


@pytest.mark.slow
def test_kill_and_resume_gives_the_weights_of_an_unbroken_run(capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]) -> None:
    command = ["net", "finetune", *words, "--epochs", "12", "--training", "finetune(batch=16)"]
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    answer(capsys, *command, "--out", str(whole))
    child = subprocess.Popen([sys.executable, "-m", "inexact", *command, "--out", str(broken)], stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "broken.safetensors.checkpoint"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert checkpoint.exists()
    assert not broken.exists()
    answer(capsys, *command, "--out", str(broken), "--resume")
    assert broken.read_bytes() == whole.read_bytes()
