"""What the reductions of a network's layers leave, as JSON and as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from rich import box
from rich.table import Table

from inexact.cli import _tables
from inexact.reduction import Work

COLUMNS = {
    "multiplications": "products",
    "additions": "added",
    "time": "time",
    "weights": "stored",
    "checks": "checks",
    "lost": "lost",
    "a_reads": "a read",
    "b_reads": "b read",
}
"""Fields of `Work`, as a table says them; the first three always, the others where a layer has something to say."""

CAPTION = (
    "% of the full layer's, counted on calibration inputs.\n"
    "time: lanes that wait included. stored: bits of weights.\n"
    "checks: additions' worth, % of products. lost: % of positive outputs set to 0.\n"
    "a read, b read: activations and weights delivered to the array, in bits."
)


def to_json(works: Mapping[str, Work]) -> dict[str, dict[str, float]]:
    """Shares by layer."""
    return {name: dataclasses.asdict(work) for name, work in works.items()}


def show(found: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table; nothing when no layer has a reduction."""
    if not found:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("reduced layer", no_wrap=True)
    usual = dataclasses.asdict(Work())
    fields = [field for place, field in enumerate(COLUMNS) if place < 3 or any(work[field] != usual[field] for work in found.values())]
    for field in fields:
        table.add_column(COLUMNS[field], justify="right")
    for name, work in found.items():
        table.add_row(name, *(f"{100 * work[field]:.1f}" for field in fields))
    console = _tables.console()
    console.print(table)
    console.print(CAPTION)
