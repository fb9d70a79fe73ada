"""Data sets that works are evaluated on: what makes one hard, as numbers where it has them, and a tier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

from inexact.atlas import _records
from inexact.atlas.works import works
from inexact.core.errors import CatalogueError

TIERS = {1: "digits, clothes, faces", 2: "small colour images, 10 to 43 classes", 3: "100 classes and more", 4: "ImageNet, language"}
"""What the tiers of data sets hold."""

SMALL_SIDE = 64
"""Images of up to so many rows are small."""

_ENTRIES = ("title", "aliases", "tier", "classes", "shape", "train", "reference")


@dataclass(frozen=True, kw_only=True)
class Described:
    """A data set. classes, shape (channels, height, width), train (training images): None where it has none or it is not settled."""

    name: str
    title: str
    aliases: tuple[str, ...]
    tier: int
    reference: str
    classes: int | None = None
    shape: tuple[int, int, int] | None = None
    train: int | None = None

    @property
    def small(self) -> bool:
        """Whether its images are small, or, without a settled size, as easy as those that are."""
        return self.tier <= 2 if self.shape is None else self.shape[1] <= SMALL_SIDE

    @property
    def values(self) -> int | None:
        """Numbers an image holds."""
        return None if self.shape is None else prod(self.shape)


def parse(document: dict[str, Any], name: str = "datasets.toml") -> dict[str, Described]:
    """The data sets of a file. Raises CatalogueError for the first that breaks the schema."""
    return {key: _described(key, record, f"{name}, {key}") for key, record in document["dataset"].items()}


def _described(key: str, record: dict[str, Any], where: str) -> Described:
    _records.only(record, where, _ENTRIES)
    numbers = {entry: _records.whole(record, entry, where, 1, 10**10) for entry in ("classes", "train") if entry in record}
    shape = record.get("shape")
    if shape is not None and (
        not isinstance(shape, list) or len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape)
    ):
        raise CatalogueError(f"{where}: shape must be [channels, height, width], not {shape!r}")
    return Described(
        name=key,
        title=_records.text(record, "title", where),
        aliases=_records.texts(record, "aliases", where),
        tier=_records.whole(record, "tier", where, min(TIERS), max(TIERS)),
        reference=_records.text(record, "reference", where),
        shape=None if shape is None else tuple(shape),
        **numbers,
    )


@lru_cache(maxsize=1)
def known() -> dict[str, Described]:
    """The data sets described here, by name."""
    return parse(_records.shipped("datasets.toml"))


@lru_cache(maxsize=1)
def _by_alias() -> dict[str, Described]:
    return {alias.lower(): found for found in known().values() for alias in (*found.aliases, found.title, found.name)}


def described(text: str) -> Described | None:
    """The data set a work names, None when it is none that is described here."""
    return _by_alias().get(text.lower())


@lru_cache(maxsize=1)
def named() -> dict[str, set[str]]:
    """What data sets may be called, in small letters -> keys of the works that were evaluated on them."""
    found: dict[str, set[str]] = {}
    for work in works().values():
        for text in work.datasets:
            data = described(text)
            for name in {text, *(() if data is None else (data.title, data.name))}:
                found.setdefault(name.lower(), set()).add(work.key)
    return found
