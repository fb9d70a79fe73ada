"""`inexact attack list|run|report|paper`: adversarial robustness of approximate networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from inexact.cli import _tables
from inexact.cli._campaign import named, of_study, subject_options
from inexact.cli._network import progress_bar, use_threads
from inexact.cli._options import CONTINUED, JSON, SEED, THREADS, images_option

if TYPE_CHECKING:
    from inexact.cli._campaign import Subject

RECORD, PAGE = "cells.json", "report.html"


@click.command("list")
@JSON
def list_attacks(as_json: bool) -> None:
    """Attacks and threat models."""
    from inexact.security.adversarial import THREATS, known_attacks

    found = known_attacks()
    if as_json:
        threats = [{"name": threat.name, "knows": threat.knows} for threat in THREATS.values()]
        click.echo(json.dumps({"attacks": found, "threats": threats}))
        return
    table = Table("attack", "needs", "epsilon", "what it does")
    for row in found:
        table.add_row(row["name"], row["needs"], row["measure"] if row["bounded"] else f"{row['measure']}, smallest change", row["about"])
    _tables.console().print(table)
    knowledge = Table("threat", "the attacker knows")
    for threat in THREATS.values():
        knowledge.add_row(threat.name, threat.knows)
    _tables.console().print(knowledge)


@click.command("run")
@subject_options
@click.option("--plan", "plans", multiple=True, help="Plan (TOML) or spec of a unit; repeatable: one is drawn for each inference.")
@click.option("--attack", "attack_specs", multiple=True, help="Attack, as pgd(steps=40); repeatable (default: a list of ten).")
@click.option("--threat", "threats", multiple=True, help="Threat model; repeatable (default: all but substitute).")
@click.option("--epsilon", "epsilons", type=float, multiple=True, help="Largest change of a pixel, pixels 0..1; repeatable.")
@click.option("--epsilon-l2", "epsilons_l2", type=float, multiple=True, help="Root of the sum of squared changes; repeatable.")
@images_option(200, "First so many test images are attacked.")
@click.option("--scaling", metavar="MEAN,DEVIATION", help="What pixels 0..1 were normalised by, for data that do not say.")
@SEED
def run_attacks(
    *,
    network: str | None,
    data: str | None,
    study: Path | None,
    trial: str,
    plans: tuple[str, ...],
    weights: tuple[Path, ...],
    attack_specs: tuple[str, ...],
    threats: tuple[str, ...],
    epsilons: tuple[float, ...],
    epsilons_l2: tuple[float, ...],
    images: int,
    scaling: str | None,
    seed: int,
    out: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Attack the float32, the exact and the approximate network with equal effort, under every threat, and say what the numbers mean.

    Epsilon is in pixels 0..1, before normalisation. Writes attack.json and report.html. Stopped, the same command goes on. With --study:
    a design of that study, in the folder attacks of the study, whose report is written again with it.
    """
    from inexact.cli.study import rewritten
    from inexact.security import adversarial

    use_threads(threads)
    asked = {"threats": threats, "epsilons": epsilons, "epsilons_l2": epsilons_l2}
    settings = adversarial.Settings(attacks=attack_specs, seed=seed, **{key: value for key, value in asked.items() if value})  # type: ignore[arg-type]
    if study is None:
        subject = named(network, data, plans, weights, out)
    else:
        given = {"network": network, "data": data, "plan": plans, "weights": weights, "out": out}
        (subject,) = of_study(study, trial, into="attacks", exact=False, given=given)
    content = campaign(subject, settings, images, scaling)
    show(content, subject.out, as_json=as_json, page=None if study is None else rewritten(study))


def campaign(subject: Subject, settings: Any, images: int, scaling: str | None) -> dict[str, Any]:
    """Run or continue the campaign of one plan in its folder, and write result and page; the result."""
    from inexact import zoo
    from inexact.cli import _attack_build
    from inexact.core.files import ensure_folder, write_text
    from inexact.report import attack as page
    from inexact.security import adversarial

    dataset = zoo.data(subject.data, "test", images)
    found = adversarial.images_of(dataset, _attack_build.scaling_of(scaling))
    networks = _attack_build.networks_of(subject.network, subject.data, subject.plans, subject.weights, dataset, found)
    folder = ensure_folder(subject.out)
    spare = _attack_build.spare_of(subject.data) if "substitute" in settings.threats else None
    running = adversarial.Campaign(networks, found, settings, spare=spare, path=folder / RECORD)
    cells = run_campaign(running.run)
    content = adversarial.report(cells, settings, found, {name: running.judge(name) for name in networks.known()})
    content |= {"network": subject.network, "data": subject.data, "plans": list(subject.plans), "plan_toml": _plans(networks.approximate)}
    content |= {"about": subject.about} | origin()
    write_text(folder / adversarial.RESULT, json.dumps(content))
    write_text(folder / PAGE, page.render(content))
    return content


@click.command("paper")
@click.argument("name", type=click.Choice(["guesmi2021", "siddique2022adv"]))
@images_option(100, "First so many test images are attacked.")
@click.option("--epsilon", type=float, default=0.1, show_default=True, help="guesmi2021: largest change of a pixel, pixels 0..1.")
@click.option("--epsilon-l2", type=float, default=1.5, show_default=True, help="guesmi2021: root of the sum of squared changes.")
@click.option("--unit", "units", multiple=True, help="siddique2022adv: signed 8x8 unit; repeatable (default: six of the package).")
@SEED
@click.option("--out", type=click.Path(path_type=Path), required=True, help=CONTINUED)
@THREADS
@JSON
def paper_table(name: str, threads: int | None, out: Path, as_json: bool, **asked: Any) -> None:
    """The tables of two papers that contradict each other, on LeNet-5 and MNIST, with intervals and a verdict on their claims.

    guesmi2021 (Defensive Approximation): hit rates by what the attacker knows. siddique2022adv (Is Approximation Universally Defensive?):
    examples made on the exact network, run on approximate ones.
    """
    from inexact.cli import _attack_papers
    from inexact.core.files import ensure_folder

    use_threads(threads)
    folder = ensure_folder(out)
    if name == "guesmi2021":
        _attack_papers.hit_rates(folder, asked["images"], asked["epsilon"], asked["epsilon_l2"], asked["seed"], as_json=as_json)
    else:
        _attack_papers.transfer_grid(folder, asked["images"], asked["units"], asked["seed"], as_json=as_json)


@click.command("report")
@click.argument("out", type=click.Path(path_type=Path))
@JSON
def report_attacks(out: Path, as_json: bool) -> None:
    """Show a finished campaign and write its report.html again."""
    from inexact.core.files import write_text
    from inexact.report import attack as page
    from inexact.security.adversarial import read_result

    content = read_result(out)
    write_text(out / PAGE, page.render(content))
    show(content, out, as_json=as_json)


def run_campaign(run: Callable[[Callable[[str, int, int], None]], dict[str, Any]]) -> dict[str, Any]:
    """What `run` returns, with a progress bar on stderr."""
    with progress_bar() as bar:
        task = bar.add_task("attacks", total=None)
        return run(lambda what, done, steps: bar.update(task, description=what[:60], completed=done, total=steps))


def origin() -> dict[str, Any]:
    """Command, date and versions, which every result carries."""
    from inexact.cli.study import _command
    from inexact.explore.assemble import versions

    return {"command": _command(), "date": datetime.now(UTC).date().isoformat(), "versions": versions()}


def show(content: dict[str, Any], folder: Path, *, as_json: bool, page: Path | None = None) -> None:
    """The short answer: worst of all attacks, rows, alarms, verdict. page: where they stand, unless in the page of `folder`."""
    from inexact.security.adversarial import RESULT

    page = page or folder / PAGE
    if as_json:
        click.echo(json.dumps(content | {"files": [str(folder / RESULT), str(page)]}))
        return
    names = ("float32", "exact", "approximate")
    table = Table("attack", "threat", "epsilon", *names, "exact - approximate", title=f"Robust accuracy, %, {content['images']} images")
    for row in [*content["rows"], *({"attack": "worst of all", "threat": "", **line} for line in content["worst"])]:
        low, high = row["difference"]["ci"]
        cells = [f"{row[name]['robust']:.1f}" for name in names]
        difference = f"{row['difference']['points']:+.1f} [{low:+.1f}, {high:+.1f}]"
        table.add_row(row["attack"], row["threat"], f"{row['measure']} {row['epsilon']:g}", *cells, difference)
    _tables.console().print(table)
    for sentence in content["verdict"]:
        click.echo(sentence)
    click.echo(f"{content['seconds']:.0f} s of attacks; report in {page}")


def _plans(approximate: Any) -> list[str]:
    from inexact.nn import ApproxModel

    return [module.plan.to_toml() for module in approximate.modules() if isinstance(module, ApproxModel)]
