"""`inexact atlas`: the field's works as a catalogue: list, show, search, cite, what runs here, taxonomy, clusters, complexity."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._atlas_field import FIELD_COMMANDS, print_table, table
from inexact.cli._group import Group
from inexact.cli._options import JSON
from inexact.cli._tables import counted
from inexact.cli.cite import cite

if TYPE_CHECKING:
    from inexact.atlas.works import Work


@click.group(cls=Group)
def atlas() -> None:
    """The field's works: what each did, on what, and what of it runs here."""


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--family", help="computation_reduction, approximate_units, precision_scaling, or what stands beside them."),
        click.option("--subclass", help="Finer than the family, as in `atlas list --json`."),
        click.option("--from", "first", type=int, metavar="YEAR", help="First year."),
        click.option("--to", "last", type=int, metavar="YEAR", help="Last year."),
        click.option("--dataset", help="Evaluated on, as ImageNet."),
        click.option("--network", help="Evaluated on, as ResNet-50."),
        click.option("--recovery", help="A word of how accuracy is won back, as bias."),
        click.option("--granularity", help="uniform or heterogeneous."),
        click.option("--adaptivity", help="static, or runtime: reconfigurable while it runs."),
        click.option("--retraining", help="none, part, optional or required."),
        click.option("--status", help="What of it runs here: here, part, absent, none (surveys)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@atlas.command("list")
@_filters
@JSON
def list_works(as_json: bool, **wanted: Any) -> None:
    """Works, all or those that options choose, in the catalogue's order."""
    from inexact.atlas.search import Filter
    from inexact.atlas.works import works

    _show(filter(Filter(**wanted), works().values()), as_json)


@atlas.command("search")
@click.argument("words", nargs=-1, required=True)
@_filters
@JSON
def search_works(words: tuple[str, ...], as_json: bool, **wanted: Any) -> None:
    """Works whose texts hold all WORDS, or words that begin so; best first."""
    from inexact.atlas.search import Filter, search
    from inexact.atlas.works import works

    _show(search(" ".join(words), within=filter(Filter(**wanted), works().values())), as_json)


def _show(found: Iterable[Work], as_json: bool) -> None:
    from inexact.atlas.describe import brief

    rows = list(found)
    if as_json:
        click.echo(json.dumps({"works": [brief(work) for work in rows]}))
        return
    shown = table("key", "year", "runs here", "sub-class", "title")
    for work in rows:
        row = brief(work)
        shown.add_row(work.key, str(work.year), row["here"]["status"], str(row["subclass"]).replace("_", " "), work.title)
    print_table(shown)
    click.echo(f"{counted(len(rows), 'work')}. `inexact atlas show KEY` says what is known of one.")


@atlas.command("show")
@click.argument("key")
@JSON
def show_work(key: str, as_json: bool) -> None:
    """What is known of one work, what of it runs here, and the commands that run it."""
    from inexact.atlas.describe import full, text
    from inexact.atlas.works import get

    work = get(key)
    click.echo(json.dumps(full(work)) if as_json else text(work))


@atlas.command("recipe")
@click.argument("key")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the plan or space file; printed otherwise.")
@JSON
def write_recipe(key: str, out: Path | None, as_json: bool) -> None:
    """The plan or search space that runs a work's technique on a network of the zoo, and the commands."""
    from inexact.atlas.describe import commands
    from inexact.atlas.links import recipe_of
    from inexact.core.files import ensure_folder, write_text

    recipe = recipe_of(key)
    path = None if out is None or not recipe.kind else ensure_folder(out) / f"{recipe.kind}.toml"
    if path is not None:
        write_text(path, recipe.to_toml())
    found = {"work": key, "recipe": recipe.name, recipe.kind or "plan": recipe.to_toml() or None}
    run = commands(recipe, out)
    if as_json:
        click.echo(json.dumps(found | {"commands": run, "file": None if path is None else str(path)}))
        return
    if path is None:
        click.echo(recipe.to_toml())
    click.echo("\n".join(run))


@atlas.command("bibtex")
@click.argument("keys", nargs=-1)
@JSON
def print_bibtex(keys: tuple[str, ...], as_json: bool) -> None:
    """BibTeX of some works, or of all."""
    from inexact.atlas.bibtex import bibtex
    from inexact.atlas.works import get, works

    entries = {work.key: bibtex(work) for work in ([get(key) for key in keys] or works().values())}
    click.echo(json.dumps({"entries": entries}) if as_json else "\n".join(entries.values()), nl=as_json)


@atlas.command("coverage")
@JSON
def show_coverage(as_json: bool) -> None:
    """How many of the field's works run here, by family, and what that means."""
    from inexact.atlas.coverage import coverage

    found = coverage().to_json()
    if as_json:
        click.echo(json.dumps(found))
        return
    shown = table("family", "works", "here", "part", "absent", "with a recipe", "here, %", "here or part, %")
    for share in [*found["families"], found["three_families"], found["everything"]]:
        counts = [str(share[name]) for name in ("works", "here", "part", "absent", "recipes")]
        shares = [f"{share['here_percent']:.0f}", f"{share['here_percent'] + share['part_percent']:.0f}"]
        shown.add_row(share["name"].replace("_", " "), *counts, *shares)
    print_table(shown)
    click.echo(f"{found['surveys']} surveys are left out. {found['definition']}")


for _command in (*FIELD_COMMANDS, cite):
    atlas.add_command(_command)
