"""Tables for papers and spreadsheets: what a command shows, as CSV, LaTeX or Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from inexact.cli._options import file_option
from inexact.core.files import write_text

SUFFIXES = (".csv", ".tex", ".md")
_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "−": "$-$", "…": r"\ldots{}",
})  # fmt: skip


TABLE = file_option(
    "--table",
    SUFFIXES,
    "tables",
    metavar="FILE",
    what="Also write the table as shown: .csv, .tex (needs booktabs) or .md. All digits: --json.",
)


def write_table(table: Table, path: Path | None, *, note: str = "") -> None:
    """Write the table's heads and cells, without markup; nothing for None. note: what figures hold under, below .tex and .md."""
    if path is None:
        return
    heads = [_plain(column.header) for column in table.columns]
    rows = [list(row) for row in zip(*([_plain(cell) for cell in column.cells] for column in table.columns), strict=True)]
    right = [column.justify == "right" for column in table.columns]
    kinds = {
        ".csv": lambda: _csv(heads, rows),
        ".tex": lambda: _tex(heads, rows, right, note),
        ".md": lambda: _md(heads, rows, right, note),
    }
    write_text(path, kinds[path.suffix.lower()]())


def _plain(cell: Any) -> str:
    return Text.from_markup(str(cell)).plain.strip()


def _csv(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerows([heads, *rows])
    return held.getvalue()


def _tex(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], note: str) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(cell.translate(_LATEX) for cell in cells) + r" \\"

    columns = "".join("r" if is_right else "l" for is_right in right)
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", line(heads), r"\midrule", *map(line, rows), r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*body, *(f"% {text}" for text in note.splitlines())]) + "\n"


def _md(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], note: str) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

    rule = "|" + "|".join(" ---: " if is_right else " --- " for is_right in right) + "|"
    return "\n".join([line(heads), rule, *map(line, rows), *(["", note] if note else [])]) + "\n"
