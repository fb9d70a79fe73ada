"""`inexact bench faults`: transient faults a second in one process of one thread, beside one full forward pass a fault."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from inexact.cli import _timing
from inexact.cli._faulty_network import opened
from inexact.reliability import Chunk, Judge, Opened, faults

SPECS = ("weight_flip", "activation_flip", "output_flip", "accumulator_flip")
FAULTS, IMAGES = 2048, 128


def measure(network: str, data: str, plan: Any, *, runs: int) -> dict[str, Any]:
    """Faults a second of wall time and of CPU time, and passes of the whole network a second, run in turn; medians of `runs` chunks."""
    rows = []
    with _timing.thread_count(1):
        found = opened(network, data, plan, (), None, IMAGES)
        judge = Judge(found)
        for place, spec in enumerate(SPECS):
            chunk = _chunk(judge, spec, place)
            judge.run(chunk)
            struck, passed = [], []
            for _ in range(runs):
                struck.append(_seconds(functools.partial(judge.run, chunk)))
                passed.append(_seconds(functools.partial(_passes, found)))
            (wall, cpu), (whole, whole_cpu) = _medians(struck), _medians(passed)
            rows.append(
                {
                    "fault": faults.get(spec).spec,
                    "faults_per_second": FAULTS / wall,
                    "faults_per_cpu_second": FAULTS / cpu,
                    "passes_per_second": IMAGES / whole,
                    "passes_per_cpu_second": IMAGES / whole_cpu,
                    "ratio": (FAULTS / cpu) / (IMAGES / whole_cpu),
                }
            )
    return {"machine": _timing.machine(), "network": network, "data": data, "plan": str(plan or "exact 8 bit"), "cases": rows}


def _chunk(judge: Judge, spec: str, seed: int) -> Chunk:
    """Faults drawn in proportion to the sizes of strata."""
    fault, strata = judge.population(spec)
    generator = np.random.default_rng(seed)
    sizes = np.array([stratum.size for stratum in strata], np.float64)
    places = generator.choice(len(strata), FAULTS, p=sizes / sizes.sum())
    numbers = generator.integers(0, sizes[places].astype(np.int64))
    images = generator.integers(0, len(judge.opened.images), FAULTS)
    return Chunk(fault=fault.spec, number=0, strata=places, numbers=numbers, images=images)


@torch.no_grad()
def _passes(found: Opened) -> None:
    found.net(found.images)


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of wall time and of this process's CPU time."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def _medians(times: Sequence[tuple[float, float]]) -> tuple[float, float]:
    wall, cpu = zip(*times, strict=True)
    return statistics.median(wall), statistics.median(cpu)


def text(found: Mapping[str, Any]) -> str:
    """For people."""
    about = found["machine"]
    lines = [
        f"{about['processor']}, ISA {about['isa']}, torch {about['torch']}; one process, one thread; {found['network']}, {found['plan']}",
        f"{'':18} {'faults/s':>9} {'per CPU s':>10} {'full passes/s':>14} {'per CPU s':>10} {'ratio':>6}",
    ]
    for row in found["cases"]:
        numbers = f"{row['faults_per_second']:9.0f} {row['faults_per_cpu_second']:10.0f} {row['passes_per_second']:14.0f}"
        lines.append(f"{row['fault']:18} {numbers} {row['passes_per_cpu_second']:10.0f} {row['ratio']:6.2f}")
    return "\n".join(lines)
