"""`inexact attack extract`: how many queries a copy of a network takes, with exact and with approximate units."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inexact.cli._attack_setup import answer, check_targets, curve, emulated_networks, network_options, run_options, steps, units_options
from inexact.cli._options import images_option, seed_option

if TYPE_CHECKING:
    from inexact.security.extraction import Extraction


@click.command("extract")
@network_options
@units_options
@click.option("--attack", "name", default="copycat", show_default=True, help="copycat (classes) or knockoff (probabilities).")
@click.option("--surrogate", default="lenet5", show_default=True, help="Architecture of the copy.")
@click.option("--queries", default="", help="Data the queries come from (default: the training images of --data).")
@click.option("--budget", "budgets", type=int, multiple=True, default=(250, 1000, 4000), show_default=True, help="Queries; repeatable.")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Copies, each with queries of its own.")
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True, help="Passes over the queries; few have more.")
@images_option(1000, "Test images answers are compared on.")
@seed_option("Of queries and copies.")
@run_options
def attack_copies(
    *,
    network: str,
    data: str,
    weights: Path | None,
    precision: str,
    units: tuple[str, ...],
    coding: str,
    name: str,
    surrogate: str,
    queries: str,
    budgets: tuple[int, ...],
    runs: int,
    epochs: int,
    images: int,
    seed: int,
    out: Path | None,
    picture: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Model extraction by ART's CopycatCNN or KnockoffNets: a copy trained on a network's answers, and how often it agrees."""
    from inexact import zoo
    from inexact.security.extraction import ExtractionSettings, extraction
    from inexact.security.record import Record

    check_targets(out, picture)
    settings = {
        "attack": "extract", "network": network, "data": data, "weights": str(weights or ""), "precision": precision, "coding": coding,
        "units": units, "method": name, "surrogate": surrogate, "queries": queries, "budgets": budgets, "runs": runs, "epochs": epochs,
        "images": images, "seed": seed,
    }  # fmt: skip
    record = Record(out, settings)
    wanted = ExtractionSettings(attack=name, budgets=budgets, runs=runs, epochs=epochs, seed=seed)
    with steps("surrogates", threads) as step:
        victims = emulated_networks(network, data, weights, precision=precision, coding=coding, units=units)
        asked, test = zoo.data(queries or data, "train"), zoo.data(data, "test", images)
        found = extraction(victims, zoo.architecture_of(surrogate), asked, test, wanted, record=record, progress=step)
    title = f"{name}, {network} on {data}"
    answer(settings | found.to_json(), found.sentences(), as_json=as_json, picture=picture, drawing=lambda: _drawing(found, title))


def _drawing(found: Extraction, title: str) -> str:
    from inexact.report.curves import Panel, picture

    panel = Panel(
        title="test images on which the copy answers as its victim, %; mean over copies, 95 % interval",
        curves=tuple(
            curve(name, list(rows), [found.mean(name, budget, "fidelity") for budget in rows]) for name, rows in found.victims.items()
        ),
    )
    return picture(f"Model extraction: {title}", "queries", [panel], logarithmic=True)
