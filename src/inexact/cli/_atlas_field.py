"""Commands of `inexact atlas` that look at all works together: taxonomy, clusters, complexity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli import _tables
from inexact.cli._options import JSON, picture_option, seed_option

if TYPE_CHECKING:
    from rich.table import Table

    from inexact.atlas.complexity import Field, Weights


@click.command()
@JSON
def taxonomy(as_json: bool) -> None:
    """Families, classes, their works, and the techniques of this package with their parameters."""
    from inexact.atlas.taxonomy import tree

    found = tree()
    if as_json:
        click.echo(json.dumps(found))
        return
    for family in found["families"]:
        click.echo(f"{family['title']}: {family['text']}")
        for entry in family["classes"]:
            names = ", ".join(f"{held['name'].partition(':')[2]}({', '.join(held['parameters'])})" for held in entry["techniques"])
            works = ", ".join(f"{work['key']} ({work['status']})" for work in entry["works"])
            click.echo(f"  {entry['title']}\n    techniques: {names or 'none'}\n    works: {works or 'none'}")


@click.command()
@picture_option("Also write the tree as a picture.")
@seed_option("Of the resamples of the agreement.")
@JSON
def clusters(picture: Path | None, seed: int, as_json: bool) -> None:
    """Works of the three families grouped by what they do, without the taxonomy, and how far the groups agree with it."""
    from inexact.atlas import dendrogram
    from inexact.atlas.clusters import clusters as grouped
    from inexact.core.files import write_text

    result = grouped(seed=seed)
    if picture is not None:
        write_text(picture, dendrogram.picture(result))
    found = result.to_json()
    if as_json:
        click.echo(json.dumps(found))
        return
    shown = table("works", "reduction, units, precision", "what most share (share of those known)", "such as")
    for cluster in found["clusters"]:
        shared = ", ".join(f"{held['value']} {held['share']:.0%}" for held in cluster["shared"].values())
        families = ", ".join(str(count) for count in cluster["families"].values())
        shown.add_row(str(len(cluster["works"])), families, shared, ", ".join(cluster["works"][:3]))
    print_table(shown)
    for name, said in (("agreement", "all features"), ("agreement_without_error", "nature of the error left out")):
        click.echo(f"with the families, {said}: {_agreement(found[name])}")


def _agreement(found: Mapping[str, Any]) -> str:
    low, high = found["adjusted_rand_ci"]
    least, most = found["normalised_mutual_information_ci"]
    rand = f"adjusted Rand index {found['adjusted_rand']:.2f} [{low:.2f}, {high:.2f}]"
    shared = f"normalised mutual information {found['normalised_mutual_information']:.2f} [{least:.2f}, {most:.2f}]"
    return f"{rand}, {shared} (95 % bootstrap), p = {found['p_value']:.2g} of {found['n']} works permuted"


@click.command()
@click.option("--mine", type=click.Path(path_type=Path), help="A finished study (study.db or its folder): its place, what a reviewer asks.")
@click.option("--data-weight", type=float, default=1.0, show_default=True, help="Of the data set's score in E.")
@click.option("--network-weight", type=float, default=1.0, show_default=True, help="Of the network's score in E.")
@click.option("--pictures", type=click.Path(path_type=Path), metavar="FOLDER", help="Also write the pictures (SVG) there.")
@JSON
def complexity(mine: Path | None, data_weight: float, network_weight: float, pictures: Path | None, as_json: bool) -> None:
    """How hard the field's evaluations are, by data set and network; which cells are empty; where a study of yours lies."""
    from inexact.atlas import complexity as scored
    from inexact.atlas.pictures import listed

    weights = scored.Weights(data=data_weight, network=network_weight)
    field = scored.field(weights)
    placed, cell = (None, None) if mine is None else _placed(mine, field, weights)
    if pictures is not None:
        _write(field, cell, pictures)
    if as_json:
        found = {
            "weights": {"data": data_weight, "network": network_weight},
            "evaluations": [one.to_json() for one in field.evaluations],
            "missing": dict(listed(field.evaluations)),
            "gaps": [gap.text() for gap in scored.gaps(field)],
            "mine": placed,
        }
        click.echo(json.dumps(found))
        return
    if placed is None:
        _show_field(field, [gap.text() for gap in scored.gaps(field)])
    else:
        _show_mine(placed)


def _placed(study: Path, field: Field, weights: Weights) -> tuple[dict[str, Any], tuple[int, int] | None]:
    """Where a study lies, and its cell of the map; studies take torch to read."""
    from inexact.atlas.mine import evaluation_of, place, read_study

    own = evaluation_of(read_study(study))
    return place(own, field, weights), own.cell


def _write(field: Field, mine: tuple[int, int] | None, folder: Path) -> None:
    from inexact.atlas.pictures import PICTURES, bubble_map
    from inexact.core.files import ensure_folder, write_text

    target = ensure_folder(folder)
    for name, draw in PICTURES.items():
        write_text(target / f"{name}.svg", bubble_map(field, mine) if draw is bubble_map else draw(field))


WHOLE = frozenset({"key", "work", "year", "runs here", "MACs", "parameters", "tiers", "E"})
"""Heads of columns that are never broken."""


def _show_field(field: Field, gaps: list[str]) -> None:
    from inexact.atlas.pictures import listed

    shown = table("work", "data set", "network", "MACs", "parameters", "tiers", "E")
    for one in sorted(field.placed, key=lambda one: (one.score is None, -(one.score or 0.0))):
        found = one.to_json()
        sizes = [f"{found[name] / 1e6:,.1f} M" if found[name] else "–" for name in ("macs", "parameters")]
        tiers = f"T{found['data_tier']} S{found['network_tier']}"
        marks = ("*" if found["assumed"] else "") + ("°" if found["remembered"] else "")
        score = "–" if one.score is None else f"{one.score:.1f}"
        shown.add_row(one.work, f"{found['data']}{marks}", found["network"] or "a kind of network", *sizes, tiers, score)
    print_table(shown)
    click.echo("* size of the usual definition for small images; ° data or networks from memory")
    counts = ", ".join(f"{reason}: {count}" for reason, count in listed(field.evaluations).most_common())
    click.echo(f"{len(field.placed)} of {len(field.evaluations)} works lie on the map. {counts}.")
    click.echo("Not seen in the catalogue, though it may exist:")
    click.echo("\n".join(f"  {gap}" for gap in gaps))


def _show_mine(found: Mapping[str, Any]) -> None:
    size = "size not known" if found["macs"] is None else f"{found['macs'] / 1e6:,.2f} M MACs (tier S{found['network_tier']})"
    tier = "not described here" if found["data_tier"] is None else f"tier T{found['data_tier']}"
    click.echo(f"{found['network']}, {size}, on {found['data']} ({tier})")
    if found["score"] is not None:
        click.echo(f"E = {found['score']:.1f}; {found['harder']} of {found['scored']} works with a score evaluate harder")
    click.echo(f"works of the same tiers: {', '.join(found['same_cell']) or 'none in the catalogue'}")
    click.echo("A reviewer would ask to:")
    for request in found["requests"]:
        click.echo(f"  {request['text']}\n    because {request['reason']}")


def table(*columns: str) -> Table:
    """A table for the terminal; keys and sizes are never broken, nothing is left out."""
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        found.add_column(column, overflow="fold", no_wrap=column in WHOLE, min_width=min(8, len(column)))
    return found


def print_table(content: Table) -> None:
    """Print it without colours for numbers."""

    _tables.console().print(content)


FIELD_COMMANDS = (taxonomy, clusters, complexity)
"""What `inexact atlas` takes from here."""
