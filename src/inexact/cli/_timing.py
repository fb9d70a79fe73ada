"""Honest timings: two ways of doing one thing, run in turn, and the machine they ran on."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Medians in ms of two alternating runs, the number of runs of each, and the half-widths of their middle halves (quartiles)."""

    ms: float
    reference_ms: float
    runs: int
    spread: float

    @property
    def ratio(self) -> float:
        """Median over median."""
        return self.ms / self.reference_ms


def alternate(run: Callable[[], object], reference: Callable[[], object], *, runs: int, seconds: float) -> Timing:
    """Time both in turn, so that a busy machine disturbs them alike: at least `runs` times, then until `seconds` are over.

    One run of each goes before, unmeasured. spread: interquartile range of `run` over its median.
    """
    run()
    reference()
    taken: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while len(taken[0]) < runs or time.perf_counter() < end:
        for times, work in zip(taken, (run, reference), strict=True):
            start = time.perf_counter()
            work()
            times.append((time.perf_counter() - start) * 1e3)
    median = statistics.median(taken[0])
    low, _, high = statistics.quantiles(taken[0], n=4) if len(taken[0]) > 1 else (median,) * 3
    return Timing(ms=median, reference_ms=statistics.median(taken[1]), runs=len(taken[0]), spread=(high - low) / median)


@contextmanager
def thread_count(count: int) -> Iterator[None]:
    """torch and the compiled core on `count` threads; both settings are given back."""
    import torch

    before, forced = torch.get_num_threads(), os.environ.get("INEXACT_THREADS")
    torch.set_num_threads(count)
    os.environ["INEXACT_THREADS"] = str(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        os.environ.pop("INEXACT_THREADS")
        if forced is not None:
            os.environ["INEXACT_THREADS"] = forced


def machine() -> dict[str, Any]:
    """Processor, its logical cores, instruction-set path, operating system, Python and torch."""
    import torch

    from inexact import kernels

    about = {"processor": _processor(), "cores": os.cpu_count(), "isa": kernels.isa(), "system": platform.platform()}
    return {**about, "python": platform.python_version(), "torch": str(torch.__version__)}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
