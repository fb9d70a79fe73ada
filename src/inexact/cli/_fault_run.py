"""`inexact fault run`: inject faults until the rates of wrong answers are known as well as asked."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._campaign import named, of_study, subject_options
from inexact.cli._network import progress_bar, use_threads
from inexact.cli._options import CALIBRATE, PLAN, SEED, images_option
from inexact.cli._tables import counted
from inexact.core.files import ensure_folder

if TYPE_CHECKING:
    from inexact.cli._campaign import Subject

RATES = {"sdc1": "SDC-1", "sdc5": "SDC-5", "critical": "critical"}
PAGE = "report.html"


@click.command("run")
@subject_options
@PLAN
@CALIBRATE
@click.option("--fault", "specs", multiple=True, required=True, help="Fault (repeatable), such as 'activation_flip(bits=(6,7))'.")
@click.option("--margin", type=float, default=1.0, show_default=True, help="Half of the interval of the SDC-1 rate, in points.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Confidence of all intervals.")
@click.option("--budget", type=click.IntRange(min=1), help="Faults of each kind at most (default: as many as the margin needs).")
@click.option("--allocation", default="proportional", show_default=True, help="Of faults over strata: proportional or neyman.")
@images_option(1000, "Test images that faults are drawn for.")
@click.option("--protect", default="none", show_default=True, help="Mitigation, such as range_clip; its cost is reported.")
@click.option("--accelerator", default="edge-16x16", show_default=True, help="Preset or TOML file that --protect is charged on.")
@SEED
@click.option("--workers", type=click.IntRange(min=0), help="Processes (default: one a core; 0: this one).")
def run_faults(
    *,
    network: str | None,
    data: str | None,
    study: Path | None,
    trial: str,
    threads: int | None,
    plan: str | None,
    weights: tuple[Path, ...],
    out: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Inject faults, one an image or one a chip, until the SDC-1 rate of each kind is known within --margin.

    Without --plan: exact signed 8-bit products. With --study: a design of that study and its exact 8-bit network, in the folder faults
    of the study, and the study's report is written again with both. A folder that holds this campaign goes on where it stopped.
    """
    use_threads(threads or 1)
    if study is None:
        subject = named(network, data, () if plan is None else (plan,), weights, out)
        report = campaign(subject, plan, asked)
        _answer(report, subject.out / PAGE, as_json=as_json)
        return
    given = {"network": network, "data": data, "plan": plan, "weights": weights, "out": out, "calibrate": asked["calibrate"]}
    subjects = of_study(study, trial, into="faults", exact=True, given=given)
    _answer_study(study, {subject.about["design"]: campaign(subject, subject.plans[0], asked) for subject in subjects}, as_json=as_json)


def campaign(subject: Subject, plan: str | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Run or continue the campaign of one network in its folder, and write its page; the report."""
    from inexact.cli._faulty_network import opened
    from inexact.reliability import CAMPAIGN, Campaign, Settings, Store
    from inexact.report import faults as pages

    calibrate, images, protect, workers = asked["calibrate"], asked["images"], asked["protect"], asked["workers"]
    about = subject.about | {"images": str(images), "calibrate": calibrate or "", "protect": protect}
    named_alike = {name: asked[name] for name in ("confidence", "budget", "allocation", "seed")}
    settings = Settings(faults=asked["specs"], margin=asked["margin"] / 100, about=tuple(about.items()), **named_alike)
    opening = functools.partial(opened, subject.network, subject.data, plan, subject.weights, calibrate, images, protect)
    with Store(ensure_folder(subject.out) / CAMPAIGN) as store, progress_bar() as bar:
        task = bar.add_task("open", total=None)
        running = Campaign(settings, opening, store, workers=(os.cpu_count() or 1) if workers is None else workers)
        where = subject.about.get("design", "")
        report = running.run(
            lambda spec, done, planned: bar.update(task, description=f"{where} {spec}".strip(), completed=done, total=max(done, planned))
        )
    if protect != "none":
        report["overhead"] = overhead(opening().net, protect, asked["accelerator"])
    pages.write_html(report, subject.out / PAGE)
    return report


def overhead(net: Any, protect: str, accelerator: str) -> dict[str, Any]:
    """What the mitigation costs, as plain JSON."""
    from inexact import hardware
    from inexact.reliability import mitigations

    return mitigations.get(protect).overhead(net, hardware.load(accelerator)).to_json() | {"accelerator": accelerator}


def _answer(report: Mapping[str, Any], page: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**report, "report": str(page)}))
        return
    show(report)
    click.echo(f"report in {page}")


def _answer_study(study: Path, reports: Mapping[str, Mapping[str, Any]], *, as_json: bool) -> None:
    """Both campaigns and what tells them apart; the study's page anew."""
    from inexact.cli.study import rewritten
    from inexact.reliability import compare

    design, other = next(iter(reports.items()))
    rows = compare(reports["exact"], other, name=design) if design != "exact" else []
    page = rewritten(study)
    if as_json:
        click.echo(json.dumps({"designs": reports, "comparison": rows, "report": str(page)}))
        return
    for name, report in reports.items():
        click.echo(f"{name}:")
        show(report)
    for row in rows:
        click.echo(row["sentence"])
    click.echo(f"report in {page}")


def show(report: Mapping[str, Any]) -> None:
    """Print the rates."""
    from inexact.report._fault_map import shown

    width = max(len(found["fault"]) for found in report["faults"])
    for found in report["faults"]:
        rates = "; ".join(f"{name} {shown(found[key])} %" for key, name in RATES.items())
        click.echo(f"{found['fault']:{width}}  {rates}; drop {shown(found['drop'])} points; {found['n']:,} faults")
    if "overhead" in report:
        cost = report["overhead"]
        shares = f"{cost['energy_percent']:.3f} % energy, {cost['area_percent']:.3f} % area"
        click.echo(f"{report['settings']['about']['protect']} on {cost['accelerator']}: {shares} (declared model)")
    confidence = f"{100 * report['settings']['confidence']:g}"
    click.echo(f"{confidence} % intervals; {counted(report['images'], 'image')}, {report['top1']:.2f} % right without a fault")
