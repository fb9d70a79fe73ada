"""`inexact attack bitflip`: how few flipped weight bits ruin a network, with exact and with approximate units."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inexact.cli._attack_setup import answer, check_targets, curve, emulated_networks, network_options, run_options, steps, units_options
from inexact.cli._options import images_option, seed_option

if TYPE_CHECKING:
    from inexact.security.flip_study import FlipStudy


@click.command("bitflip")
@network_options
@units_options
@click.option("--gradient", default="straight_through", show_default=True, help="Gradient of emulated layers the attacker uses.")
@click.option("--flips", type=click.IntRange(min=1), default=50, show_default=True, help="Most bits an attack flips.")
@click.option("--batch", type=click.IntRange(min=1), default=128, show_default=True, help="Validation images the attacker has.")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Attacks, each with a batch of its own.")
@images_option(1000, "Test images accuracy is reported on.")
@click.option("--range-check", is_flag=True, help="Only flips whose code stays within the range of its output channel.")
@seed_option("Of batches and random flips.")
@run_options
def attack_bits(
    *,
    network: str,
    data: str,
    weights: Path | None,
    precision: str,
    units: tuple[str, ...],
    coding: str,
    gradient: str,
    flips: int,
    batch: int,
    runs: int,
    images: int,
    seed: int,
    range_check: bool,
    out: Path | None,
    picture: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Bit-flip attack by progressive bit search (white box) on the stored weights; random flips and transferred flips beside it."""
    from inexact import zoo
    from inexact.security.flip_study import FlipSettings, flip_study
    from inexact.security.record import Record

    check_targets(out, picture)
    settings = {
        "attack": "bitflip", "network": network, "data": data, "weights": str(weights or ""), "precision": precision, "coding": coding,
        "units": units, "gradient": gradient, "flips": flips, "batch": batch, "runs": runs, "images": images, "range_check": range_check,
        "seed": seed,
    }  # fmt: skip
    record = Record(out, settings)
    with steps("bit flips", threads) as step:
        nets = emulated_networks(network, data, weights, precision=precision, coding=coding, units=units, gradient=gradient)
        found = flip_study(
            nets,
            zoo.data(data, "validation"),
            zoo.data(data, "test", images),
            FlipSettings(flips=flips, batch=batch, runs=runs, range_check=range_check, seed=seed),
            record=record,
            progress=step,
        )
    answer(settings | found.to_json(), found.sentences(), as_json=as_json, picture=picture, drawing=lambda: _drawing(found, network, data))


def _drawing(found: FlipStudy, network: str, data: str) -> str:
    from inexact.report.curves import Panel, picture

    panel = Panel(
        title="top-1 after each flip of progressive bit search, %; mean over attack batches, 95 % interval",
        curves=tuple(curve(name, range(len(summary.curve)), summary.curve) for name, summary in found.networks.items()),
    )
    return picture(f"Bit-flip attack on {network}, {data}", "flipped bits", [panel])
