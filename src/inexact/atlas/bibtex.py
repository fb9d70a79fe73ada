"""BibTeX entries of works: what is known, and a note where it is from memory."""

from __future__ import annotations

import re
from collections.abc import Mapping

from inexact.atlas.works import Work

_JOURNAL = re.compile(
    r"IEEE (T(?!PU)|Micro|Access|J|Embedded|Computer)|ACM (T|J|Comp)|Proceedings of the IEEE|Mathematics|Neural Networks|Neurocomputing"
    r"|J\. |Future|Genetic|IET|journal"
)
"""Venues that are journals; others are conferences."""

_ESCAPED = {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$", "^": r"\^{}", "~": r"\~{}"}


def bibtex(work: Work) -> str:
    """One entry. Fields that are not known are left out; a `note` says what is from memory."""
    kind, place = _kind(work.venue)
    fields = {"title": f"{{{_escaped(work.title)}}}", "author": _authors(work), place: _escaped(work.venue), "year": str(work.year)}
    if work.arxiv is not None:
        fields |= {"eprint": work.arxiv, "archiveprefix": "arXiv"}
    fields |= {"doi": work.doi or "", "note": _escaped(_note(work))}
    return entry(kind, work.key, fields)


def entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    """An entry of given fields; empty ones are left out."""
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"]) + "\n"


def _kind(venue: str) -> tuple[str, str]:
    if venue == "arXiv":
        return "misc", "howpublished"
    return ("article", "journal") if _JOURNAL.search(venue) else ("inproceedings", "booktitle")


def _authors(work: Work) -> str:
    if work.authors:
        return " and ".join(_escaped(name) for name in work.authors)
    return f"{{{_escaped(work.group)}}}" if work.group else ""


def _note(work: Work) -> str:
    if work.provenance == "recalled":
        return "metadata from memory, check before citing"
    values = {"authors": work.authors, "venue": (work.venue,), "year": (str(work.year),)}
    doubtful = [name for name, held in values.items() if any(value in held for value in work.recalled.get(name, ()))]
    notes = [f"{', '.join(doubtful)} from memory, check before citing"] if doubtful else []
    notes += [f"perhaps also {value}, from memory" for value in work.recalled.get("venue", ()) if value != work.venue]
    return "; ".join(notes)


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(letter, letter) for letter in text)
