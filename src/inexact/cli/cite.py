"""`inexact cite`: BibTeX of everything a plan, a network and a data set rest on."""

from __future__ import annotations

import json

import click

from inexact.cli._options import JSON


@click.command()
@click.option("--plan", help="Plan (TOML) or spec of a multiplier.")
@click.option("--network", help="Network of the zoo.")
@click.option("--data", help="Data set.")
@JSON
def cite(plan: str | None, network: str | None, data: str | None, as_json: bool) -> None:
    """BibTeX of the techniques and number formats a plan uses, of a network and of a data set.

    Each entry is preceded by a line that says what it stands for.
    """
    from inexact.atlas.cite import citations

    if plan is None and network is None and data is None:
        raise click.UsageError("cite must have --plan, --network or --data: name what is to be cited")
    found = citations(plan, network=network, data=data)
    if as_json:
        rows = [{"key": one.key, "used": list(one.used), "work": one.work, "bibtex": one.text} for one in found]
        click.echo(json.dumps({"citations": rows}))
        return
    click.echo("\n".join(f"% {', '.join(one.used)}\n{one.text}" for one in found), nl=False)
