"""`inexact claim`: published numbers as executable checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._group import Group
from inexact.cli._tables import counted

if TYPE_CHECKING:
    from inexact.atlas.claims import Claim, Results

VERDICTS = ("reproduced", "contradicted", "inconclusive", "not runnable here", "not run")
COSTS = ("fast", "slow", "network")


@click.group(cls=Group)
def claim() -> None:
    """Published numbers as executable checks: list, show, run, report."""


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--verdict", "verdicts", type=click.Choice(VERDICTS), multiple=True, help="Only claims with this verdict; repeatable."
        ),
        click.option("--kind", "kinds", multiple=True, help="Only this kind of check, as unit_metric; repeatable."),
        click.option("--cost", "costs", type=click.Choice(COSTS), multiple=True, help="Only this cost class; repeatable."),
        click.option("--family", "families", multiple=True, help="Only this family, as precision_scaling; repeatable."),
        click.option("--work", "of_works", multiple=True, help="Only claims of this work (key of the catalogue); repeatable."),
        click.option("--file", "file", type=click.Path(path_type=Path), help="Claims of your own (TOML) instead of those of the package."),
    ):
        command = option(command)
    return command


_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_RESULTS = click.option("--results", type=click.Path(path_type=Path), help="File of results (default: those of the package).")


@claim.command("list")
@_filters
@_RESULTS
@_JSON
def list_claims(*, results: Path | None, as_json: bool, **filters: Any) -> None:
    """All claims with number, tolerance and the verdict that the results say."""
    known, kept = _chosen((), results, **filters)
    if as_json:
        click.echo(json.dumps({"claims": [_row(found, kept) for found in known]}))
    else:
        _show_table(known, kept)


@claim.command("show")
@click.argument("name", metavar="ID")
@click.option("--file", "file", type=click.Path(path_type=Path), help="Claims of your own (TOML) instead of those of the package.")
@_RESULTS
@_JSON
def show_claim(name: str, file: Path | None, results: Path | None, as_json: bool) -> None:
    """Everything about one claim."""
    (found,), kept = _chosen((name,), results, file=file)
    row = _row(found, kept)
    if as_json:
        click.echo(json.dumps(row))
        return
    for key in ("id", "statement", "source", "work", "family", "kind", "provenance", "cost", "proxy"):
        if row[key]:
            click.echo(f"{key:11} {row[key]}")
    _show_outcome(found, kept)


@claim.command("run")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_filters
@click.option("--results", type=click.Path(path_type=Path), help="File the results are kept in; continued when it exists.")
@click.option("--again", is_flag=True, help="Measure also what the file of results holds.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes of one thread each; 1: this process.")
@click.option(
    "--check",
    is_flag=True,
    help="Fail unless every verdict is the one that comes with the package; what cannot be run here is passed over.",
)
@_JSON
def run_claims(
    *,
    ids: tuple[str, ...],
    results: Path | None,
    again: bool,
    workers: int,
    check: bool,
    as_json: bool,
    costs: tuple[str, ...],
    **filters: Any,
) -> int:
    """Measure claims now: those named, or all that pass the filters; without either, the fast ones.

    A file of results is whole after every claim, so a run that was stopped goes on where it was; a claim whose record has changed is
    measured again.
    """
    from inexact.atlas import claims
    from inexact.cli.study import _command, _progress

    if not ids and not costs and not any(filters.values()):
        costs = ("fast",)
    known, _ = _chosen(ids, None, costs=costs, **filters)
    with _progress() as watch:
        kept = claims.run(known, results, command=_command(), workers=workers, again=again, watch=watch)
    if as_json:
        click.echo(json.dumps({"claims": [_row(found, kept) for found in known]}))
    else:
        _show_table(known, kept)
    return _differing(known, kept) if check else 0


@claim.command("report")
@_filters
@_RESULTS
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.md", help="Write the page there instead of printing it.")
@_JSON
def report_claims(*, results: Path | None, out: Path | None, as_json: bool, **filters: Any) -> None:
    """Counts by verdict, what is contradicted and why, and every number beside its publication, as Markdown."""
    from inexact.atlas import claims
    from inexact.core.files import write_text

    known, kept = _chosen((), results, **filters)
    text = claims.page(known, kept)
    if out is not None:
        write_text(out, text)
    if as_json:
        counts = claims.verdicts(known, kept)
        click.echo(
            json.dumps(
                {"claims": len(known), "verdicts": counts, "command": kept.command, "inexact": kept.version, "file": out and str(out)}
            )
        )
    else:
        click.echo(f"page in {out}" if out is not None else text)


def _chosen(
    ids: Sequence[str], results: Path | None, *, file: Path | None = None, verdicts: Sequence[str] = (), **filters: Any
) -> tuple[list[Claim], Results]:
    """The claims that pass the filters, and the results they are judged by."""
    from inexact.atlas import claims

    known = claims.claims() if file is None else claims.read_claims(file)
    kept = claims.shipped_results() if results is None else claims.Results.load(results)
    chosen = claims.select(known, ids=ids, **filters)
    if verdicts:
        chosen = [found for found in chosen if _verdict(found, kept) in verdicts]
    return chosen, kept


def _verdict(found: Claim, kept: Results) -> str:
    result = kept.of(found)
    return "not run" if result is None else result.verdict


def _row(found: Claim, kept: Results) -> dict[str, Any]:
    result = kept.of(found)
    if result is None:
        return {**found.to_json(), "verdict": "not run", "measured": None, "reason": "", "seconds": None, "date": None}
    outcome = result.to_json()
    return {**found.to_json(), **{name: outcome[name] for name in ("verdict", "measured", "reason", "seconds", "date")}}


def _show_table(known: Sequence[Claim], kept: Results) -> None:
    from inexact.atlas.claims import expected_text, shown, verdicts

    names, judged = max(len(found.id) for found in known), max(len(_verdict(found, kept)) for found in known)
    for found in known:
        result = kept.of(found)
        measured = "" if result is None or result.measured is None else f"; measured {shown(result.measured, found.unit)}"
        click.echo(f"{_verdict(found, kept):{judged}}  {found.id:{names}}  {found.cost:7}  published {expected_text(found)}{measured}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts(known, kept).items())
    click.echo(f"{counted(len(known), 'claim')}: {counts}")


def _show_outcome(found: Claim, kept: Results) -> None:
    from inexact.atlas.claims import expected_text, shown

    result = kept.of(found)
    click.echo(f"{'published':11} {expected_text(found)}")
    if result is not None and result.measured is not None:
        counted = f", {result.measured.n} counted" if result.measured.n else ""
        click.echo(
            f"{'measured':11} {shown(result.measured, found.unit)} ({result.measured.detail}{counted}; {result.date}, {result.seconds:g} s)"
        )
    click.echo(f"{'verdict':11} {_verdict(found, kept)}" + (f": {result.reason}" if result is not None and result.reason else ""))
    if found.why:
        click.echo(f"{'why':11} {found.why}")


def _differing(known: Sequence[Claim], kept: Results) -> int:
    from inexact.atlas.claims import shipped_results

    run_here = [found for found in known if _verdict(found, kept) != "not runnable here"]
    differing = [found.id for found in run_here if _verdict(found, kept) != _verdict(found, shipped_results())]
    if differing:
        click.echo(f"error: the verdict must be the one that comes with the package; it is not for {', '.join(differing)}", err=True)
    return 1 if differing else 0
