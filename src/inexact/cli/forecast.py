"""`inexact forecast`: the accuracy drop of plans, without running them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._options import DATA, JSON, NETWORK, THREADS, seed_option

if TYPE_CHECKING:
    from inexact.explore.forecast import Forecaster
    from inexact.explore.network_problem import NetworkProblem


@click.command()
@NETWORK
@DATA
@click.option("--weights", type=click.Path(path_type=Path), help="Weights instead of those that come with the package.")
@click.option("--plan", "plans", multiple=True, required=True, help="Plan (TOML) or spec of a multiplier for all layers; repeatable.")
@click.option(
    "--calibration", "file", type=click.Path(path_type=Path), help="File that keeps the calibration: written, or read when it exists."
)
@click.option(
    "--plans", "count", type=click.IntRange(min=0), default=40, show_default=True, help="Random plans to simulate; 0: no interval."
)
@click.option("--images", type=click.IntRange(min=1), default=1000, show_default=True, help="Validation images drops are counted on.")
@seed_option("Of the random plans.")
@THREADS
@JSON
def forecast(
    *,
    network: str,
    data: str,
    weights: Path | None,
    plans: tuple[str, ...],
    file: Path | None,
    count: int,
    images: int,
    seed: int,
    threads: int | None,
    as_json: bool,
) -> None:
    """Forecast the accuracy drop of plans against float32, in points, with a 90 % interval and the layers that cost most.

    Calibration simulates random plans once; it is the slow part, and --calibration keeps it.
    """
    from inexact.cli._network import use_threads
    from inexact.cli._plans import plan_of
    from inexact.cli.study import _progress
    from inexact.explore import Settings
    from inexact.explore.forecast_trials import forecaster_of
    from inexact.explore.stored import open_problem

    use_threads(threads)
    wanted = {name: plan_of(name) for name in plans}
    settings = Settings(network=network, data=data, weights=None if weights is None else str(weights))
    with _progress() as watch:
        watch.stage("load network and data", 0)
        problem = open_problem(settings)
        forecaster = forecaster_of(problem, images)
        _calibrate(problem, forecaster, file, count=count, images=images, seed=seed, watch=watch)
        found = {name: forecaster.forecast(plan).to_json() for name, plan in wanted.items()}
    known = None if forecaster.calibrated is None else forecaster.calibrated.to_json()
    if as_json:
        click.echo(json.dumps({"network": network, "data": data, "calibration": known, "plans": found}))
    else:
        _show(found)


def _calibrate(
    problem: NetworkProblem, forecaster: Forecaster, file: Path | None, *, count: int, images: int, seed: int, watch: Any
) -> None:
    from inexact.explore import forecast_file

    if file is not None and file.exists():
        forecaster.calibrated = forecast_file.kept(file, problem).conformal()
    elif count:
        measured = forecast_file.measured(problem, forecaster, plans=count, images=images, seed=seed, watch=watch)
        forecaster.calibrated = measured.conformal()
        if file is not None:
            measured.save(file)


def _show(found: dict[str, dict[str, Any]]) -> None:
    for name, one in found.items():
        interval = "" if one["interval"] is None else " [{:+.2f}, {:+.2f}], 90 % interval".format(*one["interval"])
        click.echo(f"{name}: drop {one['drop']:+.2f} points{interval}")
        for layer, points in list(one["alone"].items())[:5]:
            click.echo(f"  {layer} alone {points:+.2f}")
