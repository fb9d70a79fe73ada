"""Peak memory of one run, each in a process of its own."""

from __future__ import annotations

import gc
import multiprocessing
import resource
import sys
from pathlib import Path
from typing import Literal

Side = Literal["emulated", "float32"]


def peak_mb(case: str, unit: str, threads: int, side: Side) -> float:
    """Peak resident memory in MB that building and running one side of a case adds to a process that has imported everything.

    case: one of `_speed_cases.INFERENCES`. Weights and calibration are part of it; the imports are not.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (case, unit, threads, side))


def _run(case: str, unit: str, threads: int, side: Side) -> float:
    from inexact.cli._speed_cases import INFERENCES
    from inexact.cli._timing import thread_count

    chosen = INFERENCES[case]
    with thread_count(threads):
        gc.collect()
        before = _peak()
        run = chosen.emulated(unit) if side == "emulated" else chosen.float32()
        run()
        run()
        return _peak() - before


def _peak() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss is inherited from the parent process
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # bytes there, KB elsewhere
