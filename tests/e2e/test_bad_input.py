"""Every kind of bad input at the command line: one sentence on stderr, a non-zero exit code, nothing left behind."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from inexact.cli import run

LENET = ["net", "evaluate", "--network", "lenet5", "--limit", "20"]
STUDY = ["study", "run", "--network", "lenet5", "--data", "fashion-mnist", "--accelerator", "edge-16x16", "--seed", "0"]
IMAGES = np.zeros((5, 28, 28), np.uint8)


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """Run a command that must fail with exactly one sentence on stderr that matches `message`."""
    code = run(arguments)
    captured = capsys.readouterr()
    assert code not in (0, None)
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert re.search(message, lines[0]), lines[0]


def plan(folder: Path, key: str, multiplier: str) -> str:
    path = folder / "p.toml"
    path.write_text(f'[plan]\nversion = 1\n[plan.rules."{key}"]\nmultiplier = "{multiplier}"\n')
    return str(path)


@pytest.mark.parametrize(
    ("key", "multiplier", "message"),
    [
        ("conv_1", "exact", "plan key 'conv_1' must match a layer; none does; did you mean 'conv1'"),
        ("conv1", "trunc(cut=44)", r"cut must be .*\(0\.\.15\), not 44"),
        ("conv1", "trunc(cut=4,width=(8,4))", "unit and format must agree in width: int8 under unsigned coding needs a 8x8 unit"),
        ("conv1", "trunk(cut=4)", "no multiplier is called 'trunk'; did you mean 'trunc'"),
    ],
)
def test_plans(capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, multiplier: str, message: str) -> None:
    refused(capsys, [*LENET, "--plan", plan(tmp_path, key, multiplier)], message)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[:0], np.zeros(0, np.int64), "data must hold at least one image; .* is empty"),
        (IMAGES, np.full(5, 12), r"labels must be 0\.\.9 for this network of 10 classes; .*12"),
        (np.zeros((5, 32, 32), np.uint8), np.arange(5), r"images .*28.*32"),
        (np.full((5, 1, 28, 28), np.nan, np.float32), np.arange(5), "NaN"),
    ],
    ids=["empty", "labels", "size", "nan"],
)
def test_data(capsys: pytest.CaptureFixture[str], tmp_path: Path, images: np.ndarray, labels: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "d.npz", images=images, labels=labels)
    refused(capsys, [*LENET, "--data", str(tmp_path / "d.npz"), "--weights", "fashion-mnist"], message)


class Harmful:
    """What a pickle may do when it is read."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.target,)


def test_a_pickle_that_would_run_code(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(pickle.dumps(Harmful(str(tmp_path / "harm"))))
    refused(capsys, [*LENET, "--weights", str(tmp_path / "w.pt")], "pickle that is damaged or would run code when read; it was refused")
    assert not (tmp_path / "harm").exists()


def test_a_truncated_checkpoint(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import inexact.zoo

    whole = Path(inexact.zoo.__file__).parent / "weights" / "lenet5.fashion-mnist.safetensors"
    (tmp_path / "w.safetensors").write_bytes(whole.read_bytes()[:5000])
    refused(capsys, [*LENET, "--weights", str(tmp_path / "w.safetensors")], "must be a whole safetensors file; this one is truncated")


def test_an_output_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(capsys, [*STUDY, "--out", str(tmp_path / "file" / "out")], "output folder .* must be writable: .*; choose another with --out")


@pytest.mark.slow
def test_a_disk_that_fills_up_in_the_middle(tmp_path: Path) -> None:
    """A process that may write 60,000 bytes to a file stands in for a full disk: the store opens, then a write really fails."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000)); from inexact.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    out = tmp_path / "out"
    arguments = [*STUDY, "--trials", "6", "--search-images", "60", "--calibration", "32", "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode not in (0, -signal.SIGXFSZ)
    last = done.stderr.strip().splitlines()[-1]
    assert re.search(r"^error: .*(written|write|disk|space)", last), done.stderr
    assert "Traceback" not in done.stderr
    assert {p.suffix for p in out.iterdir()} <= {".db", ".db-wal", ".db-shm", ".db-journal"}


@pytest.mark.slow
def test_interrupt_at_the_command_line(tmp_path: Path) -> None:
    """Ctrl-C while trials run: exit status 130, one closing sentence that says how to resume, and resuming works."""
    out = tmp_path / "out"
    arguments = [*STUDY, "--trials", "400", "--search-images", "400", "--calibration", "32", "--out", str(out)]
    # behind a shell's `&` children begin with the interrupt ignored; here it must arrive
    command = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from inexact.__main__ import main; main()"
    child = subprocess.Popen([sys.executable, "-c", command, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    limit = time.monotonic() + 120
    while not (out / "study.db").exists() and time.monotonic() < limit and child.poll() is None:
        time.sleep(0.2)
    time.sleep(4)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=120)
    # Python ends by the signal itself, which a shell shows as 130 too, when the interrupt came while it compiled a string
    assert child.returncode in (130, -signal.SIGINT), errors
    assert "Traceback" not in errors
    assert re.search(r"inexact study resume", errors), errors
    assert not (out / "report.html").exists()
