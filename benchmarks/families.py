"""What each family of approximation saves alone, and all three together: one study a family, printed as a Markdown table.

Usage: python families.py OUT NETWORK [TRIALS] [ACCELERATOR] [DATA]

OUT keeps a study of each family, which may be stopped at any time and goes on where it stopped; `inexact study report` draws them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inexact.core.errors import NoDesignError
from inexact.core.families import FAMILIES
from inexact.explore import Settings, Store, Study, StudyReport
from inexact.explore.stored import open_problem
from inexact.explore.study import STORE, claim
from inexact.explore.watch import Silent
from inexact.hardware import BOUNDARIES

HEADS = ("family", "multipliers", "PE array", "chip", "chip and DRAM", "saved with DRAM", "area saved", "latency ms", "points lost in test")
SPACES = {
    "approximate units": FAMILIES[1:2],
    "precision scaling": FAMILIES[2:],
    "computation reduction": FAMILIES[:1],
    "all three": FAMILIES,
}


def main(out: Path, settings: Settings) -> None:
    """Run what is missing and print the table."""
    print(f"{settings.network}, {settings.accelerator}, {settings.trials} trials; uJ of one inference, exact 8 bit / chosen\n")
    print("| " + " | ".join(HEADS) + " |\n|" + " --- |" * len(HEADS))
    for name, families in SPACES.items():
        folder = out / f"{settings.network}-{name.replace(' ', '-')}"
        folder.mkdir(parents=True, exist_ok=True)
        asked = Settings.from_json({**settings.to_json(), "families": families})
        with Store(folder / STORE) as store:
            claim(store, asked, "benchmarks/families.py")
            study = Study(open_problem(asked), asked, store, watch=Silent(), command="benchmarks/families.py")
            report = study.run()
            study.write(folder)
        print("| " + " | ".join([name, *cells(report)]) + " |", flush=True)


def cells(report: StudyReport) -> list[str]:
    """The figures of a study's best design."""
    best = report.best
    if best is None:
        raise NoDesignError(report.message)
    energies, saved, area = report.energy["by_boundary"], best.savings["with_dram"], best.area_saving
    low, high = saved["spread"]
    lost = best.test or best.validation
    return [
        *(f"{energies['baseline'][place] / 1e6:.3g} / {energies['best'][place] / 1e6:.3g}" for place in BOUNDARIES),
        f"{saved['value']:.1f} % ({low:.1f} to {high:.1f})",
        f"{area['value']:.1f} %",
        f"{best.baseline_latency_ms['value']:.3g} / {best.latency_ms['value']:.3g}",
        f"{lost.drop:.2f} [{lost.drop_ci[0]:.2f}, {lost.drop_ci[1]:.2f}]",
    ]


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 6:
        sys.exit(__doc__)
    given = dict(zip(("trials", "accelerator", "data"), sys.argv[3:], strict=False))
    main(
        Path(sys.argv[1]),
        Settings(
            network=sys.argv[2],
            data=given.get("data", "fashion-mnist"),
            accelerator=given.get("accelerator", "edge-16x16"),
            trials=int(given.get("trials", 60)),
        ),
    )
