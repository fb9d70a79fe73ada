"""What formats of several widths or scales were counted to have, as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from inexact.cli import _tables


def show(found: Mapping[str, Mapping[str, float]]) -> None:
    """Print one table for each set of shares, in percent; nothing when no layer has such a format."""
    console = _tables.console()
    for names in dict.fromkeys(tuple(shares) for shares in found.values()):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption="% of its kind, counted on calibration inputs")
        table.add_column("layer", no_wrap=True)
        for name in names:
            table.add_column(name.replace("_", " "), justify="right")
        for layer, shares in found.items():
            if tuple(shares) == names:
                table.add_row(layer, *(f"{100 * share:.1f}" for share in shares.values()))
        console.print(table)
