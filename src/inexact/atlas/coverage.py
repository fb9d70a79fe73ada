"""How much of the field runs here: works counted by what stands for them, per family, surveys left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inexact.atlas.links import STATUSES, Link, links
from inexact.atlas.works import BESIDE, Work, works
from inexact.core.families import FAMILIES

DEFINITION = (
    "Counted are works with a technique of their own: surveys are left out, approximate memory, which lies outside the three families, is "
    "counted apart with the rest of what stands beside them. Here: "
    f"{STATUSES['here']}; the work's own data, networks, chip and figures are not claimed by it. Part: {STATUSES['part']}, and what is "
    "missing is said of each. Absent: the rest, with the reason."
)
"""What the figures mean, in words."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Works of one group. here, part, absent: counts. recipes: works of it that a recipe runs."""

    name: str
    here: int
    part: int
    absent: int
    recipes: int

    @property
    def works(self) -> int:
        """All works that are counted."""
        return self.here + self.part + self.absent

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; shares in percent, None where there is no work."""
        whole = self.works
        shares = {f"{name}_percent": 100 * getattr(self, name) / whole if whole else None for name in ("here", "part")}
        counts = {name: getattr(self, name) for name in ("name", "works", "here", "part", "absent", "recipes")}
        return counts | shares


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Shares by family, of the three families together, and of everything. surveys: works left out."""

    families: tuple[Share, ...]
    three: Share
    everything: Share
    surveys: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "definition": DEFINITION,
            "families": [share.to_json() for share in self.families],
            "three_families": self.three.to_json(),
            "everything": self.everything.to_json(),
            "surveys": self.surveys,
        }


def coverage() -> Coverage:
    """Counts over the shipped catalogue."""
    pairs = [(work, links()[work.key]) for work in works().values()]
    techniques = [(work, link) for work, link in pairs if link.status != "none"]
    by_family = {name: [pair for pair in techniques if pair[0].family == name] for name in FAMILIES + BESIDE}
    return Coverage(
        families=tuple(_share(name, found) for name, found in by_family.items() if found),
        three=_share("three families", [pair for name in FAMILIES for pair in by_family[name]]),
        everything=_share("everything", techniques),
        surveys=len(pairs) - len(techniques),
    )


def _share(name: str, pairs: Iterable[tuple[Work, Link]]) -> Share:
    found = [link for _, link in pairs]
    counts = {status: sum(link.status == status for link in found) for status in ("here", "part", "absent")}
    return Share(name=name, **counts, recipes=sum(link.recipe is not None for link in found))
