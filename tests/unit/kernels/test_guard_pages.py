"""No path reads outside its inputs or writes outside its output: arrays lie against unreadable pages, on either side."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inexact import kernels

SCRIPT = Path(__file__).with_name("guarded.py")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are protected through Linux's mprotect")


@pytest.fixture(scope="module")
def ends() -> dict[str, str]:
    """How the process of each path and side ended, by "path side"; torch is imported once for all of them."""
    words = [sys.executable, str(SCRIPT), "30", *kernels.isas()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("isa", ["avx512", "avx2", "scalar"])
def test_nothing_outside_the_arrays_is_touched(isa: str, side: str, ends: dict[str, str]) -> None:
    if isa not in kernels.isas():
        pytest.skip(f"this machine has no {isa} path")
    assert ends[f"{isa} {side}"] == ""


@pytest.mark.parametrize("side", ["after", "before"])
def test_a_stray_read_ends_the_process(side: str, ends: dict[str, str]) -> None:
    assert ends[f"stray {side}"] == f"signal {signal.SIGSEGV}"
