"""Sizes that a reader can hold: lines of a module, of a function without its docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src" / "inexact"
MODULE, FUNCTION = 300, 40
LONGER = {"explore/face.py:explore"}
"""One call with an argument a line; commands, whose options are their length, are not looked at."""


def functions(body: Iterable[ast.stmt]) -> Iterator[tuple[str, int]]:
    """(name, lines without docstring) of the functions and methods of a module."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from functions(node.body)
        elif isinstance(node, ast.FunctionDef):
            described = ast.get_docstring(node, clean=False) is not None
            first = node.body[0]
            docstring = (first.end_lineno or 0) - first.lineno + 1 if described else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_modules_and_functions_are_short() -> None:
    long = set()
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MODULE:
            long.add(f"{path.relative_to(SOURCES)}")
        if path.parent.name != "cli":
            long |= {f"{path.relative_to(SOURCES)}:{name}" for name, lines in functions(ast.parse(text).body) if lines > FUNCTION}
    assert long == LONGER, "split them; what is no longer long leaves the list"
