"""`inexact study`: search for the accelerator that saves most within an accuracy budget; resume, show and report it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from inexact.cli import _tables
from inexact.cli._group import Group
from inexact.cli._network import use_threads
from inexact.cli._options import ACCELERATOR, DATA, JSON, NETWORK, THREADS, block, seed_option
from inexact.core.errors import NoDesignError

if TYPE_CHECKING:
    from inexact.explore import Settings, Store

SAMPLERS = ("assisted", "nsga2", "optuna_nsga2", "optuna_tpe", "random")
"""Named in the help only; any spec of a registered sampler is accepted."""


@click.group(cls=Group)
def study() -> None:
    """Search for the accelerator that saves most within an accuracy budget."""


_ends = block(JSON, click.option("--no-report", is_flag=True, help="Do not write report.html."), THREADS)
"""--json, --no-report, --threads."""


@study.command("run")
@NETWORK
@DATA
@click.option("--weights", type=click.Path(path_type=Path), help="Weights instead of those that come with the package.")
@ACCELERATOR
@click.option("--max-drop", type=float, default=1.0, show_default=True, help="Largest validation drop against float32, in points.")
@click.option("--trials", type=click.IntRange(min=1), default=60, show_default=True, help="Plans to try.")
@seed_option("Same seed, same trials.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for study.db, the report and the best design.")
@click.option("--space", type=click.Path(path_type=Path), help="Search space (TOML) instead of the shipped candidates.")
@click.option(
    "--family", "families", multiple=True, help="Use these families only: computation_reduction, approximate_units, …; repeatable."
)
@click.option("--sampler", default="assisted", show_default=True, help=f"Spec of a sampler: {', '.join(SAMPLERS)}.")
@click.option("--forecast", is_flag=True, help="Rank plans by a forecast of their drop; do not simulate hopeless ones.")
@click.option("--calibration", type=click.IntRange(min=1), default=128, show_default=True, help="Validation images for calibration.")
@click.option("--search-images", type=click.IntRange(min=1), default=1000, show_default=True, help="Validation images a trial sees.")
@click.option("--promote-images", type=click.IntRange(min=1), default=3000, show_default=True, help="Images a promising trial sees.")
@click.option("--finalists", type=click.IntRange(min=1), default=3, show_default=True, help="Designs measured on the test images.")
@click.option("--objective", "objectives", multiple=True, help="top1, energy_pj, area_um2, cycles, robust_accuracy, sdc_rate; repeatable.")
@click.option("--attack", default="pgd(loss=margin)", show_default=True, help="Of robust_accuracy: an attack within an epsilon.")
@click.option("--attack-epsilon", type=float, default=0.03, show_default=True, help="Of robust_accuracy: pixels 0..1.")
@click.option("--attack-images", type=click.IntRange(min=1), default=100, show_default=True, help="Of robust_accuracy: images a plan sees.")
@click.option("--fault", default="accumulator_flip", show_default=True, help="Of sdc_rate: a fault (`inexact fault list`).")
@click.option("--fault-count", type=click.IntRange(min=1), default=2048, show_default=True, help="Of sdc_rate: faults a plan meets.")
@click.option("--exits", type=click.Path(), help="Trained early exits (inexact net train-exits), whose thresholds are searched for too.")
@click.option("--threshold", "thresholds", type=float, multiple=True, help="Of --exits: a probability an exit may ask for; repeatable.")
@_ends
def run_study(
    out: Path, weights: Path | None, space: Path | None, as_json: bool, no_report: bool, threads: int | None, **settings: Any
) -> int:
    """Search, choose the largest saving within --max-drop, measure it on the test images, and write the folder --out.

    A folder that already holds this study goes on where it stopped. Exit code 3 when no design meets --max-drop.
    """
    from inexact.core.files import ensure_folder

    folder = ensure_folder(out)
    from inexact import explore
    from inexact.explore.space import read_space
    from inexact.explore.study import STORE

    use_threads(threads)
    text = None if space is None else read_space(space).text
    settings = {name: value for name, value in settings.items() if value != ()}  # those not given have defaults
    asked = explore.Settings(weights=None if weights is None else str(weights), space=text, **settings)
    with explore.Store(folder / STORE) as store:
        return _run(store, asked, folder, _command(), as_json=as_json, report=not no_report)


@study.command("resume")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(min=1), help="Plans to try in all (default: as the study was started).")
@_ends
def resume_study(out: Path, trials: int | None, as_json: bool, no_report: bool, threads: int | None) -> int:
    """Go on with an interrupted study, or extend a finished one with --trials. Finished trials are not repeated."""
    import dataclasses

    from inexact.explore.stored import open_store, stored_settings

    use_threads(threads)
    with open_store(out) as store:
        settings = stored_settings(store)
        settings = settings if trials is None else dataclasses.replace(settings, trials=trials)
        command = str(store.settings().get("command") or _command())
        return _run(store, settings, out, command, as_json=as_json, report=not no_report)


@study.command("front")
@click.argument("out", type=click.Path(path_type=Path))
@JSON
def show_front(out: Path, as_json: bool) -> None:
    """Show the non-dominated trials of a study, finished or not."""
    from inexact.explore.plot import plot_front, trial_line
    from inexact.explore.result import front_point
    from inexact.explore.stored import open_store, stored_settings, stored_trials

    with open_store(out) as store:
        trials, settings = stored_trials(store), stored_settings(store)
        finished = store.settings().get("report") is not None
    front = sorted((t for t in trials if t.on_front), key=lambda t: -(t.energy_saving or 0.0))
    if as_json:
        points = [front_point(t) for t in front]
        click.echo(json.dumps({"trials": len(trials), "wanted": settings.trials, "finished": finished, "front": points}))
        return
    click.echo(
        f"{len(trials)} of {settings.trials} trials, {len(front)} not dominated" + ("" if finished else "; the study is not finished")
    )
    for trial in front:
        click.echo(trial_line(trial))
    click.echo(plot_front(front))


@study.command("report")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--faults", type=click.Path(path_type=Path), multiple=True, help="Folder of `inexact fault run` elsewhere; repeatable.")
@click.option("--attacks", type=click.Path(path_type=Path), multiple=True, help="Folder of `inexact attack run` elsewhere; repeatable.")
@JSON
def write_study_report(out: Path, faults: tuple[Path, ...], attacks: tuple[Path, ...], as_json: bool) -> None:
    """Write report.html again, from study.db alone, with the fault campaigns and attacks of its folder and of those named."""
    path = rewritten(out, faults, attacks)
    click.echo(json.dumps({"report": str(path)}) if as_json else f"report in {path}")


def rewritten(folder: Path, faults: tuple[Path, ...] = (), attacks: tuple[Path, ...] = ()) -> Path:
    """The report of a finished study, written again; its path."""
    from inexact.explore.records import with_records
    from inexact.explore.stored import open_store, stored_report
    from inexact.report import write_html

    with open_store(folder) as store:
        content = with_records(stored_report(store), str(store.settings()["fingerprint"]), folder, faults=faults, attacks=attacks)
    return write_html(content, folder / "report.html")


def _run(store: Store, settings: Settings, folder: Path, command: str, *, as_json: bool, report: bool) -> int:
    """Run or continue; write the folder; print. Returns the exit code. Raises NoDesignError when nothing meets `max_drop`."""
    from inexact import explore
    from inexact.explore.stored import open_problem
    from inexact.explore.study import claim

    claim(store, settings, command)
    try:
        with _progress() as watch:
            watch.stage("load network and data", 0)
            problem = open_problem(settings)
            running = explore.Study(problem, settings, store, watch=watch, command=command)
            result = running.run()
            watch.stage("write files", 0)
            files = running.write(folder)
    except KeyboardInterrupt:
        click.echo(f"interrupted; {len(store.trials())} finished trials are kept. Go on with: inexact study resume {folder}", err=True)
        return 130
    content = result.to_json()
    if report:
        files.append(rewritten(folder))
    if as_json:
        click.echo(json.dumps({**result.summary(), "files": [str(path) for path in files]}))
    else:
        _show(content, files)
    if result.best is None:
        raise NoDesignError(result.message)
    return 0


def _show(content: dict[str, Any], files: list[Path]) -> None:
    from inexact.report import summary_table

    _tables.console().print(summary_table(content))
    trials = _tables.counted(len(content["trials"]), "trial")
    click.echo(f"{trials} in {content['seconds']:.0f} s; written: {', '.join(str(path) for path in files)}")


class _Bar:
    """Shows stages and steps of a study as a progress bar on stderr."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def stage(self, name: str, steps: int) -> None:
        """A line for the new stage; the one before is done."""
        if self._task is not None:
            total = self._bar.tasks[self._task].total or self._bar.tasks[self._task].completed or 1
            self._bar.update(self._task, total=total, completed=total)
        self._task = self._bar.add_task(name, total=steps or None, note="")

    def step(self, count: int = 1, note: str = "") -> None:
        """Progress within the stage."""
        if self._task is not None:
            self._bar.update(self._task, advance=count)
            if note:
                self._bar.update(self._task, note=note)


@contextmanager
def _progress() -> Iterator[_Bar]:
    columns = (TextColumn("{task.description:24}"), BarColumn(bar_width=30), TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar)


def _command() -> str:
    """How the study was started, for the report."""
    import shlex
    import sys

    return shlex.join(["inexact", *sys.argv[1:]])
