"""No path reads outside its inputs or writes outside its output: arrays lie against unreadable pages, on either side."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inexact import kernels

SCRIPT = Path(__file__).with_name("guarded.py")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are protected through Linux's mprotect")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("isa", ["avx512", "avx2", "scalar"])
def test_nothing_outside_the_arrays_is_touched(isa: str, side: str) -> None:
    if isa not in kernels.isas():
        pytest.skip(f"this machine has no {isa} path")
    found = run(isa, side, "30")
    assert found.returncode == 0, found.stderr or f"ended by signal {-found.returncode}"


@pytest.mark.parametrize("side", ["after", "before"])
def test_a_stray_read_ends_the_process(side: str) -> None:
    assert run("stray", side).returncode == -signal.SIGSEGV
