"""`inexact fault report`: the report of a campaign again, from its file alone."""

from __future__ import annotations

import json
from pathlib import Path

import click

from inexact.cli._fault_run import PAGE, show
from inexact.cli._options import JSON
from inexact.core.errors import FaultError


@click.command("report")
@click.argument("out", type=click.Path(path_type=Path))
@JSON
def report_faults(out: Path, as_json: bool) -> None:
    """Show a finished campaign and write its report.html again."""
    from inexact.reliability import read_campaign
    from inexact.report import faults as pages

    report = read_campaign(out)
    if report is None:
        raise FaultError(f"the campaign in {out} is not finished: give its inexact fault run command again, it goes on where it stopped")
    written = pages.write_html(report, out / PAGE)
    if as_json:
        click.echo(json.dumps(report | {"report": str(written)}))
    else:
        show(report)
        click.echo(f"report in {written}")
