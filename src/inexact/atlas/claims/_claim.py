"""A claim: a published number, where it stands, how it is checked here, and how near is near enough. Read from TOML records."""

from __future__ import annotations

import functools
import json
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, final

from inexact.atlas import works
from inexact.atlas.claims._tolerance import Tolerance, is_number
from inexact.atlas.claims.checks._base import Check, kinds
from inexact.core import families
from inexact.core.errors import ClaimError, near
from inexact.core.files import sha256

COSTS = {"fast": "under a second", "slow": "up to a minute", "network": "trained networks on images, up to a few minutes"}
PROVENANCES = {
    "read": "read in the work, its repository or a digest of it",
    "recalled": "from memory, not looked up",
    "computed": "follows from the work's definition",
}
FAMILIES = (*families.FAMILIES, *works.BESIDE)
_TEXTS = ("id", "source", "statement", "number", "unit", "family", "provenance", "cost")
_OPTIONAL = ("work", "proxy", "why")
_MEASURED = ("number", "unit", "tolerance", "check")
"""What a result depends on: a claim whose words alone are changed need not be measured again."""
_TRACEABLE = re.compile(r"doi:10\.\d{4,}/\S+|arXiv:\d{4}\.\d{4,5}|https?://\S+", re.IGNORECASE)


@final
@dataclass(frozen=True, kw_only=True)
class Claim:
    """One published number as an executable check.

    id: lower-case words joined by hyphens. work: key in the catalogue of works, "" for what it does not list. source: where the number
    stands; a DOI, arXiv number or address unless the work has one. statement: what is claimed, in words. number: as printed. unit: of
    number and measurement.
    tolerance: what agrees with it. family, provenance, cost: of `FAMILIES`, `PROVENANCES`, `COSTS`. proxy: what is not as in the work, and
    why; "" when the check is the claim itself. why: what explains a verdict other than reproduced. sha256: of what a result depends on.
    """

    id: str
    work: str
    source: str
    statement: str
    number: str
    unit: str
    tolerance: Tolerance
    family: str
    provenance: str
    cost: str
    proxy: str
    why: str
    check: Check
    sha256: str

    @property
    def band(self) -> tuple[float, float]:
        """The values that agree with the number."""
        return self.tolerance.band(self.number)

    def to_json(self) -> dict[str, Any]:
        """A JSON object without verdict and measurement."""
        named = {
            name: getattr(self, name) for name in ("id", "work", "source", "statement", "family", "provenance", "cost", "proxy", "why")
        }
        low, high = (end if abs(end) < float("inf") else None for end in self.band)
        expected = {"value": float(self.number), "unit": self.unit, "tolerance": str(self.tolerance), "low": low, "high": high}
        return {**named, "kind": self.check.family_name, "expected": expected, "sha256": self.sha256}


@functools.cache
def claims() -> tuple[Claim, ...]:
    """All claims that come with the package, in the order of the records' files."""
    folder = resources.files("inexact.atlas.claims").joinpath("records")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    found = [claim for file in files for claim in _parsed(file.read_text(encoding="utf-8"), file.name)]
    _check_unique(found)
    return tuple(found)


def read_claims(path: str | Path) -> tuple[Claim, ...]:
    """The claims of a file of one's own. Raises ClaimError, whose message says which claim lacks what."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimError(f"file of claims {path} cannot be read: {error}") from error
    found = _parsed(text, str(path))
    _check_unique(found)
    return tuple(found)


def select(
    known: Iterable[Claim],
    *,
    ids: Iterable[str] = (),
    of_works: Iterable[str] = (),
    families: Iterable[str] = (),
    costs: Iterable[str] = (),
    kinds: Iterable[str] = (),
) -> list[Claim]:
    """The claims that pass every filter given; an empty filter passes all. Raises ClaimError for an id or work that no claim has."""
    found = list(known)
    wanted = {"id": tuple(ids), "work": tuple(of_works), "family": tuple(families), "cost": tuple(costs), "kind": tuple(kinds)}
    for name, values in wanted.items():
        present = {_facet(claim, name) for claim in found}
        for value in values:
            if value not in present:
                listed = "" if name in ("id", "work") else f" Known: {', '.join(sorted(present))}."
                raise ClaimError(f"no claim has the {name} {value!r}{near(value, present)}{listed} `inexact claim list` shows all")
    return [claim for claim in found if all(not values or _facet(claim, name) in values for name, values in wanted.items())]


def _facet(claim: Claim, name: str) -> str:
    return claim.check.family_name if name == "kind" else str(getattr(claim, name))


def _parsed(text: str, where: str) -> list[Claim]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClaimError(f"{where} must be TOML: {error}") from error
    records = document.get("claim")
    if set(document) != {"claim"} or not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ClaimError(f"{where} must hold [[claim]] tables and nothing else")
    return [_claim(record, f"{where}, claim {record.get('id', number)!r}") for number, record in enumerate(records, 1)]


def _claim(record: Mapping[str, Any], where: str) -> Claim:
    known = (*_TEXTS, *_OPTIONAL, "tolerance", "check")
    for name in record:
        if name not in known:
            raise ClaimError(f"{where} has no entry {name!r}{near(name, known)} Entries: {', '.join(known)}")
    for name in (*_TEXTS, "tolerance", "check"):
        if name not in record:
            raise ClaimError(f"{where} must have an entry {name!r}{_purpose(name)}")
    texts = {name: record.get(name, "") for name in (*_TEXTS, *_OPTIONAL)}
    for name, value in texts.items():
        if not isinstance(value, str) or (name in _TEXTS and not value):
            raise ClaimError(f"{where}: {name} must be a text in quotes, not {value!r}")
    for name in ("tolerance", "check"):
        if not isinstance(record[name], dict):
            raise ClaimError(f"{where}: {name} must be a table, not {record[name]!r}")
    _check_texts(texts, where)
    check = _check(record["check"], where)
    if check.unit != texts["unit"]:
        raise ClaimError(f"{where}: unit must be {check.unit!r}, which {check.family_name} measures, not {texts['unit']!r}")
    digest = sha256(json.dumps({name: record[name] for name in _MEASURED}, sort_keys=True).encode())
    return Claim(**texts, tolerance=Tolerance.of(record["tolerance"], where=where), check=check, sha256=digest)


def _purpose(name: str) -> str:
    purposes = {
        "tolerance": ": without it nothing can agree or disagree",
        "provenance": f", one of {', '.join(PROVENANCES)}: whence the number",
    }
    return purposes.get(name, "")


def _check_texts(texts: Mapping[str, str], where: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", texts["id"]):
        raise ClaimError(f"{where}: id must be lower-case words and digits joined by hyphens, not {texts['id']!r}")
    if not is_number(texts["number"]):
        raise ClaimError(f"{where}: number must be a decimal number as it is printed, not {texts['number']!r}")
    for name, known in (("provenance", tuple(PROVENANCES)), ("cost", tuple(COSTS)), ("family", FAMILIES)):
        if texts[name] not in known:
            raise ClaimError(f"{where}: {name} must be one of {', '.join(known)}, not {texts[name]!r}")
    if not texts["work"] and not _TRACEABLE.search(texts["source"]):
        raise ClaimError(
            f"{where}: source must name a DOI (doi:10.…), an arXiv number (arXiv:…) or an address, unless `work` does; "
            f"not {texts['source']!r}"
        )
    if texts["work"] and texts["work"] not in works.works():
        raise ClaimError(
            f"{where}: no work has the key {texts['work']!r}{near(texts['work'], works.works())} Leave it out for works not listed"
        )


def _check(table: Mapping[str, Any], where: str) -> Check:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise ClaimError(f"{where}: no kind of check is called {kind!r}{near(str(kind), kinds)} Kinds: {', '.join(kinds)}")
    parameters = {field.name: field for field in fields(kinds[kind])}  # type: ignore[arg-type]
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items() if name != "kind"}
    types = _types(kinds[kind])
    for name, value in given.items():
        if name not in parameters:
            raise ClaimError(f"{where}: {kind} has no parameter {name!r}{near(name, parameters)} Parameters: {', '.join(parameters)}")
        wanted = typing.get_origin(types[name]) or types[name]
        if not isinstance(value, int | float if wanted is float else wanted) or (isinstance(value, bool) and wanted is not bool):
            raise ClaimError(f"{where}: {name} of {kind} must be a {_noun(wanted)}, not {value!r}")
    for name, field in parameters.items():
        if name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise ClaimError(f"{where}: {kind} needs the parameter {name!r}")
    try:
        return kinds[kind](**given)
    except ValueError as error:
        raise ClaimError(f"{where}: {error}") from error


@functools.cache
def _types(kind: type) -> dict[str, Any]:
    """Types of a check's fields, read once a kind."""
    return typing.get_type_hints(kind)


def _noun(kind: type) -> str:
    return {str: "text", int: "whole number", float: "number", bool: "true or false", tuple: "list", dict: "table"}.get(kind, "table")


def _check_unique(found: Iterable[Claim]) -> None:
    seen: set[str] = set()
    for claim in found:
        if claim.id in seen:
            raise ClaimError(f"every claim must have an id of its own; {claim.id!r} is there twice")
        seen.add(claim.id)
