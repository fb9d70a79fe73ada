"""The taxonomy as a tree: families, classes, their works from the catalogue and their techniques, with parameters, from the registries."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from inexact.atlas import _records, registries
from inexact.atlas.coverage import DEFINITION, coverage
from inexact.atlas.links import links
from inexact.atlas.works import BESIDE, Work, works
from inexact.core.errors import CatalogueError
from inexact.core.families import FAMILIES

ERRORS = ("exact", "value", "predictive", "timing", "random")
"""Nature of a class's error: none, a function of the operands, a guess, a matter of time and voltage, random."""

_CLASS = ("name", "title", "family", "error", "subclasses", "members", "nouns")


@dataclass(frozen=True, kw_only=True)
class Class:
    """One class of a family. members: `noun:name` of techniques; nouns: families all of whose techniques belong to it."""

    name: str
    title: str
    family: str
    error: str
    subclasses: tuple[str, ...]
    members: tuple[str, ...]
    nouns: tuple[str, ...]

    def techniques(self) -> tuple[str, ...]:
        """`noun:name` of every technique of the class, as registered now."""
        found = tuple(use for use in registries.techniques() if use.partition(":")[0] in self.nouns)
        return self.members + found

    def works(self) -> list[Work]:
        """Works of the class, oldest first."""
        return sorted((work for work in works().values() if work.subclass in self.subclasses), key=lambda work: (work.year, work.key))


def parse(document: Mapping[str, Any], name: str = "taxonomy.toml") -> tuple[Class, ...]:
    """The classes of a file. Raises CatalogueError for one that breaks the schema, or a sub-class that two of them hold."""
    found = tuple(_class(record, f"{name}, class {place + 1}") for place, record in enumerate(document["class"]))
    held: dict[str, str] = {}
    for entry in found:
        for subclass in entry.subclasses:
            if subclass in held:
                raise CatalogueError(f"{name}: sub-class {subclass!r} must belong to one class, not to {held[subclass]} and {entry.name}")
            held[subclass] = entry.name
    return found


def _class(record: Mapping[str, Any], where: str) -> Class:
    _records.only(record, where, _CLASS)
    return Class(
        name=_records.text(record, "name", where),
        title=_records.text(record, "title", where),
        family=_records.one_of(_records.text(record, "family", where), "family", where, FAMILIES + BESIDE),
        error=_records.one_of(_records.text(record, "error", where), "error", where, ERRORS),
        subclasses=_records.texts(record, "subclasses", where),
        members=_records.texts(record, "members", where),
        nouns=_records.texts(record, "nouns", where),
    )


@lru_cache(maxsize=1)
def classes() -> tuple[Class, ...]:
    """The shipped taxonomy."""
    return parse(_records.shipped("taxonomy.toml"))


@lru_cache(maxsize=1)
def class_of() -> dict[str, Class]:
    """Sub-class of works -> class."""
    return {subclass: entry for entry in classes() for subclass in entry.subclasses}


def titles() -> dict[str, tuple[str, str]]:
    """Family -> (title, what it is)."""
    return {name: (found["title"], found["text"]) for name, found in _records.shipped("taxonomy.toml")["family"].items()}


def unclassed() -> tuple[str, ...]:
    """Techniques that are registered and belong to no class."""
    held = {use for entry in classes() for use in entry.techniques()}
    return tuple(use for use in registries.techniques() if use not in held)


def parameters(use: str) -> tuple[str, ...]:
    """`name=default` of a technique's parameters, of units without width and sign."""
    noun, _, name = use.partition(":")
    fields = dataclasses.fields(registries.family(noun)[name])
    shown = [field for field in fields if field.init and field.name not in ("width", "signed")]
    return tuple(field.name if field.default is dataclasses.MISSING else f"{field.name}={_short(field.default)}" for field in shown)


def _short(value: object) -> str:
    return str(value) if not isinstance(value, str) or value else "''"


def tree() -> dict[str, Any]:
    """Plain JSON: families in order, each with its classes, their works and techniques."""
    families = []
    for name, (title, text) in titles().items():
        own = [_described(entry) for entry in classes() if entry.family == name]
        families.append({"name": name, "title": title, "text": text, "classes": own})
    return {"families": families, "unclassed": list(unclassed())}


def _described(entry: Class) -> dict[str, Any]:
    found = entry.works()
    return {
        "name": entry.name,
        "title": entry.title,
        "error": entry.error,
        "techniques": [{"name": use, "parameters": list(parameters(use))} for use in entry.techniques()],
        "works": [{"key": work.key, "year": work.year, "status": links()[work.key].status} for work in found],
        "subclasses": list(entry.subclasses),
    }


def page() -> str:
    """The tree as a page of documentation."""
    found = tree()
    parts = [
        "# Taxonomy\n\nThis page is generated from the catalogue of works and the registries by `python docs/_generate.py`. The three "
        "families are those of Armeniakos, Zervakis, Soudris and Henkel, [doi:10.1145/3527156](https://doi.org/10.1145/3527156); the "
        "classes are our own. Works in bold run here, in italics a part of them does; [the atlas](atlas.md) says what that means."
    ]
    for family in found["families"]:
        parts.append(f"\n## {family['title']}\n\n{family['text']}")
        parts += [_section(entry) for entry in family["classes"]]
    if found["unclassed"]:
        parts.append(f"\n## Not classed\n\n{', '.join(f'`{use}`' for use in found['unclassed'])}")
    parts.append(_counted())
    return "\n".join(parts) + "\n"


def _counted() -> str:
    """How many works run here, as a section of the page."""
    found = coverage()
    columns = ("", "works", "here", "part", "absent", "with a recipe", "here, %", "here or part, %")
    head = f"| {' | '.join(columns)} |\n| --- |{' ---: |' * (len(columns) - 1)}"
    rows = []
    for share in (*found.families, found.three, found.everything):
        counts = [str(getattr(share, name)) for name in ("works", "here", "part", "absent", "recipes")]
        shares = [f"{100 * some / share.works:.0f}" for some in (share.here, share.here + share.part)]
        rows.append(f"| {share.name.replace('_', ' ')} | {' | '.join([*counts, *shares])} |")
    return f"\n## How much of it runs here\n\n{DEFINITION}\n\n{head}\n" + "\n".join(rows)


def _section(entry: Mapping[str, Any]) -> str:
    marks = {"here": "**", "part": "*"}
    keys = [f"{marks.get(work['status'], '')}{work['key']}{marks.get(work['status'], '')}" for work in entry["works"]]
    calls = [f"`{found['name']}({', '.join(found['parameters'])})`" for found in entry["techniques"]]
    lines = [f"\n### {entry['title']}\n", f"- techniques: {', '.join(calls) or 'none registered'}"]
    return "\n".join([*lines, f"- works: {', '.join(keys) or 'none'}"])
