"""`inexact unit evolve`: what it asks for; the search itself is in `_unit_evolve`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from inexact.cli._options import JSON, seed_option
from inexact.core.workload import CODINGS


@click.command("evolve")
@click.argument("seed_spec", metavar="[SPEC]", default="exact")
@click.option("--metric", default="mae", show_default=True, metavar="NAME", help="What is bounded; see below.")
@click.option(
    "--targets", default="1:1000:12", show_default=True, metavar="LIST", help="Bounds: 1,5,20, or FIRST:LAST:COUNT in equal ratios."
)
@click.option("--zero-exact", is_flag=True, help="Exact whenever an operand is 0.")
@click.option("--max-wce", type=int, metavar="N", help="Largest |error| allowed.")
@click.option("--max-bias", type=float, metavar="X", help="Largest |mean error| allowed, uniform operands.")
@click.option("--generations", type=click.IntRange(1), default=200_000, show_default=True, help="Children per target and island.")
@click.option(
    "--islands", type=click.IntRange(1), default=1, show_default=True, help="Independent searches per target; the cheapest goes on."
)
@seed_option("Of all random numbers.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="out/evolved", show_default=True, help="Folder; one with a checkpoint goes on."
)
@click.option(
    "--liberty", type=click.Path(path_type=Path), metavar="FILE", help="Cell library whose areas are the cost (default: own 45 nm)."
)
@click.option("--layer", metavar="NETWORK:LAYER", help="Operands as this layer meets them, as in lenet5:conv2.")
@click.option("--data", default="fashion-mnist", show_default=True, help="Data set of the network of --layer.")
@click.option("--coding", type=click.Choice(CODINGS), help="Coding of --layer's operands (default: the unit's).")
@click.option(
    "--histograms", type=click.Path(path_type=Path), metavar="FILE.npz", help="Operands by arrays a and b, counts by bit pattern."
)
@JSON
def evolve_units(  # noqa: PLR0917  one parameter an option
    seed_spec: str,
    metric: str,
    targets: str,
    zero_exact: bool,
    max_wce: int | None,
    max_bias: float | None,
    generations: int,
    islands: int,
    seed: int,
    out: Path,
    liberty: Path | None,
    layer: str | None,
    data: str,
    coding: str | None,
    histograms: Path | None,
    as_json: bool,
) -> None:
    """Breed circuits that cost less and less area while an error metric stays under each of a ladder of bounds.

    SPEC is where the search starts (default: exact). NAME of --metric: mae, mse, error_probability, wce (uniform operands);
    weighted_mae, weighted_mse (under the operands of --layer or --histograms); rms_folded, rms_column (what is left after the free
    correction: mean and weight part in the bias, and the activation part in a shared column as well).

    The same seed gives the same circuits on every machine. Ctrl-C loses nothing: the same command goes on.
    """
    from inexact.cli import _unit_evolve as evolution

    asked = evolution.Asked(
        seed_spec=seed_spec,
        metric=metric,
        targets=targets,
        zero_exact=zero_exact,
        wce=max_wce,
        bias=max_bias,
        generations=generations,
        islands=islands,
        seed=seed,
        out=out,
        liberty=liberty,
        layer=layer,
        data=data,
        coding=coding,
        histograms=histograms,
    )
    rows = evolution.evolved(asked)
    if as_json:
        click.echo(json.dumps({"front": rows}))
    else:
        evolution.show(rows, out)
