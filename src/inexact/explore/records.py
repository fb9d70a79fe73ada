"""Fault campaigns and attacks on the networks of a study: found in its folder or named, checked, and added to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inexact.core.errors import StudyError
from inexact.core.files import sha256_file
from inexact.explore.result import JsonObject
from inexact.explore.settings import Settings
from inexact.nn import Plan
from inexact.reliability import CAMPAIGN, compare, read_campaign
from inexact.security.adversarial import RESULT, read_result

FAULTS, ATTACKS = "faults", "attacks"
"""Folders inside that of a study where `inexact fault run --study` and `inexact attack run --study` write."""
EXACT = "exact 8 bit"
NUMBERS = ("clean", "threats", "rows", "worst", "alarms", "audit", "verdict", "images", "settings", "command", "date")
"""What of an attack's record goes into the report; its images stay in its own."""


def with_records(
    report: JsonObject, fingerprint: str, folder: str | Path, *, faults: Sequence[str | Path] = (), attacks: Sequence[str | Path] = ()
) -> JsonObject:
    """The study's report with `reliability` and `security`: what lies in its folder, and in the folders named, that of a run or of several.

    report: the study's own, as JSON; fingerprint: of its problem, which records made with `--study` carry.
    reliability: {"campaigns": [{design, exact, folder, report}], "comparisons": [{design, rows}], "unfinished": [folders]}.
    security: {"attacks": [{design, folder, result}]}. Raises StudyError for a record of another network, data set or plan, FaultError
    and AttackError for folders that hold none.
    """
    home = Path(folder)
    check = _Check(report, fingerprint, home)
    unfinished: list[str] = []
    campaigns = []
    for place in _folders(home / FAULTS, faults, CAMPAIGN):
        found = read_campaign(place)
        if found is None:
            unfinished.append(_shown(place, home))
        else:
            campaigns.append({**check(place, found["settings"]["about"]), "report": found})
    made = []
    for place in _folders(home / ATTACKS, attacks, RESULT):
        result = read_result(place)
        kept = {name: result[name] for name in NUMBERS if name in result}
        kept["worst"] = [{key: value for key, value in line.items() if key != "pictures"} for line in result["worst"]]
        made.append({**check(place, result.get("about", {})), "result": kept})
    campaigns.sort(key=lambda entry: not entry["exact"])
    return {
        **report,
        "reliability": {"campaigns": campaigns, "comparisons": comparisons(campaigns), "unfinished": unfinished},
        "security": {"attacks": made},
    }


def comparisons(campaigns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every other design beside the exact network: {design, rows}; see `reliability.compare`."""
    exact = next((entry["report"] for entry in campaigns if entry["exact"]), None)
    if exact is None:
        return []
    others = [entry for entry in campaigns if not entry["exact"]]
    return [
        {"design": entry["design"], "rows": compare(exact, entry["report"], name=f"the design ({entry['design']})")} for entry in others
    ]


def _shown(place: Path, home: Path) -> str:
    """A folder as the report names it: from the study's where it lies inside."""
    return str(place.relative_to(home)) if place.is_relative_to(home) else str(place)


def digest(file: str | Path | None) -> str:
    """Hex SHA-256 of a file; the name of one that is not there, nothing for None."""
    if file is None:
        return ""
    return sha256_file(file) if Path(file).is_file() else str(file)


def _folders(home: Path, named: Sequence[str | Path], file: str) -> list[Path]:
    """Folders that hold `file`: those inside `home`, the named ones and those inside the named ones, each once."""
    found = [place.parent for place in sorted(home.glob(f"*/{file}"))]
    for place in map(Path, named):
        inside = [path.parent for path in sorted(place.glob(f"*/{file}"))]
        found += inside if inside and not (place / file).is_file() else [place]
    return list({place.resolve(): place for place in found}.values())


class _Check:
    """Says which design of the study a record is about."""

    def __init__(self, report: JsonObject, fingerprint: str, home: Path) -> None:
        self.home = home
        self.settings = Settings.from_json(report["settings"])
        self.study = fingerprint
        self.weights = digest(self.settings.weights)
        best = report["best"] or {}
        self.best = best.get("trial")
        self.plans: dict[str, int] = {}
        for trial in report["trials"]:
            if trial["status"] == "done":
                self.plans.setdefault(Plan.from_toml(trial["plan_toml"]).sha256, trial["id"])
        if best:
            self.plans[Plan.from_toml(best["plan_toml"]).sha256] = best["trial"]

    def __call__(self, place: Path, about: Mapping[str, str]) -> dict[str, Any]:
        """{design, exact, folder}. about: what the record says of its network. Raises StudyError when it is not the study's."""
        for name in ("network", "data"):
            self._same(place, name, about.get(name), getattr(self.settings, name))
        self._same(place, "weights", about.get("weights"), self.weights)
        made_for = about.get("study", "")
        if made_for and made_for != self.study:
            raise StudyError(f"{place} was made for another study, or for this one before it was run anew: make it again with --study")
        design = about.get("design", "")
        exact = design == "exact" or about.get("plan") == EXACT
        if exact:
            return {"design": EXACT, "exact": True, "folder": _shown(place, self.home)}
        trial = self.plans.get(str(about.get("plan")))
        if trial is None:
            raise StudyError(f"{place} must be about a plan of this study; none of its finished trials has the plan it was run on")
        name = f"chosen, trial {trial}" if trial == self.best else f"trial {trial}"
        return {"design": name, "exact": False, "folder": _shown(place, self.home)}

    @staticmethod
    def _same(place: Path, name: str, found: object, wanted: object) -> None:
        if found != wanted:
            said = f"the study's {name}" + ("" if name == "weights" else f" {wanted}, not {found}")
            raise StudyError(f"{place} must be about {said}: leave it out, or run it on the study with --study")
