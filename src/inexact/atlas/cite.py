"""What a plan rests on, as BibTeX: the references of its techniques, of its number formats, of network and data set.

A reference that is a work of the catalogue is cited as there; any other as its author wrote it. Only what the plan names is looked at, so
that neither torch nor a family of techniques is imported.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from inexact.atlas import sources
from inexact.atlas.bibtex import bibtex, entry
from inexact.atlas.works import Work, works
from inexact.core.errors import PlanError, UnknownNameError, near
from inexact.core.registry import calls_of

_ENTRIES = {"multiplier": ("multiplier", "float multiplier"), "precision": ("format",), "accumulator": ("adder",)}
_ENTRIES |= {name: (name,) for name in ("recovery", "gradient", "reduction")}
"""Entry of a rule -> families its names may belong to."""

_PLAIN = frozenset({"none", "exact", "exact_adder", "accumulator", "network", "layer"})
_SHORT = re.compile(r"int\d+|w\d+a\d+")


@dataclass(frozen=True, kw_only=True)
class Citation:
    """One BibTeX entry. used: what of the plan it stands for, as "multiplier:drum". work: key in the catalogue, None for another source."""

    key: str
    text: str
    used: tuple[str, ...]
    work: str | None


def citations(plan: str | Path | None = None, *, network: str | None = None, data: str | None = None) -> list[Citation]:
    """What a plan (a TOML file, or the spec of a multiplier), a network of the zoo and a data set rest on, each once, in that order.

    Raises PlanError for what is no plan, SpecError and UnknownNameError for what it names.
    """
    used = [] if plan is None else used_in(_read(plan))
    docs = [(use, sources.docstring(*use.split(":", 1))) for use in used if use != "api:exits"]
    if "api:exits" in used:
        docs.append(("plan:exits", _exits_docstring()))
    if network is not None:
        docs.append((f"network:{network}", sources.docstring("network", network.partition("(")[0])))
    found = [(use, reference) for use, doc in docs for reference in sources.references(doc)]
    if data is not None:
        found.append((f"data:{data}", _data_reference(data)))
    return _merged(found)


def _read(path: str | Path) -> Mapping[str, Any]:
    if not str(path).endswith(".toml") and not Path(path).is_file():
        return {"rules": {"default": {"multiplier": str(path)}}}
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise PlanError(f"plan file {path} must be text in UTF-8: {error}") from error
    except OSError as error:
        raise PlanError(f"plan file {path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"a plan must be TOML: {error}") from error
    plan = document.get("plan")
    if not isinstance(plan, dict) or not isinstance(plan.get("rules"), dict):
        raise PlanError("a plan must have a [plan] table with version = 1 and [plan.rules.<key>] tables")
    return plan


def used_in(plan: Mapping[str, Any]) -> list[str]:
    """`noun:name` of every technique a plan names, and the format of rules that name none; "api:exits" for early exits."""
    found: list[str] = []
    for rule in plan["rules"].values():
        if not isinstance(rule, dict):
            raise PlanError(f"a rule must be a table, not {rule!r}")
        if rule.get("keep") is not True:
            for name, value in ({"precision": "int8"} | rule).items():
                found += _named(_ENTRIES[name], str(value)) if name in _ENTRIES else []
    return sources.unique(found + (["api:exits"] if "exits" in plan else []))


def _named(nouns: tuple[str, ...], spec: str) -> list[str]:
    if nouns == ("format",):
        return [f"format:{format_name(spec)}"]
    return [use for call in calls_of(spec) for use in _uses(nouns, call)]


def _uses(nouns: tuple[str, ...], call: ast.Call) -> list[str]:
    """The call's own name, which must be known, and the names of techniques among its arguments."""
    name = getattr(call.func, "id", "")
    found = [] if name in _PLAIN else [_use(nouns, name)]
    for argument in call.keywords:
        inner = argument.value
        held = inner if isinstance(inner, ast.Call) else ast.Call(func=inner, args=[], keywords=[])
        if any(getattr(held.func, "id", "") in sources.members(noun) for noun in nouns):
            found += _uses(nouns, held)
    return found


def _use(nouns: tuple[str, ...], name: str) -> str:
    for noun in nouns:
        if name in sources.members(noun):
            return f"{noun}:{name}"
    return f"{nouns[0]}:{name}"


def format_name(spec: str) -> str:
    """The registered format that a precision such as "int8", "w4a8", "e4m3" or "mxint8" stands for."""
    name = spec.strip().partition("(")[0]
    known = sources.members("format")
    if name in known:
        return name
    if _SHORT.fullmatch(name):
        return "int"
    if name.startswith("mx"):
        return "block"
    from inexact.core.numbers import SYSTEMS

    if name in SYSTEMS:
        return "number"
    raise UnknownNameError(f"no format is called {name!r}{near(name, (*known, *SYSTEMS, 'int8', 'w4a8'))}")


def _exits_docstring() -> str:
    source = files("inexact").joinpath("nn", "exits.py").read_text(encoding="utf-8")
    found = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "Exits")
    return ast.get_docstring(found) or ""


def _data_reference(name: str) -> str:
    known = tomllib.loads(files("inexact").joinpath("zoo", "datasets", "datasets.toml").read_text(encoding="utf-8"))
    if name not in known:
        raise UnknownNameError(f"no data set is called {name!r}{near(name, known)} Known: {', '.join(known)}")
    reference: str = known[name]["reference"]
    return reference


def _merged(found: Iterable[tuple[str, str]]) -> list[Citation]:
    merged: dict[str, list[str]] = {}
    named: dict[str, tuple[str, Work | None]] = {}
    for use, reference in found:
        work = matching(reference)
        held = reference if work is None else work.key
        named.setdefault(held, (_free(_key(reference), [key for key, _ in named.values()]) if work is None else work.key, work))
        merged.setdefault(held, []).append(use)
    return [
        Citation(
            key=key,
            text=_own(key, held) if work is None else bibtex(work),
            used=tuple(sources.unique(merged[held])),
            work=None if work is None else work.key,
        )
        for held, (key, work) in named.items()
    ]


def _free(key: str, taken: Sequence[str]) -> str:
    """The key, with a number behind it when another reference has it."""
    count = sum(other.partition("-")[0] == key for other in taken)
    return f"{key}-{count + 1}" if count else key


def matching(reference: str) -> Work | None:
    """The work of the catalogue that a reference names: by DOI or arXiv number, by key, by title, or by author, year and short title."""
    doi, arxiv = sources.identifiers(reference)
    plain = _plain(reference)
    for work in works().values():
        if (doi and work.doi and doi.lower() == work.doi.lower()) or (arxiv and arxiv == work.arxiv) or work.key in reference.split():
            return work
        short = _plain(work.title.partition(":")[0])
        surname = _plain(work.authors[0].split()[-1]) if work.authors else ""
        if _plain(work.title) in plain or (surname and surname in plain and short in plain and str(work.year) in reference):
            return work
    return None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _key(reference: str) -> str:
    """Surname of the first author and year, as far as the reference has them."""
    year = re.search(r"\b(19|20)\d\d\b", reference)
    words = re.findall(r"\b[A-Z]\w+", reference)
    return f"{(words[0] if words else 'reference').lower()}{year[0] if year else ''}"


def _own(key: str, reference: str) -> str:
    doi, arxiv = sources.identifiers(reference)
    text = re.sub(r",?\s*(doi|DOI)[: ]*10\.\S+", "", reference)
    fields = {"howpublished": f"{{{text}}}", "doi": doi or ""}
    fields |= {"eprint": arxiv, "archiveprefix": "arXiv"} if arxiv else {}
    return entry("misc", key, fields)
