"""`inexact fault list`: the faults there are, and how many places a network has for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from inexact.cli._options import DATA, JSON, PLAN, WEIGHTS


@click.command("list")
@click.option("--network", help="Also count the places for each fault in this network of the zoo, or module:function.")
@DATA
@PLAN
@WEIGHTS
@JSON
def list_faults(network: str | None, data: str, plan: str | None, weights: tuple[Path, ...], as_json: bool) -> None:
    """List the faults that `inexact fault run` knows."""
    from inexact.reliability import ChipFault, faults

    subject = None if network is None else _subject(network, data, plan, weights)
    rows: list[dict[str, Any]] = []
    for name, member in faults.items():
        row = {"fault": name, "scope": "chip" if issubclass(member, ChipFault) else "image", "what": str(member.__doc__).splitlines()[0]}
        rows.append(row if subject is None else row | _places(name, subject))
    if as_json:
        click.echo(json.dumps({"faults": rows}))
        return
    for row in rows:
        click.echo(f"{row['fault']:18} {row['scope']:6} {row['what']}")
        if "sites" in row:
            click.echo(f"{'':25} {row['note'] or str(row['sites']) + ' sites in ' + str(row['strata']) + ' strata'}")


def _subject(network: str, data: str, plan: str | None, weights: tuple[Path, ...]) -> Any:
    from inexact.cli._faulty_network import opened
    from inexact.reliability import Subject

    found = opened(network, data, plan, weights, None, 3)
    return Subject.of(found.net, found.images)


def _places(name: str, subject: Any) -> dict[str, Any]:
    """Strata and sites in the network; none where the fault does not fit it, with the reason."""
    from inexact.core.errors import InexactError
    from inexact.reliability import faults

    try:
        strata = faults.get(name).population(subject)
    except InexactError as error:
        return {"strata": 0, "sites": 0, "note": str(error)}
    return {"strata": len(strata), "sites": sum(stratum.size for stratum in strata), "note": ""}
