"""`inexact data`: which data sets are known and what is on this machine; fetching the full ones."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from inexact.cli import _tables
from inexact.cli._group import Group
from inexact.cli._options import JSON


@click.group(cls=Group)
def data() -> None:
    """List and fetch data sets."""


@data.command("list")
@JSON
def list_data(as_json: bool) -> None:
    """Known data sets, their splits on this machine, licence."""
    found = _known()
    if as_json:
        click.echo(json.dumps({"data": found}))
        return
    table = Table("data", "splits here", "classes", "image", "licence")
    for row in found:
        table.add_row(row["name"], ", ".join(row["splits"]) or "none: fetch", str(row["classes"]), row["image"], row["licence"])
    console = _tables.console()
    console.print(table)
    console.print("Your own: a folder of class sub-folders, an .npz file, or module:function.", highlight=False)


@data.command("fetch")
@click.argument("name")
@JSON
def fetch_data(name: str, as_json: bool) -> None:
    """Bring all files of NAME (fashion-mnist, mnist, spamassassin) into the cache, checked by SHA-256."""
    from inexact.zoo.datasets import entry, fetch

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("looking in the cache", total=None)
        folder = fetch(name, progress=lambda source, _done, _all: bar.update(task, description=f"fetching {name}: {source}"))
    if as_json:
        click.echo(json.dumps({"name": name, "folder": str(folder), "sha256": entry(name).sha256}))
    else:
        files = len(entry(name).sha256)
        click.echo(f"{name} is in {folder} ({files} {'file' if files == 1 else 'files'}, SHA-256 checked)")


def _known() -> list[dict[str, Any]]:
    from inexact.zoo.datasets import SPLITS, entries

    found: list[dict[str, Any]] = []
    for name, known in entries().items():
        fetched = known.fetched()
        splits = SPLITS if fetched else SPLITS[:2] if known.embedded else ()
        row = {"name": name, "title": known.title, "splits": list(splits), "fetched": fetched, "embedded": known.embedded}
        found.append(row | {"classes": len(known.classes), "image": known.shape, "licence": known.licence, "reference": known.reference})
    found.append(_imagenet())
    return found


def _imagenet() -> dict[str, Any]:
    import importlib.util

    here = importlib.util.find_spec("foolbox") is not None
    return {
        "name": "imagenet-20",
        "title": "20 labelled ImageNet images of the package foolbox",
        "splits": ["test"] if here else [],
        "fetched": here,
        "embedded": False,
        "classes": 1000,
        "image": "3x224x224",
        "licence": "MIT (package)",
        "reference": "O. Russakovsky et al., ImageNet large scale visual recognition challenge, 2015, doi:10.1007/s11263-015-0816-y",
    }
