"""`inexact bench`: speed and memory on this machine; emulation beside torch float32 in the same run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._group import Group
from inexact.cli._options import DATA, JSON, seed_option

if TYPE_CHECKING:
    from inexact.cli._speed_cases import Case


@click.group(cls=Group)
def bench() -> None:
    """Measure speed and memory on this machine."""


@bench.command()
@JSON
@click.option("--quick", is_flag=True, help="Few cases, few repeats.")
@click.option(
    "--threads", type=click.IntRange(1, 1024), multiple=True, help="Threads of both sides; repeatable (default: those the engines use)."
)
@click.option("--engine", default="auto", show_default=True, help="Engine of the single layers; `inexact doctor` lists them.")
@click.option("--case", "part", default="", metavar="TEXT", help="Only cases whose name contains TEXT.")
@click.option("--unit", "units", multiple=True, metavar="SPEC", help="Time these units instead (repeatable).")
def emulation(as_json: bool, quick: bool, threads: tuple[int, ...], engine: str, part: str, units: tuple[str, ...]) -> None:
    """Time layers, networks and training steps against torch float32 in channels_last.

    Both sides run in turn on the same threads; the ratio is that of their medians.
    """
    from rich.console import Console

    found = measure(quick=quick, threads=threads, engine=engine, part=part, units=units, progress=Console(stderr=True))
    if as_json:
        click.echo(json.dumps(found))
    else:
        _print(found)


@bench.command()
@JSON
def accelerator(as_json: bool) -> None:
    """Time the accounts of ResNet-50 on every preset: with its mappings searched, and again after a change of unit."""
    from inexact.cli._accelerator_speed import measure as measure_accelerator

    found = measure_accelerator()
    if as_json:
        click.echo(json.dumps(found))
        return
    for row in found["cases"]:
        again = "exact elements only" if row["reestimate_ms"] is None else f"{row['reestimate_ms']:.1f} ms after another unit"
        click.echo(f"{row['accelerator']}: {found['network']} in {row['search_s']:.2f} s with its mappings searched, {again}")


@bench.command()
@JSON
@click.option("--threads", type=click.IntRange(1, 1024), default=None, help="Threads of both sides (default: those the engines use).")
@click.option("--case", "part", default="", metavar="TEXT", help="Only networks whose name contains TEXT.")
@click.option("--unit", default="arbitrary", show_default=True, metavar="SPEC", help="Unit of the emulated network.")
def memory(as_json: bool, threads: int | None, part: str, unit: str) -> None:
    """Peak memory of whole networks, emulated and in float32, each in a process of its own.

    Counted from the imports on: weights, calibration on four images, and two forward passes.
    """
    found = measure_memory(threads=threads, part=part, unit=unit)
    if as_json:
        click.echo(json.dumps(found))
        return
    for row in found["cases"]:
        click.echo(f"{row['case']}, {unit}: {row['mb']:.0f} MB, float32 {row['float32_mb']:.0f} MB, ratio {row['ratio']:.2f}")


@bench.command()
@JSON
def silicon(as_json: bool) -> None:
    """Time synthesis, power and evolution of the exact 8x8 multiplier."""
    from inexact.cli import _silicon_speed

    found = _silicon_speed.measure()
    click.echo(json.dumps(found) if as_json else _silicon_speed.text(found))


@bench.command("forecast")
@click.option("--network", default="resnet8", show_default=True, help="Network of the zoo or module:function.")
@DATA
@click.option("--plans", type=click.IntRange(min=10), default=120, show_default=True, help="Random plans that judge.")
@click.option("--calibration-plans", type=click.IntRange(min=18), default=60, show_default=True, help="Other random plans that calibrate.")
@click.option("--images", type=click.IntRange(min=1), default=4000, show_default=True, help="Images drops are measured on.")
@seed_option("Of the plans.", 1)
@click.option("--store", type=click.Path(path_type=Path), help="File that keeps what was simulated: a stopped run goes on from it.")
@JSON
def bench_forecast(
    network: str, data: str, plans: int, calibration_plans: int, images: int, seed: int, store: Path | None, as_json: bool
) -> None:
    """Simulate random plans of the default search space and compare forecasts with what they lose.

    Plans that calibrate lose on validation images, those that judge on test images. Plans a second, rank correlation (beside weighted NMED
    and one-population noise), coverage of the intervals, errors of layers.
    """
    from inexact.cli import _forecast_quality

    counts = {"plans": plans, "calibration_plans": calibration_plans, "images": images}
    found = _forecast_quality.measure(network, data, **counts, seed=seed, store=store)
    click.echo(json.dumps(found) if as_json else _forecast_quality.text(found))


@bench.command("faults")
@click.option("--network", default="resnet8", show_default=True, help="Network of the zoo or module:function.")
@DATA
@click.option("--plan", help="Plan (TOML) or spec of a multiplier; default: exact signed 8-bit products.")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Chunks of 2048 faults to time.")
@JSON
def bench_faults(network: str, data: str, plan: str | None, runs: int, as_json: bool) -> None:
    """Time transient faults, one fault on one image each, against one full forward pass a fault."""
    from inexact.cli import _faults_speed

    found = _faults_speed.measure(network, data, plan, runs=runs)
    click.echo(json.dumps(found) if as_json else _faults_speed.text(found))


def measure_memory(*, threads: int | None = None, part: str = "", unit: str = "arbitrary") -> dict[str, Any]:
    """What `bench memory --json` prints: the machine, and for each network peaks in MB and their ratio."""
    from inexact import kernels
    from inexact.cli._memory import peak_mb
    from inexact.cli._speed_cases import INFERENCES
    from inexact.cli._timing import machine

    rows = []
    for name in _named(part, list(INFERENCES)):
        emulated, float32 = (peak_mb(name, unit, threads or kernels.threads(), side) for side in ("emulated", "float32"))
        rows.append({"case": name, "unit": unit, "mb": emulated, "float32_mb": float32, "ratio": emulated / float32})
    return {"machine": machine(), "cases": rows}


def _named(part: str, names: Sequence[str]) -> list[str]:
    found = [name for name in names if part.lower() in name.lower()]
    if not found:
        raise click.BadParameter(f"no case is called like {part!r}; cases: {'; '.join(names)}", param_hint="--case")
    return found


def measure(
    *,
    quick: bool = False,
    threads: Sequence[int] = (),
    engine: str = "auto",
    part: str = "",
    units: Sequence[str] = (),
    progress: Any = None,
) -> dict[str, Any]:
    """What `bench emulation --json` prints: the machine, the units, and for each case medians in ms, their ratio and G MAC/s.

    progress: a rich Console that shows what is being timed, or None.
    """
    from inexact import kernels
    from inexact.cli import _speed_cases, _timing

    wanted = _named(part, [case.name for case in _speed_cases.CASES])
    cases = [case for case in _speed_cases.CASES if case.name in wanted and (part or case.quick or not quick)]
    jobs = [(case, unit, count) for count in threads or (kernels.threads(),) for case in cases for unit in units or case.units]
    rows: list[dict[str, Any]] = []
    for case, unit, count in jobs:
        if progress is not None and progress.is_terminal:
            progress.print(f"{len(rows) + 1}/{len(jobs)} {case.name}, {unit}, {count} threads", style="dim")
        with _timing.thread_count(count):
            rows.append(_row(case, unit, count, engine, quick=quick))
    described = {unit: _speed_cases.UNITS.get(unit, unit) for _, unit, _ in jobs}
    return {"machine": _timing.machine(), "units": described, "cases": rows}


def _row(case: Case, unit: str, threads: int, engine: str, *, quick: bool) -> dict[str, Any]:
    from inexact.cli import _timing

    pair = case.pair(unit, engine)
    timing = _timing.alternate(pair.emulated, pair.float32, runs=3 if quick else 7, seconds=0.2 if quick else 1.5)
    return {
        "case": case.name,
        "unit": unit,
        "engine": pair.engine,
        "threads": threads,
        "ms": timing.ms,
        "float32_ms": timing.reference_ms,
        "ratio": timing.ratio,
        "gmacs": case.macs / timing.ms / 1e6,
        "runs": timing.runs,
        "spread": timing.spread,
    }


def _print(found: dict[str, Any]) -> None:
    about, rows = found["machine"], found["cases"]
    wide = max(len(c["unit"]) for c in rows)
    click.echo(f"{about['processor']}, {about['cores']} cores, ISA {about['isa']}, torch {about['torch']}; medians of alternating runs\n")
    click.echo(f"{'':{wide + 2}}  {'engine':10} threads {'ms':>9} {'float32 ms':>11} {'ratio':>6} {'G MAC/s':>8}")
    shown = None
    for c in rows:
        if c["case"] != shown:
            shown = c["case"]
            click.echo(shown)
        numbers = f"{c['ms']:9.2f} {c['float32_ms']:11.2f} {c['ratio']:6.2f} {c['gmacs']:8.1f}"
        click.echo(f"  {c['unit']:{wide}}  {c['engine']:10} {c['threads']:7} {numbers}")
    click.echo()
    for name, text in found["units"].items():
        if text != name:
            click.echo(f"{name}: {text}")
