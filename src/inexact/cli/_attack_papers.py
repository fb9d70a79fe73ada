"""The tables of two papers on attacks and approximation, one command each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from inexact.cli import _tables
from inexact.cli._plans import unit_plan

GRID = "grid.json"


def hit_rates(folder: Path, images: int, epsilon: float, epsilon_l2: float, seed: int, *, as_json: bool) -> None:
    """Hit rates of attacks by what the attacker knows, exact and approximate; the campaign's own page beside it."""
    from inexact import nn, zoo
    from inexact.cli import _attack_build, _attack_run, _network
    from inexact.core.files import write_text
    from inexact.report import attack as page
    from inexact.security import adversarial
    from inexact.security.adversarial import hit_rates as paper

    settings = paper.settings(epsilon, epsilon_l2, seed)
    dataset = zoo.data(paper.DATA, "test", images)
    found = adversarial.images_of(dataset)
    original, seen = zoo.network(paper.NETWORK, data=paper.DATA), _network.calibration_set(paper.DATA, None)
    exact, approximate = (nn.approximate(original, plan, calibrate=seen) for plan in (adversarial.exact_plan(paper.PLAN), paper.PLAN))
    networks = adversarial.Networks(float32=original, exact=exact, approximate=approximate, scaling=found.scaling)
    spare = _attack_build.spare_of(paper.DATA)
    campaign = adversarial.Campaign(networks, found, settings, spare=spare, path=folder / _attack_run.RECORD)
    cells = _attack_run.run_campaign(campaign.run)
    content = adversarial.report(cells, settings, found, {name: campaign.judge(name) for name in networks.known()})
    content |= {"network": paper.NETWORK, "data": paper.DATA, "plan_toml": [paper.PLAN.to_toml()]} | _attack_run.origin()
    content |= {"hit_rates": paper.hit_rates(content), "claims": paper.verdicts(content), "differences": list(paper.DIFFERENCES)}
    write_text(folder / adversarial.RESULT, json.dumps(content))
    write_text(folder / _attack_run.PAGE, page.render(content))
    if as_json:
        click.echo(json.dumps(content))
        return
    table = Table(
        "attack", *paper.COLUMNS.values(), title=f"Hit rate, % of images right without attack: exact / approximate, {images} images"
    )
    for row in content["hit_rates"]:
        known = row["columns"]
        cells_of = [f"{known[c]['exact']:.1f} / {known[c]['approximate']:.1f}" if c in known else "" for c in paper.COLUMNS.values()]
        table.add_row(f"{row['attack']}, {row['measure']} {row['epsilon']:g}", *cells_of)
    _tables.console().print(table)
    _claims(content)


def transfer_grid(folder: Path, images: int, units: tuple[str, ...], seed: int, *, as_json: bool) -> None:
    """Robust accuracy of approximate networks on examples made on the exact one: rows epsilon, columns units, a grid an attack."""
    from inexact import nn, zoo
    from inexact.cli import _attack_run, _network
    from inexact.core.errors import PlanError
    from inexact.core.files import write_text
    from inexact.security import adversarial
    from inexact.security.adversarial import transfer_grid as paper

    plans = {spec: unit_plan(spec) for spec in units or paper.UNITS}
    for spec, plan in plans.items():
        rule = plan.rules["default"]
        if rule is None or rule.coding != "signed":
            raise PlanError(
                f"units of this table must take signed operands, {spec} does not: give it signed=true or sign_magnitude(multiplier=…)"
            )
    found = adversarial.images_of(zoo.data(paper.DATA, "test", images))
    original, seen = zoo.network(paper.NETWORK, data=paper.DATA), _network.calibration_set(paper.DATA, None)
    exact = nn.approximate(original, nn.Plan(coding="signed"), calibrate=seen)
    approximate = {spec: nn.approximate(original, plan, calibrate=seen) for spec, plan in plans.items()}
    content = _attack_run.run_campaign(
        lambda progress: paper.grid(exact, approximate, found, seed=seed, path=folder / _attack_run.RECORD, progress=progress)
    )
    content |= {"claims": [paper.verdict(content, list(approximate))], "differences": list(paper.DIFFERENCES)} | _attack_run.origin()
    write_text(folder / GRID, json.dumps(content))
    if as_json:
        click.echo(json.dumps(content))
        return
    names = list(content["clean"])
    _tables.console().print(_clean(content, names))
    for spec, rows in content["grids"].items():
        table = Table("epsilon", *map(str, range(len(names))), title=f"{spec}: robust accuracy, %, {images} images")
        for row in rows:
            table.add_row(f"{row['epsilon']:g}", *(f"{row['networks'][name]['robust']:.1f}" for name in names))
        _tables.console().print(table)
    _claims(content)


def _clean(content: dict[str, Any], names: list[str]) -> Table:
    table = Table("column", "unit", "right without attack, %")
    for number, name in enumerate(names):
        table.add_row(str(number), name, f"{content['clean'][name]['robust']:.1f}")
    return table


def _claims(content: dict[str, Any]) -> None:
    for claim in content["claims"]:
        click.echo(f"{claim['verdict']}: {claim['claim']} ({claim['why']})")
    for difference in content["differences"]:
        click.echo(f"differs: {difference}")
