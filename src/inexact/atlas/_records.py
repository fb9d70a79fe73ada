"""Reading the atlas's TOML files: tables with known entries of known types, or a CatalogueError that names the record."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from inexact.core.errors import CatalogueError, near

Record = Mapping[str, Any]
VERSION = 1


def read(text: str, name: str) -> dict[str, Any]:
    """A file of this version. Raises CatalogueError for text that is no TOML or of another version."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{name} must be TOML: {error}") from error
    if document.get("version") != VERSION:
        raise CatalogueError(
            f"{name} must have version = {VERSION}, not {document.get('version')!r}: it belongs to another version of inexact"
        )
    return document


@lru_cache(maxsize=8)
def shipped(name: str) -> dict[str, Any]:
    """A file of the package; read once, not to be changed."""
    return read(files("inexact.atlas").joinpath(name).read_text(encoding="utf-8"), name)


def text(record: Record, name: str, where: str) -> str:
    """An entry that must be there and be text. Raises CatalogueError."""
    value = record.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CatalogueError(f"{where}: {name} must be text, not {value!r}")
    return value


def optional(record: Record, name: str, where: str) -> str | None:
    """An entry that is text or left out."""
    return text(record, name, where) if name in record else None


def texts(record: Record, name: str, where: str) -> tuple[str, ...]:
    """An entry that is a list of texts; left out, an empty one."""
    value = record.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise CatalogueError(f"{where}: {name} must be a list of texts, not {value!r}")
    return tuple(value)


def whole(record: Record, name: str, where: str, low: int, high: int) -> int:
    """An entry that must be an integer within bounds."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CatalogueError(f"{where}: {name} must be a whole number {low}..{high}, not {value!r}")
    return value


def one_of(value: str, name: str, where: str, known: Collection[str]) -> str:
    """The value, when it is one of the known ones."""
    if value not in known:
        raise CatalogueError(f"{where}: {name} must be one of {', '.join(known)}, not {value!r}{near(value, known)}")
    return value


def only(record: Record, where: str, known: Collection[str]) -> None:
    """Raise CatalogueError for an entry that is not known."""
    for name in record:
        if name not in known:
            raise CatalogueError(f"{where} has no entry {name!r}{near(name, known)} Entries: {', '.join(known)}")
