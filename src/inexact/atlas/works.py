"""The catalogue: one record a published work, facts only, each marked as read or from memory; unknown stays unknown."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from inexact.atlas import _records
from inexact.core.errors import CatalogueError, UnknownNameError, near
from inexact.core.families import FAMILIES

BESIDE = ("accuracy_recovery", "error_metric_model", "beyond_energy", "tooling", "survey", "memory_approximation")
"""What the catalogue holds beside them."""

GRANULARITIES = ("uniform", "heterogeneous", "not_applicable")
ADAPTIVITIES = ("static", "runtime", "not_applicable")
RETRAININGS = ("none", "part", "optional", "required")
PROVENANCES = ("read", "recalled")
_DOI = re.compile(r"^10\.\d{4,9}/\S+$")
_ARXIV = re.compile(r"^\d{4}\.\d{4,5}$")
_KEY = re.compile(r"^[a-z0-9_]+$")


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What a work reports, each as text of value and condition; None where it was not read.

    energy: energy or power. speed: delay, throughput, or work left out. accuracy: of the network, or of the circuit where it says so.
    """

    energy: str | None = None
    area: str | None = None
    speed: str | None = None
    accuracy: str | None = None
    note: str | None = None

    def known(self) -> dict[str, str]:
        """The entries that are known."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


@dataclass(frozen=True, kw_only=True)
class Work:
    """One published work.

    key: name in this catalogue. authors: initials and surname, "others" for the rest; group: who, where no person is known.
    family: one of `FAMILIES` or `BESIDE`; subclass: our finer name. technique: what it does, in our words. unit: what it changes.
    granularity: one of `GRANULARITIES` (heterogeneous: differs per layer, filter, weight or input). adaptivity: one of `ADAPTIVITIES`.
    datasets, networks: evaluated on, as the source names them; empty: not recorded. recovery: how accuracy is won back.
    retraining: one of `RETRAININGS`, or None where not known. provenance: "read" (what `source` names was read) or "recalled".
    recalled: field -> what in it is from memory: a value of the field, or a further detail.
    """

    key: str
    title: str
    venue: str
    year: int
    family: str
    subclass: str
    technique: str
    granularity: str
    adaptivity: str
    provenance: str
    authors: tuple[str, ...] = ()
    group: str | None = None
    unit: str | None = None
    datasets: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    recovery: str | None = None
    retraining: str | None = None
    retraining_note: str | None = None
    reported: Reported = dataclasses.field(default_factory=Reported)
    source: str | None = None
    doi: str | None = None
    arxiv: str | None = None
    recalled: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; unknown fields are null, so that every work has every field."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        reported = {f.name: getattr(self.reported, f.name) for f in fields(Reported)}
        recalled = {name: list(values) for name, values in self.recalled.items()}
        lists = {name: list(found[name]) for name in ("authors", "datasets", "networks")}
        return found | lists | {"reported": reported, "recalled": recalled}

    def remembered(self, field: str) -> bool:
        """Whether a field, or any of it, is from memory."""
        return self.provenance == "recalled" or field in self.recalled


_NAMES = tuple(f.name for f in fields(Work))
_REPORTED = tuple(f.name for f in fields(Reported))


def parse(document: Mapping[str, Any], name: str = "works.toml") -> tuple[Work, ...]:
    """The works of a catalogue file. Raises CatalogueError for the first record that breaks the schema."""
    records = document.get("work")
    if not isinstance(records, list) or not records:
        raise CatalogueError(f"{name} must hold [[work]] tables")
    works = tuple(_work(record, f"{name}, work {place + 1}") for place, record in enumerate(records))
    seen: set[str] = set()
    for work in works:
        if work.key in seen:
            raise CatalogueError(f"{name}: key {work.key!r} must be unique; it comes twice")
        seen.add(work.key)
    return works


def _work(record: Any, place: str) -> Work:
    if not isinstance(record, dict):
        raise CatalogueError(f"{place} must be a table, not {record!r}")
    key = _records.text(record, "key", place)
    where = f"work {key!r}"
    if not _KEY.match(key):
        raise CatalogueError(f"{place}: key must be small letters, digits and _, not {key!r}")
    _records.only(record, where, _NAMES)
    found: dict[str, Any] = {name: _records.text(record, name, where) for name in ("title", "venue", "subclass", "technique")}
    found |= {name: _records.optional(record, name, where) for name in ("group", "unit", "recovery", "retraining_note", "source")}
    found |= {name: _records.texts(record, name, where) for name in ("authors", "datasets", "networks")}
    found["year"] = _records.whole(record, "year", where, 1950, 2100)
    for name, known in (
        ("family", FAMILIES + BESIDE),
        ("granularity", GRANULARITIES),
        ("adaptivity", ADAPTIVITIES),
        ("provenance", PROVENANCES),
    ):
        found[name] = _records.one_of(_records.text(record, name, where), name, where, known)
    if (retraining := _records.optional(record, "retraining", where)) is not None:
        found["retraining"] = _records.one_of(retraining, "retraining", where, RETRAININGS)
    found |= {name: _identifier(record, name, where) for name in ("doi", "arxiv")}
    found["recalled"] = _recalled(record, where)
    found["reported"] = _reported(record, found, where)
    return Work(key=key, **found)


def _identifier(record: Mapping[str, Any], name: str, where: str) -> str | None:
    value = _records.optional(record, name, where)
    pattern, form = (_DOI, "10.1145/3527156") if name == "doi" else (_ARXIV, "1906.03180")
    if value is not None and not pattern.match(value):
        raise CatalogueError(f"{where}: {name} must look like {form}, not {value!r}")
    return value


def _recalled(record: Mapping[str, Any], where: str) -> dict[str, tuple[str, ...]]:
    marks = record.get("recalled", {})
    if not isinstance(marks, dict):
        raise CatalogueError(f"{where}: recalled must be a table of lists, not {marks!r}")
    _records.only(marks, f"{where}, recalled", (*_NAMES, *_REPORTED))
    return {name: _records.texts(marks, name, f"{where}, recalled") for name in marks}


def _reported(record: Mapping[str, Any], found: Mapping[str, Any], where: str) -> Reported:
    values = record.get("reported", {})
    if not isinstance(values, dict):
        raise CatalogueError(f"{where}: reported must be a table, not {values!r}")
    _records.only(values, f"{where}, reported", _REPORTED)
    if values and (found["provenance"] != "read" or found["source"] is None):
        raise CatalogueError(
            f"{where}: what is reported must come from a source that was read (provenance = 'read' and source), "
            f"not from {found['source'] or found['provenance']!r}: name the source or leave the numbers out"
        )
    return Reported(**{name: _records.text(values, name, f"{where}, reported") for name in values})


@lru_cache(maxsize=1)
def works() -> dict[str, Work]:
    """The shipped catalogue, by key."""
    return {work.key: work for work in parse(_records.shipped("works.toml"))}


def load(path: str | Path) -> dict[str, Work]:
    """A catalogue file of your own, by key. Raises CatalogueError when it cannot be read or breaks the schema."""
    try:
        content = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"catalogue {path} cannot be read: {error}") from error
    return {work.key: work for work in parse(_records.read(content, str(path)), str(path))}


def get(key: str, known: Mapping[str, Work] | None = None) -> Work:
    """One work. Raises UnknownNameError with near keys."""
    catalogue = works() if known is None else known
    if key not in catalogue:
        raise UnknownNameError(f"no work is called {key!r}{near(key, catalogue)} See inexact atlas list, or search for words of its title")
    return catalogue[key]
