"""References of techniques from their source text, without importing them: what a plan uses is named in a moment, torch or no torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from inexact.atlas.registries import family, homes
from inexact.core.errors import UnknownNameError, near

_REGISTER = re.compile(r'^@(\w+)\.register\("(\w+)"\)', re.MULTILINE)
_REFERENCE = re.compile(r"References?:\s*(.*?)(?:\n\s*\n|\n\s*>>>|\Z)", re.DOTALL)


@lru_cache(maxsize=16)
def members(noun: str) -> dict[str, Traversable]:
    """Name -> source file of the shipped members of a family. What others registered is not among them."""
    home = homes()[noun]
    folder = files("inexact").joinpath(*home.package.split(".")[1:])
    found = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            for family_name, name in _REGISTER.findall(file.read_text(encoding="utf-8")):
                if family_name == home.variable:
                    found[name] = file
    return found


def docstring(noun: str, name: str) -> str:
    """The docstring of a technique; imported only when its file is not of this package. Raises UnknownNameError with near names."""
    file = members(noun).get(name)
    if file is None:
        if (registered := family(noun)) and name in registered:
            return registered[name].__doc__ or ""
        raise UnknownNameError(f"no {noun} is called {name!r}{near(name, members(noun))}")
    return next(_docstrings(file.read_text(encoding="utf-8"), name), "")


def _docstrings(source: str, name: str) -> Iterator[str]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and any(_registers(mark, name) for mark in node.decorator_list):
            yield ast.get_docstring(node) or ""


def _registers(mark: ast.expr, name: str) -> bool:
    return isinstance(mark, ast.Call) and any(isinstance(value, ast.Constant) and value.value == name for value in mark.args)


def references(doc: str) -> list[str]:
    """The references a docstring names, one text each; what is derived in the project's own documents is none."""
    found = _REFERENCE.search(doc)
    if found is None:
        return []
    pieces = re.split(r";\s+", " ".join(found[1].split()))
    return [piece.strip().rstrip(".") for piece in pieces if _is_reference(piece)]


def _is_reference(piece: str) -> bool:
    return bool(re.search(r"\b(19|20)\d\d\b|doi|arXiv", piece, re.IGNORECASE))


def identifiers(text: str) -> tuple[str | None, str | None]:
    """(DOI, arXiv number) in a reference."""
    doi = re.search(r"\b10\.\d{4,9}/[^\s;,)]+", text)
    arxiv = re.search(r"arXiv[:. ]*(\d{4}\.\d{4,5})", text)
    return (doi[0].rstrip(".") if doi else None), (arxiv[1] if arxiv else None)


def unique(texts: Iterable[str]) -> list[str]:
    """The texts without repetitions, in order."""
    return list(dict.fromkeys(texts))
