"""`inexact attack list|run|report|paper`: adversarial robustness of approximate networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from inexact.core.errors import AttackError

RESULT, RECORD, PAGE = "attack.json", "cells.json", "report.html"


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
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
    Console().print(table)
    knowledge = Table("threat", "the attacker knows")
    for threat in THREATS.values():
        knowledge.add_row(threat.name, threat.knows)
    Console().print(knowledge)


@click.command("run")
@click.option("--network", required=True, help="Network of the zoo (lenet5, …) or module:function.")
@click.option("--data", default="fashion-mnist", show_default=True, help="Data set, folder, .npz file or module:function.")
@click.option(
    "--plan", "plans", multiple=True, required=True, help="Plan (TOML) or spec of a unit; several: one is drawn for each inference."
)
@click.option("--weights", type=click.Path(path_type=Path), multiple=True, help="Weights of the network, or of the emulated one.")
@click.option("--attack", "attack_specs", multiple=True, help="Attack, as pgd(steps=40); several (default: a list of ten).")
@click.option("--threat", "threats", multiple=True, help="Threat model; several (default: all but substitute).")
@click.option("--epsilon", "epsilons", type=float, multiple=True, help="Largest change of a pixel, pixels 0..1; several.")
@click.option("--epsilon-l2", "epsilons_l2", type=float, multiple=True, help="Root of the sum of squared changes; several.")
@click.option("--images", type=click.IntRange(min=1), default=200, show_default=True, help="First so many test images are attacked.")
@click.option("--scaling", metavar="MEAN,DEVIATION", help="What pixels 0..1 were normalised by, for data that do not say.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for the result; one that holds it goes on where it was."
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads to use (default: all cores).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run_attacks(
    *,
    network: str,
    data: str,
    plans: tuple[str, ...],
    weights: tuple[Path, ...],
    attack_specs: tuple[str, ...],
    threats: tuple[str, ...],
    epsilons: tuple[float, ...],
    epsilons_l2: tuple[float, ...],
    images: int,
    scaling: str | None,
    seed: int,
    out: Path,
    threads: int | None,
    as_json: bool,
) -> None:
    """Attack the float32, the exact and the approximate network with equal effort, under every threat, and say what the numbers mean.

    Epsilon is in pixels 0..1, before normalisation. Writes attack.json and report.html. Stopped, the same command goes on.
    """
    from inexact import zoo
    from inexact.cli import _attack_build
    from inexact.cli._network import use_threads
    from inexact.core.files import ensure_folder
    from inexact.security import adversarial

    use_threads(threads)
    given = {"threats": threats, "epsilons": epsilons, "epsilons_l2": epsilons_l2}
    settings = adversarial.Settings(attacks=attack_specs, seed=seed, **{key: value for key, value in given.items() if value})  # type: ignore[arg-type]
    dataset = zoo.data(data, "test", images)
    found = adversarial.images_of(dataset, _attack_build.scaling_of(scaling))
    networks = _attack_build.networks_of(network, data, plans, weights, dataset, found)
    folder = ensure_folder(out)
    spare = _attack_build.spare_of(data) if "substitute" in settings.threats else None
    campaign = adversarial.Campaign(networks, found, settings, spare=spare, path=folder / RECORD)
    cells = run_campaign(campaign.run)
    about = {"network": network, "data": data, "plans": list(plans), "plan_toml": _plans(networks.approximate)}
    publish(
        adversarial.report(cells, settings, found, {name: campaign.judge(name) for name in networks.known()}) | about,
        folder,
        as_json=as_json,
    )


@click.command("paper")
@click.argument("name", type=click.Choice(["guesmi2021", "siddique2022adv"]))
@click.option("--images", type=click.IntRange(min=1), default=100, show_default=True, help="First so many test images are attacked.")
@click.option("--epsilon", type=float, default=0.1, show_default=True, help="guesmi2021: largest change of a pixel, pixels 0..1.")
@click.option("--epsilon-l2", type=float, default=1.5, show_default=True, help="guesmi2021: root of the sum of squared changes.")
@click.option("--unit", "units", multiple=True, help="siddique2022adv: signed 8x8 unit; several (default: six of the package).")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for the result; one that holds it goes on where it was."
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads to use (default: all cores).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def paper_table(name: str, threads: int | None, out: Path, as_json: bool, **asked: Any) -> None:
    """The tables of two papers that contradict each other, on LeNet-5 and MNIST, with intervals and a verdict on their claims.

    guesmi2021 (Defensive Approximation): hit rates by what the attacker knows. siddique2022adv (Is Approximation Universally Defensive?):
    examples made on the accurate network, run on approximate ones.
    """
    from inexact.cli import _attack_papers
    from inexact.cli._network import use_threads
    from inexact.core.files import ensure_folder

    use_threads(threads)
    folder = ensure_folder(out)
    if name == "guesmi2021":
        _attack_papers.hit_rates(folder, asked["images"], asked["epsilon"], asked["epsilon_l2"], asked["seed"], as_json=as_json)
    else:
        _attack_papers.transfer_grid(folder, asked["images"], asked["units"], asked["seed"], as_json=as_json)


@click.command("report")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report_attacks(out: Path, as_json: bool) -> None:
    """Show a finished campaign and write its report.html again."""
    from inexact.core.files import write_text
    from inexact.report import attack as page

    path = out / RESULT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AttackError(f"{out} must hold the result of `inexact attack run`, {RESULT}: {error}") from error
    write_text(out / PAGE, page.render(content))
    show(content, out, as_json=as_json)


def run_campaign(run: Callable[[Callable[[str, int, int], None]], dict[str, Any]]) -> dict[str, Any]:
    """What `run` returns, with a progress bar on stderr."""
    from inexact.cli._network import progress_bar

    with progress_bar() as bar:
        task = bar.add_task("attacks", total=None)
        return run(lambda what, done, steps: bar.update(task, description=what[:60], completed=done, total=steps))


def publish(content: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    """Write result and page, and print."""
    from inexact.core.files import write_text
    from inexact.report import attack as page

    content |= origin()
    write_text(folder / RESULT, json.dumps(content))
    write_text(folder / PAGE, page.render(content))
    show(content, folder, as_json=as_json)


def origin() -> dict[str, Any]:
    """Command, date and versions, which every result carries."""
    from inexact.cli.study import _command
    from inexact.explore.assemble import versions

    return {"command": _command(), "date": datetime.now(UTC).date().isoformat(), "versions": versions()}


def show(content: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    """The short answer: worst of all attacks, rows, alarms, verdict."""
    if as_json:
        click.echo(json.dumps(content | {"files": [str(folder / RESULT), str(folder / PAGE)]}))
        return
    names = ("float32", "exact", "approximate")
    table = Table("attack", "threat", "epsilon", *names, "exact - approximate", title=f"Robust accuracy, %, {content['images']} images")
    for row in [*content["rows"], *({"attack": "worst of all", "threat": "", **line} for line in content["worst"])]:
        low, high = row["difference"]["ci"]
        cells = [f"{row[name]['robust']:.1f}" for name in names]
        difference = f"{row['difference']['points']:+.1f} [{low:+.1f}, {high:+.1f}]"
        table.add_row(row["attack"], row["threat"], f"{row['measure']} {row['epsilon']:g}", *cells, difference)
    Console().print(table)
    for sentence in content["verdict"]:
        click.echo(sentence)
    click.echo(f"{content['seconds']:.0f} s of attacks; report in {folder / PAGE}")


def _plans(approximate: Any) -> list[str]:
    from inexact.nn import ApproxModel

    return [module.plan.to_toml() for module in approximate.modules() if isinstance(module, ApproxModel)]
