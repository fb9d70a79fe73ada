"""Energy saved and accuracy lost, as numbers, each quoting the text of the work it was read off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from inexact.atlas import _records
from inexact.atlas.works import Work, get, works
from inexact.core.errors import CatalogueError

ACCOUNTS = ("multiplier", "mac", "array", "accelerator", "unstated")
"""What an energy saving is a share of, from the narrowest to the widest; unstated: the text does not say."""

_TEXTS = ("of", "against", "energy_text", "loss_text", "loss_of", "data", "network")
_ENTRIES = ("work", "energy", "ratio", "loss", "at_most", "best", *_TEXTS)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One reported figure. energy: percent saved of `of`. loss: points of `loss_of` lost (negative: gained). None: not reported.

    at_most: the text bounds the loss. best: the text says "up to". data, network: what it is for, None: the work's hardest, largest.
    """

    work: str
    energy: float | None
    of: str | None
    against: str | None
    best: bool
    loss: float | None
    loss_of: str
    at_most: bool
    data: str | None
    network: str | None


def parse(document: Mapping[str, Any], known: Mapping[str, Work], name: str = "figures.toml") -> tuple[Figure, ...]:
    """The figures of a file. Raises CatalogueError for one that its quotation, or the work's text, does not hold."""
    return tuple(_figure(record, known, f"{name}, figure {place + 1}") for place, record in enumerate(document["figure"]))


def _figure(record: Mapping[str, Any], known: Mapping[str, Work], where: str) -> Figure:
    _records.only(record, where, _ENTRIES)
    work = get(_records.text(record, "work", where), known)
    where = f"{where} ({work.key})"
    if "energy" not in record and "ratio" not in record and "loss" not in record:
        raise CatalogueError(f"{where} must have energy, ratio or loss")
    found = {name: _records.optional(record, name, where) for name in _TEXTS}
    energy = _read_off(record, "energy", found["energy_text"], work.reported.energy, where)
    ratio = _read_off(record, "ratio", found["energy_text"], work.reported.energy, where)
    if ratio is not None:
        energy = 100 * (1 - 1 / ratio)
    if energy is not None:
        _records.one_of(found["of"] or "", "of", where, ACCOUNTS)
    return Figure(
        work=work.key,
        energy=energy,
        of=found["of"],
        against=found["against"],
        best=record.get("best") is True,
        loss=_read_off(record, "loss", found["loss_text"], work.reported.accuracy, where),
        loss_of=found["loss_of"] or "top-1",
        at_most=record.get("at_most") is True,
        data=found["data"],
        network=found["network"],
    )


def _read_off(record: Mapping[str, Any], name: str, quoted: str | None, reported: str | None, where: str) -> float | None:
    """A number that must stand in its quotation, and that in the work's text; 0 may be said in words."""
    if name not in record:
        return None
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CatalogueError(f"{where}: {name} must be a number, not {value!r}")
    if quoted is None or quoted not in (reported or ""):
        raise CatalogueError(f"{where}: {name} must quote what the work reports ({reported!r}), not {quoted!r}")
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", quoted)]
    if value and abs(value) not in numbers:
        raise CatalogueError(f"{where}: {name} must be a number of its quotation {quoted!r}, not {value}")
    return float(value)


@lru_cache(maxsize=1)
def figures() -> tuple[Figure, ...]:
    """The shipped figures."""
    return parse(_records.shipped("figures.toml"), works())
