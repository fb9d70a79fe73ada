"""The examples run as they are written, and the command line answers quickly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=[example.stem for example in EXAMPLES])
def test_example_runs(example: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "top-1" in done.stdout
    if example.stem == "01_quickstart":
        assert (tmp_path / "out" / "quickstart" / "report.html").stat().st_size > 10_000


def test_help_needs_no_torch() -> None:
    code = "import sys; from inexact.cli import run; run(['--help']); assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_help_answers_within_a_second() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "inexact", "--help"], check=True, capture_output=True, text=True, env={**os.environ})
        times.append(time.perf_counter() - start)
    assert "study" in done.stdout
    assert min(times) < 1.0
