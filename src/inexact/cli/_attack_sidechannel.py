"""`inexact attack sidechannel`: how many power traces disclose weights, with exact and with approximate units."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inexact.cli._attack_setup import answer, check_targets, curve, emulated_networks, network_options, run_options, steps, units_options
from inexact.cli._options import images_option, seed_option

if TYPE_CHECKING:
    from inexact.security.disclosure import Disclosure


@click.command("sidechannel")
@network_options
@units_options
@click.option("--layer", default="conv1", show_default=True, help="Layer whose weights are wanted.")
@click.option("--filter", "filters", type=int, multiple=True, help="Output channel; repeatable (default: all).")
@click.option(
    "--leakage",
    default="accumulator_distance",
    show_default=True,
    help="product_weight, product_distance, accumulator_distance, netlist_toggles.",
)
@click.option("--snr", type=float, default=0.1, show_default=True, help="Signal-to-noise ratio of a sample on the first unit.")
@click.option("--traces", type=int, default=4096, show_default=True, help="Most traces; 32, 64, … are tried up to it.")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Attacks on each filter.")
@images_option(100, "Test images the windows come from.")
@seed_option("Of windows and noise.")
@run_options
def attack_traces(
    *,
    network: str,
    data: str,
    weights: Path | None,
    precision: str,
    units: tuple[str, ...],
    coding: str,
    layer: str,
    filters: tuple[int, ...],
    leakage: str,
    snr: float,
    traces: int,
    runs: int,
    images: int,
    seed: int,
    out: Path | None,
    picture: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Correlation power analysis: weights of a layer from simulated traces of one multiply-accumulate element and known activations."""
    from inexact import zoo
    from inexact.security.disclosure import DisclosureSettings, disclosure
    from inexact.security.leakage import NETLIST
    from inexact.security.netlist_power import netlist_disclosure
    from inexact.security.record import Record

    check_targets(out, picture)
    settings = {
        "attack": "sidechannel", "network": network, "data": data, "weights": str(weights or ""), "precision": precision,
        "coding": coding, "units": units, "layer": layer, "filters": filters, "leakage": leakage, "snr": snr, "traces": traces,
        "runs": runs, "images": images, "seed": seed,
    }  # fmt: skip
    wanted = DisclosureSettings(layer=layer, filters=filters, leakage=leakage, snr=snr, traces=traces, repetitions=runs, seed=seed)
    record = Record(out, settings)
    with steps("attacks on filters", threads) as step:
        nets = emulated_networks(network, data, weights, precision=precision, coding=coding, units=units)
        attack = netlist_disclosure if leakage == NETLIST else disclosure
        found = attack(nets, zoo.data(data, "test", images).images, wanted, record=record, progress=step)
    title = f"{leakage.replace('_', ' ')}, {network} {layer}, SNR {snr:g}"
    answer(settings | found.to_json(), found.sentences(), as_json=as_json, picture=picture, drawing=lambda: _drawing(found, title))


def _drawing(found: Disclosure, title: str) -> str:
    from inexact.report.curves import Panel, picture

    panel = Panel(
        title="weights recovered, up to those the unit treats alike, %; mean over filters and repetitions, 95 % interval",
        curves=tuple(curve(name, found.settings.grid(), unit.success(), factor=100) for name, unit in found.units.items()),
    )
    return picture(f"Weights by power analysis: {title}", "traces", [panel], logarithmic=True)
