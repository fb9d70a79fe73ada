"""Published circuits, recognised by their truth table; claims and names held against the table itself."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import PurePath

import numpy as np

from inexact.core.errors import DataError
from inexact.core.files import sha256
from inexact.metrics.passport import CONVENTIONS, Profile, profile
from inexact.units import Multiplier

__all__ = ["KnownTable", "check_claims", "known_table", "name_mismatch", "named", "sentence"]

SOURCES = {"EvoApproxLib": "V. Mrazek, R. Hrbacek, Z. Vasicek, L. Sekanina, EvoApprox8b, DATE 2017, DOI 10.23919/DATE.2017.7926993"}

_CLAIMS = {
    "mae": ("mae", 1),
    "mae_range": ("mae_pct", 100),
    "wce": ("wce", 1),
    "error_probability": ("ep_pct", 100),
    "mred": ("mre_pct", 100),
}
"""Glossary name of each claim: the column it is printed in, and what to divide it by."""

_WCE_TOLERANCE = 0.05
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class KnownTable:
    """A published multiplier; (sha256, width, signed) is its identity, names are what libraries call it.

    branch, name: where it was published first-hand. other_names: what it is called elsewhere, each as "branch name". claims: published
    error metrics by their names in `inexact.metrics.passport.CONVENTIONS`, with the digits printed. power_mw, area_um2, delay_ns:
    published silicon figures at 45 nm. source: where all of this was published.
    """

    library: str
    branch: str
    name: str
    other_names: tuple[str, ...]
    sha256: str
    signed: bool
    width: tuple[int, int]
    claims: dict[str, float] = field(hash=False)
    power_mw: float
    area_um2: float
    delay_ns: float
    source: str

    def branch_of(self, name: str) -> str | None:
        """The branch in which this table carries the name, or None."""
        return next((branch for branch, own in self._names() if own == name), None)

    def _names(self) -> list[tuple[str, str]]:
        others = [other.rpartition(" ") for other in self.other_names]
        return [(self.branch, self.name), *((branch, name) for branch, _, name in others)]


def known_table(unit: Multiplier) -> KnownTable | None:
    """The published circuit with the unit's truth table, width and signedness, or None."""
    if unit.width not in {known.width for known in _published()}:
        return None
    return _by_identity().get((unit.sha256, unit.width, unit.signed))


def named(name: str) -> list[KnownTable]:
    """All published tables that carry the full name (`mul8s_1KVA`) in any branch; the same name may mean different circuits."""
    return [known for known in _published() if known.branch_of(name) is not None]


def sentence(known: KnownTable) -> str:
    """What the circuit is called, in one sentence: `this is EvoApproxLib master mul8s_1L2H, v2022 mul8s_1L2J`."""
    return f"this is {known.library} " + ", ".join([f"{known.branch} {known.name}", *known.other_names])


def check_claims(profile: Profile, claims: Mapping[str, float], *, relative_tolerance: float = 0.06) -> list[str]:
    """One sentence for each claimed metric that the profile contradicts; an empty list when all agree.

    claims: by metric name as in `CONVENTIONS`. Two numbers agree when they differ by no more than the tolerance times the larger:
    printed figures have two digits, some of them cut. wce is allowed at most 5 %; yes/no properties and the rank must be equal.
    Raises DataError for an unknown metric, or when the profile was weighted by histograms, which claims are not about.
    """
    if profile.weighted:
        raise DataError("claims hold for uniform operands; compare them with a profile made without histograms")
    if unknown := sorted(claims.keys() - CONVENTIONS.keys()):
        raise DataError(f"a claim must be about one of {', '.join(CONVENTIONS)}, not {', '.join(unknown)}")
    found = profile.metrics()
    return [
        f"claimed {name} = {claimed}, but the table's is {own}"
        for name, claim in claims.items()
        if not _agree(name, claim, found[name], relative_tolerance)
        for claimed, own in [_shown(claim, found[name])]
    ]


def name_mismatch(unit: Multiplier, name: str) -> str | None:
    """A sentence when a unit or file is called like a published circuit whose table it does not have; None otherwise.

    name: of a unit, or a file (its last path component counts). It is called like a circuit when it contains the circuit's name as
    words of their own, in this case: `mul8s_1L2H`, or `1L2H` alone. A name that several branches use must match one of them.
    """
    called = _called(name)
    candidates = [known for full in called for known in named(full)]
    if not candidates or known_table(unit) in candidates:
        return None
    full, known = called[0], candidates[0]
    start = f"it is called {full}, but "
    if unit.width not in {c.width for c in candidates}:
        return f"{start}{known.library}'s {full} is {known.width[0]}x{known.width[1]} and this unit {unit.width[0]}x{unit.width[1]}"
    if unit.sha256 in {c.sha256 for c in candidates}:
        return f"{start}{known.library}'s {full} is {_coding(known.signed)} and this unit {_coding(unit.signed)}"
    same = named(full)
    published = ", ".join(_number(c.claims["mae"]) + (f" in {c.branch_of(full)}" if len(same) > 1 else "") for c in same)
    figures = f"(published mae {published}, this table's {_number(profile(unit).mae)})"
    return f"{start}its table is not that of {known.library}'s {full} {figures}{_layout(unit, candidates)}"


def _called(name: str) -> list[str]:
    """Full names of the published circuits that `name` mentions, in its order; another circuit's prefix (`add8u_2AC`) is no mention."""
    words = re.findall(r"[A-Za-z0-9]+", PurePath(name).name)
    full_names = {own for known in _published() for _, own in known._names()}
    found = []
    for before, word in zip(["", *words], words, strict=False):
        if re.fullmatch(r"(add|div|mac|mul|sub)\d+\w*", before):
            found += [f"{before}_{word}"] if f"{before}_{word}" in full_names else []
        else:
            found += sorted(full for full in full_names if full.partition("_")[2] == word)
    return found


def _layout(unit: Multiplier, candidates: list[KnownTable]) -> str:
    """The commonest slips of an import: which one explains the difference, if any."""
    table, hashes = unit.table(), {known.sha256 for known in candidates}
    middle = (table.shape[0] // 2, table.shape[1] // 2)
    slips = {
        "it is with a and b exchanged": table.T,
        "it is when rows and columns run from the most negative operand up": np.roll(table, middle, (0, 1)),
    }
    return next((f"; {slip}" for slip, lut in slips.items() if sha256(np.ascontiguousarray(lut).astype("<i4").tobytes()) in hashes), "")


def _agree(name: str, claim: float, own: float, tolerance: float) -> bool:
    if isinstance(own, bool) or name == "error_rank":
        return bool(claim == own)
    allowed = min(tolerance, _WCE_TOLERANCE) if name == "wce" else tolerance
    return abs(claim - own) <= max(allowed * max(abs(claim), abs(own)), _ROUNDING) and abs(claim) != np.inf


def _shown(claim: float, own: float) -> tuple[str, str]:
    short = (_number(claim), _number(own))
    return short if short[0] != short[1] else (f"{claim!r}", f"{own!r}")


def _number(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def _coding(signed: bool) -> str:
    return "signed" if signed else "unsigned"


@functools.cache
def _by_identity() -> dict[tuple[str, tuple[int, int], bool], KnownTable]:
    return {(known.sha256, known.width, known.signed): known for known in _published()}


@functools.cache
def _published() -> tuple[KnownTable, ...]:
    text = (files("inexact.metrics") / "published.csv").read_text(encoding="utf-8")
    return tuple(_known(row) for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def _known(row: dict[str, str]) -> KnownTable:
    return KnownTable(
        library=row["library"],
        branch=row["branch"],
        name=row["name"],
        other_names=(f"v2022 {row['name_v2022']}",) if row["name_v2022"] else (),
        sha256=row["sha256"],
        signed=row["signedness"] == "signed",
        width=(int(row["width_a"]), int(row["width_b"])),
        claims={name: float(row[column]) / scale for name, (column, scale) in _CLAIMS.items()},
        power_mw=float(row["power_mw"]),
        area_um2=float(row["area_um2"]),
        delay_ns=float(row["delay_ns"]),
        source=SOURCES[row["library"]],
    )
