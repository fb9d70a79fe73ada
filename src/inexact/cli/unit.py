"""`inexact unit`: list, show and compare arithmetic units."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from inexact.cli._unit_facts import catalogue, compared, facts, resolve, summary
from inexact.cli._unit_text import comparison_table, list_table, markdown, show_text


@click.group()
def unit() -> None:
    """Approximate arithmetic units: list, show, compare."""


@unit.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table of the documentation.")
def list_units(as_json: bool, as_markdown: bool) -> None:
    """Every technique with its usual parameters: error metrics (uniform operands) and cost."""
    if as_json:
        click.echo(json.dumps({"units": [summary(member) for member in catalogue()]}))
    elif as_markdown:
        click.echo(markdown())
    else:
        list_table()


@unit.command()
@click.argument("spec")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(spec: str, as_json: bool) -> None:
    """Passport of the unit SPEC, as 'trunc(cut=4)': every error metric, identity, emulation engine, cost with sources."""
    found = facts(resolve(spec))
    if as_json:
        click.echo(json.dumps(found))
    else:
        show_text(found)


@unit.command()
@click.argument("specs", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compare(specs: Sequence[str], as_json: bool) -> None:
    """Units side by side, cheapest first; those none of the same width and coding beats in energy, MAE and bias are marked."""
    rows: list[dict[str, Any]] = compared([resolve(spec) for spec in specs])
    if as_json:
        click.echo(json.dumps({"units": rows}))
    else:
        comparison_table(rows)
