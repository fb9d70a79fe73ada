"""`inexact bench emulation`: emulation speed on this machine, beside torch float32 in the same run."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

UNIT = "random asymmetric 8x8 table, products 0..65025"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One layer shape: a convolution, or a linear layer when `size` is 0 (then `batch` = rows)."""

    name: str
    batch: int
    inputs: int
    outputs: int
    size: int = 0
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    quick: bool = False

    @property
    def macs(self) -> int:
        """Products of one run."""
        out = (self.size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1 if self.size else 1
        return self.batch * self.outputs * out**2 * (self.inputs // self.groups) * self.kernel**2


CASES = (
    Case(name="ResNet-8 stage 1: conv 16-16 3x3, 28x28, batch 64", batch=64, inputs=16, outputs=16, size=28, kernel=3, quick=True),
    Case(name="ResNet-8 stage 2: conv 16-32 3x3 /2, 28x28, batch 64", batch=64, inputs=16, outputs=32, size=28, kernel=3, stride=2),
    Case(name="ResNet-8 stage 2: conv 32-32 3x3, 14x14, batch 64", batch=64, inputs=32, outputs=32, size=14, kernel=3),
    Case(name="ResNet-8 stage 3: conv 64-64 3x3, 7x7, batch 64", batch=64, inputs=64, outputs=64, size=7, kernel=3, quick=True),
    Case(name="ResNet-18: conv 64-64 3x3, 56x56, batch 8", batch=8, inputs=64, outputs=64, size=56, kernel=3),
    Case(name="ResNet-18: conv 256-256 3x3, 14x14, batch 8", batch=8, inputs=256, outputs=256, size=14, kernel=3),
    Case(name="depthwise 3x3, 96 channels, 112x112, batch 1", batch=1, inputs=96, outputs=96, size=112, kernel=3, groups=96),
    Case(name="linear 1024-1024, batch 64", batch=64, inputs=1024, outputs=1024, quick=True),
    Case(name="GEMM 1024 x 64 x 576", batch=1024, inputs=576, outputs=64, quick=True),
)


@click.group()
def bench() -> None:
    """Measure emulation speed on this machine."""


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quick", is_flag=True, help="Few shapes, few repeats.")
@click.option("--threads", type=click.IntRange(1, 1024), default=None, help="Threads of both sides (default: those the engines use).")
@click.option("--engine", default="auto", show_default=True, help="Engine to measure; `inexact doctor` lists them.")
def emulation(as_json: bool, quick: bool, threads: int | None, engine: str) -> None:
    """Time one layer at a time against torch float32 on the same threads (least of several runs each)."""
    found = measure(quick=quick, threads=threads, engine=engine)
    if as_json:
        click.echo(json.dumps(found))
    else:
        _print(found)


def measure(*, quick: bool = False, threads: int | None = None, engine: str = "auto") -> dict[str, Any]:
    """What `bench emulation --json` prints: machine, and for each case times in ms, their ratio and G MAC/s."""
    import torch

    from inexact import kernels

    count = threads or kernels.threads()
    before, forced = torch.get_num_threads(), os.environ.get("INEXACT_THREADS")
    torch.set_num_threads(count)
    os.environ["INEXACT_THREADS"] = str(count)
    try:
        cases = [_measured(case, engine, count, 3 if quick else 9) for case in CASES if case.quick or not quick]
    finally:
        torch.set_num_threads(before)
        os.environ.pop("INEXACT_THREADS")
        if forced is not None:
            os.environ["INEXACT_THREADS"] = forced
    return {"machine": {**machine(), "isa": kernels.isa(), "torch": str(torch.__version__)}, "cases": cases}


def machine() -> dict[str, Any]:
    """Processor, its logical cores, operating system, Python."""
    return {"processor": _processor(), "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _measured(case: Case, engine: str, threads: int, repeats: int) -> dict[str, Any]:
    from inexact import kernels

    emulated, ordinary = _linear(case, engine) if case.size == 0 else _convolution(case, engine)
    table, float32 = _least_ms(emulated, ordinary, repeats)
    used = kernels.engine_for(_table(), None) if engine == "auto" else engine
    return {
        "case": case.name,
        "unit": UNIT,
        "engine": used,
        "threads": threads,
        "ms": table,
        "float32_ms": float32,
        "ratio": table / float32,
        "gmacs": case.macs / table / 1e6,
    }


def _least_ms(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Least time of each in ms; runs alternate, so that a busy machine disturbs both alike."""
    least = [float("inf"), float("inf")]
    for _ in range(repeats + 1):
        for i, run in enumerate((first, second)):
            start = time.perf_counter()
            run()
            least[i] = min(least[i], (time.perf_counter() - start) * 1e3)
    return least[0], least[1]


def _table() -> Any:
    import torch

    return torch.randint(0, 65026, (256, 256), dtype=torch.int32, generator=torch.Generator().manual_seed(0))


def _codes(*shape: int) -> Any:
    import torch

    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(sum(shape)))


def _linear(case: Case, engine: str) -> tuple[Callable[[], object], Callable[[], object]]:
    from torch.nn import functional

    from inexact import kernels

    a, b, lut = _codes(case.batch, case.inputs), _codes(case.outputs, case.inputs), _table()
    x, w = a.float(), b.float()
    return lambda: kernels.gemm(a, b, lut, engine), lambda: functional.linear(x, w)


def _convolution(case: Case, engine: str) -> tuple[Callable[[], object], Callable[[], object]]:
    import torch
    from torch.nn import functional

    from inexact import kernels

    a = _codes(case.batch, case.inputs, case.size, case.size)
    w = _codes(case.outputs, case.inputs // case.groups, case.kernel, case.kernel)
    lut, padding = _table(), case.kernel // 2
    x, y = (t.float().to(memory_format=torch.channels_last) for t in (a, w))

    def emulated() -> object:
        return kernels.conv2d(a, w, lut, case.stride, padding, 1, case.groups, 0, engine)

    def ordinary() -> object:
        return functional.conv2d(x, y, None, case.stride, padding, 1, case.groups)

    return emulated, ordinary


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    about = found["machine"]
    table = Table(
        title=f"{about['processor']}, {about['cores']} cores, ISA {about['isa']}, torch {about['torch']}", caption=f"unit: {UNIT}"
    )
    for column in ("case", "engine", "threads", "ms", "float32 ms", "ratio", "G MAC/s"):
        table.add_column(column, justify="left" if column in ("case", "engine") else "right")
    for c in found["cases"]:
        row = (f"{c['threads']}", f"{c['ms']:.2f}", f"{c['float32_ms']:.2f}", f"{c['ratio']:.2f}", f"{c['gmacs']:.1f}")
        table.add_row(c["case"], c["engine"], *row)
    Console().print(table)
