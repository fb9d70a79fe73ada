"""`inexact fault run`: inject faults until the rates of wrong answers are known as well as asked."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from inexact.cli._network import network_options, plan_options, progress_bar, use_threads
from inexact.core.files import ensure_folder, sha256_file

STORE = "campaign.db"
RATES = {"sdc1": "SDC-1", "sdc5": "SDC-5", "critical": "critical"}


@click.command("run")
@network_options
@plan_options
@click.option("--fault", "specs", multiple=True, required=True, help="Fault (repeatable), such as 'activation_flip(bits=(6,7))'.")
@click.option("--margin", type=float, default=1.0, show_default=True, help="Half of the interval of the SDC-1 rate, in points.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Confidence of all intervals.")
@click.option("--budget", type=click.IntRange(min=1), help="Faults of each kind at most (default: as many as the margin needs).")
@click.option("--allocation", default="proportional", show_default=True, help="Of faults over strata: proportional or neyman.")
@click.option("--images", type=click.IntRange(min=1), default=1000, show_default=True, help="Test images that faults are drawn for.")
@click.option("--protect", default="none", show_default=True, help="Mitigation, such as range_clip; its cost is reported.")
@click.option("--accelerator", default="edge-16x16", show_default=True, help="Preset or TOML file that --protect is charged on.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same faults.")
@click.option("--workers", type=click.IntRange(min=0), help="Processes (default: one a core; 0: this one).")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for campaign.db, report.json and report.html.")
def run_faults(
    *,
    network: str,
    data: str,
    threads: int | None,
    plan: Path | None,
    weights: tuple[Path, ...],
    calibrate: str | None,
    as_json: bool,
    specs: tuple[str, ...],
    margin: float,
    images: int,
    protect: str,
    accelerator: str,
    workers: int | None,
    out: Path,
    **asked: Any,
) -> None:
    """Inject faults, one an image or one a chip, until the SDC-1 rate of each kind is known within --margin.

    Without --plan: exact signed 8-bit products. A folder that holds this campaign goes on where it stopped.
    """
    from inexact.cli._faulty_network import opened
    from inexact.reliability import Campaign, Settings, Store
    from inexact.report import faults as pages

    use_threads(threads or 1)
    files = {"plan": plan, **{f"weights {place}": path for place, path in enumerate(weights)}}
    about = {"network": network, "data": data, "images": str(images), "calibrate": calibrate or "", "protect": protect}
    about |= {name: "exact 8 bit" if path is None else sha256_file(path) if path.is_file() else str(path) for name, path in files.items()}
    settings = Settings(faults=specs, margin=margin / 100, about=tuple(about.items()), **asked)
    folder = ensure_folder(out)
    opening = functools.partial(opened, network, data, plan, weights, calibrate, images, protect)
    with Store(folder / STORE) as store, progress_bar() as bar:
        task = bar.add_task("open", total=None)
        campaign = Campaign(settings, opening, store, workers=(os.cpu_count() or 1) if workers is None else workers)
        report = campaign.run(lambda spec, done, planned: bar.update(task, description=spec, completed=done, total=max(done, planned)))
    if protect != "none":
        report["overhead"] = overhead(opening().net, protect, accelerator)
    written = pages.write_html(report, folder / "report.html")
    if as_json:
        click.echo(json.dumps(report | {"report": str(written)}))
    else:
        show(report)
        click.echo(f"report in {written}")


def overhead(net: Any, protect: str, accelerator: str) -> dict[str, Any]:
    """What the mitigation costs, as plain JSON."""
    from inexact import hardware
    from inexact.reliability import mitigations

    return mitigations.get(protect).overhead(net, hardware.load(accelerator)).to_json() | {"accelerator": accelerator}


def show(report: Mapping[str, Any]) -> None:
    """Print the rates."""
    from inexact.report.faults import shown

    width = max(len(found["fault"]) for found in report["faults"])
    for found in report["faults"]:
        rates = "; ".join(f"{name} {shown(found[key])} %" for key, name in RATES.items())
        click.echo(f"{found['fault']:{width}}  {rates}; drop {shown(found['drop'])} points; {found['n']:,} faults")
    if "overhead" in report:
        cost = report["overhead"]
        shares = f"{cost['energy_percent']:.3f} % energy, {cost['area_percent']:.3f} % area"
        click.echo(f"{report['settings']['about']['protect']} on {cost['accelerator']}: {shares} (declared model)")
    confidence = f"{100 * report['settings']['confidence']:g}"
    click.echo(f"{confidence} % intervals; {report['images']} images, {report['top1']:.2f} % right without a fault")
