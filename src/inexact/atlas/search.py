"""Finding works: words in their texts, ranked, and filters by what they did, on what, and what runs here."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inexact.atlas import datasets, networks
from inexact.atlas.links import STATUSES, links
from inexact.atlas.works import ADAPTIVITIES, BESIDE, GRANULARITIES, RETRAININGS, Work, works
from inexact.core.errors import CatalogueError, UnknownNameError, near
from inexact.core.families import FAMILIES

_COLUMNS = "key, title, authors, technique, facts"
_WEIGHTS = "4, 8, 3, 3, 1"
"""How much a word counts in each column."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What works must have; None: anything. Names are checked: UnknownNameError for one that no work or group carries.

    dataset, network: as a work names it, or its canonical name ("CIFAR-10", "ResNet-50"). recovery: a word of its recovery.
    granularity, adaptivity ("runtime": reconfigurable), retraining: as in `Work`. status: as in `STATUSES`. first, last: years.
    """

    family: str | None = None
    subclass: str | None = None
    first: int | None = None
    last: int | None = None
    dataset: str | None = None
    network: str | None = None
    recovery: str | None = None
    granularity: str | None = None
    adaptivity: str | None = None
    retraining: str | None = None
    status: str | None = None

    def __post_init__(self) -> None:
        known = {
            "family": FAMILIES + BESIDE,
            "subclass": sorted({work.subclass for work in works().values()}),
            "granularity": GRANULARITIES,
            "adaptivity": ADAPTIVITIES,
            "retraining": RETRAININGS,
            "status": tuple(STATUSES),
        }
        for name, values in known.items():
            value = getattr(self, name)
            if value is not None and value not in values:
                raise UnknownNameError(f"no work has {name} {value!r}{near(value, values)} Known: {', '.join(values)}")
        for name, named in (("dataset", datasets.named()), ("network", networks.named())):
            value = getattr(self, name)
            if value is not None and value.lower() not in named:
                raise UnknownNameError(f"no work was evaluated on a {name} called {value!r}{near(value.lower(), named)}")

    def __call__(self, work: Work) -> bool:
        """Whether a work has all of it."""
        plain = ("family", "subclass", "granularity", "adaptivity", "retraining")
        if any(getattr(self, name) not in (None, getattr(work, name)) for name in plain):
            return False
        if not (self.first or 0) <= work.year <= (self.last or 9999):
            return False
        if self.status not in (None, links()[work.key].status):
            return False
        if self.recovery is not None and self.recovery.lower() not in (work.recovery or "").lower():
            return False
        return self._named(work)

    def _named(self, work: Work) -> bool:
        if self.dataset is not None and work.key not in datasets.named()[self.dataset.lower()]:
            return False
        return self.network is None or work.key in networks.named()[self.network.lower()]


def search(text: str, *, within: Iterable[Work] | None = None) -> list[Work]:
    """Works whose texts hold every word of `text` (as a beginning of a word), best first. Raises CatalogueError for no word at all.

    Ranked by Okapi BM25 over key, title, authors, technique and facts; ties in the catalogue's order.
    """
    words = re.findall(r"\w+", text)
    if not words:
        raise CatalogueError(f"a search must have a word, not {text!r}: name a technique, an author, a network")
    catalogue = {work.key: work for work in (works().values() if within is None else within)}
    query = " ".join(f'"{word}"*' for word in words)
    return [catalogue[key] for key in _ranked(catalogue.values(), query)]


def _ranked(catalogue: Iterable[Work], query: str) -> Sequence[str]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE works USING fts5({_COLUMNS}, tokenize = 'porter unicode61')")
        connection.executemany("INSERT INTO works VALUES (?, ?, ?, ?, ?)", map(_row, catalogue))
        found = connection.execute(f"SELECT key FROM works WHERE works MATCH ? ORDER BY bm25(works, {_WEIGHTS}), rowid", (query,))
        return [row[0] for row in found]
    finally:
        connection.close()


def _row(work: Work) -> tuple[str, ...]:
    facts = [work.venue, str(work.year), work.family, work.subclass, work.unit or "", work.recovery or "", work.group or ""]
    facts += [*work.datasets, *work.networks, *work.reported.known().values(), *links()[work.key].uses]
    return work.key, work.title, " ".join(work.authors), work.technique, " ".join(facts).replace("_", " ")
