"""Tables and text on standard output: as wide as the terminal, and whole where a file or a program reads them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any, final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDE = 200
"""Columns where no terminal says how many there are: rows stay on one line for `grep`."""
_HASH = re.compile(r",content='[0-9a-f]{64}'|,content=[0-9a-f]{64}")
WORDS = frozenset({"unit", "source", "style", "runs as", "tile", "loops"})
"""Heads of columns that hold words, which stand left; numbers stand right."""


def console() -> Console:
    """Standard output; COLUMNS of the environment goes before the width of the terminal."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if known else WIDE)


def counted(count: int, noun: str) -> str:
    """`1 claim`, `12 claims`; for nouns whose plural ends in s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def called(spec: str) -> str:
    """A unit's spec as tables show it: the hash of a file is left out, for the path alone names the same unit."""
    return _HASH.sub("", spec)


def figures(first: str, *rest: str) -> Table:
    """A table of numbers: names of `first` are not broken, unless they are a layer's or a figure's; nothing is left out."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold", no_wrap=first not in {"layer", "figure"}, min_width=10)
    for name in rest:
        table.add_column(name, justify="left" if name in WORDS else "right", overflow="fold")
    return table


@final
class Cells:
    """Cells of figures; sources are numbered as they come, in `sources`, or written out."""

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.sources: dict[str, int] = {}

    def __call__(self, figure: Mapping[str, Any], digits: int = 4) -> list[str]:
        """Value, spread, unit, source."""
        source = figure["source"] if figure["verified"] else f"{figure['source']} (unverified)"
        number = self.sources.setdefault(source, len(self.sources) + 1)
        spread = "" if figure["spread"] is None else " … ".join(f"{end:,.{digits}g}" for end in figure["spread"])
        return [f"{figure['value']:,.{digits}g}", spread, figure["unit"], escape(source if self.whole else f"[{number}]")]

    def notes(self) -> list[str]:
        """The sources, by number."""
        return [f"[{number}] {source}" for source, number in self.sources.items()]
