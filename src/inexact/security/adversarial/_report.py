"""The result of a campaign as plain JSON: what the command line prints and the page is made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inexact.core.errors import AttackError
from inexact.security.adversarial._alarms import alarms
from inexact.security.adversarial._base import attacks
from inexact.security.adversarial._networks import NAMES
from inexact.security.adversarial._robustness import Cells, Row, accuracy, difference, rows, worst
from inexact.security.adversarial._settings import Settings
from inexact.security.adversarial._target import Images, Target
from inexact.security.adversarial._threats import threat_named
from inexact.security.adversarial._verdict import verdict

RESULT = "attack.json"
"""The file in a campaign's folder."""


def read_result(folder: Path) -> dict[str, Any]:
    """The result of the finished campaign in a folder. Raises AttackError where there is none."""
    try:
        content: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AttackError(f"{folder} must hold the result of `inexact attack run`, {RESULT}: {error}") from error
    return content


def report(cells: Cells, settings: Settings, images: Images, judges: dict[str, Target]) -> dict[str, Any]:
    """clean: by network. rows: attack x threat x epsilon. worst: of all attacks by epsilon; groups: of some threats.

    Accuracies in percent over all images, 95 % intervals; differences exact - approximate in points, paired.
    """
    found = rows(cells, settings)
    result: dict[str, Any] = {
        "images": len(images),
        "settings": settings.to_json(),
        "threats": {name: threat_named(name).knows for name in settings.threats},
        "clean": {name: accuracy(judges[name].correct(images).numpy()) for name in NAMES},
        "rows": [_row(row) for row in found],
        "worst": _worst(found),
        "groups": [line for group in _groups(settings) for line in _worst([row for row in found if row.threat in group], group)],
        "alarms": [alarm.to_json() for alarm in alarms(cells, found)],
        "audit": {name: cells[f"audit {name}"] for name in NAMES},
        "seconds": sum(float(cell.get("seconds", 0.0)) for cell in cells.values()),
    }
    return result | {"verdict": verdict(result)}


def _row(row: Row) -> dict[str, Any]:
    networks = {name: accuracy(row.robust[name]) | _effort(row, name) for name in NAMES}
    return {
        "attack": row.attack,
        "measure": row.measure,
        "threat": row.threat,
        "epsilon": row.epsilon,
        **networks,
        "difference": difference(row.robust["exact"], row.robust["approximate"]),
    }


def _effort(row: Row, name: str) -> dict[str, Any]:
    cell = row.cells[name]
    return {
        "made_on": cell["maker"],
        "queries": cell["queries"],
        "backward_passes": cell["backward_passes"],
        "sources": [[source, 100 * left] for source, left in cell["sources"]],
    }


def _groups(settings: Settings) -> list[tuple[str, ...]]:
    """Threats whose attackers know the same, to be judged together: each alone, and all that look at the attacked network itself."""
    own = tuple(name for name in ("white_box", "adaptive", "black_box") if name in settings.threats)
    return [*((name,) for name in settings.threats), *([own] if len(own) > 1 else [])]


def _worst(found: list[Row], threats: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    lines = []
    for measure, epsilon in dict.fromkeys((row.measure, row.epsilon) for row in found):
        flags = worst(found, measure, epsilon)
        chosen = [row for row in found if (row.measure, row.epsilon) == (measure, epsilon)]
        runs = {(row.attack, row.cells["approximate"]["maker"]) for row in chosen}  # threats share examples
        by_attack = {name: min(chosen, key=lambda row, name=name: (row.share(name), "_to_" in row.threat)) for name in NAMES}  # type: ignore[misc]
        lines.append(
            {
                "measure": measure,
                "epsilon": epsilon,
                "attacks": len(runs),
                "threats": list(threats or dict.fromkeys(row.threat for row in chosen)),
                **{name: accuracy(flags[name]) | {"strongest": f"{by_attack[name].attack}, {by_attack[name].threat}"} for name in NAMES},
                "difference": difference(flags["exact"], flags["approximate"]),
                "pictures": by_attack["approximate"].cells["approximate"].get("pictures", []),
            }
        )
    return sorted(lines, key=lambda line: (line["measure"] != "linf", line["epsilon"]))


def known_attacks() -> list[dict[str, Any]]:
    """Every member of the family: spec, what it needs and measures, whether it works within an epsilon, first line of its description."""
    found = []
    for name, member in attacks.items():
        attack = member()
        about = (member.__doc__ or "").strip().splitlines()[0]
        found.append(
            {"name": name, "spec": attack.spec, "needs": attack.needs, "measure": attack.measure, "bounded": attack.bounded, "about": about}
        )
    return found
