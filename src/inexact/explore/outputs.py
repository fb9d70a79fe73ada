"""The files of a study's folder. Each appears whole, by atomic rename, or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

from inexact.core.files import write_text
from inexact.explore.exits import WEIGHTS
from inexact.explore.result import StudyReport, front_point

COLUMNS = ("trial", "drop", "drop_low", "drop_high", "n_images", "energy_saving", "area_saving", "plan_toml")


def write(report: StudyReport, folder: Path, write_weights: Callable[[Path], None] | None) -> list[Path]:
    """front.csv and study.json; with a best design also best.plan.toml and best.safetensors. Returns the paths.

    write_weights: writes the best design's state dict to a path, and the classifiers of its exits beside it.
    Raises OutputError when a file cannot be written.
    """
    found = [folder / "front.csv", folder / "study.json"]
    write_text(found[0], front_csv(report))
    write_text(found[1], json.dumps(report.to_json(), indent=1, allow_nan=False))
    if report.best is not None:
        found.append(folder / "best.plan.toml")
        write_text(found[-1], report.best.plan_toml)
        if write_weights is not None:
            found.append(folder / "best.safetensors")
            write_weights(found[-1])
            if report.best.exits:
                found.append(folder / WEIGHTS)
    return found


def front_csv(report: StudyReport) -> str:
    """The front, largest saving first: drop and its interval in points against float32, savings in percent, the plan as TOML."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for trial in report.front:
        point = front_point(trial)
        low, high = point["drop_ci"] or (None, None)
        middle = (point["drop"], low, high, point["n_images"], point["energy_saving"], point["area_saving"])
        writer.writerow([trial.id, *middle, point["plan"]])
    return text.getvalue()
