"""The front as text, for terminals and logs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from inexact.explore.result import TrialReport


def trial_line(trial: TrialReport) -> str:
    """What a trial saves and loses, on one line."""
    low, high = trial.drop_ci or (math.nan, math.nan)
    saved = f"{trial.energy_saving:6.2f} % energy {trial.area_saving:6.2f} % area"
    return f"trial {trial.id:4}: {saved}, {trial.drop:+.2f} points [{low:+.2f}, {high:+.2f}] on {trial.n_images} images"


def plot_front(trials: Sequence[TrialReport], *, width: int = 72, height: int = 18) -> str:
    """Points of the trials on a grid of characters: drop in points to the right, energy saving in percent upwards.

    Trials without a drop are left out. Several trials in one cell show as their number (9 for more).
    """
    points = [(t.drop, t.energy_saving) for t in trials if t.drop is not None and t.energy_saving is not None]
    if not points:
        return "no trial was measured"
    x_low, x_high = _range([x for x, _ in points])
    y_low, y_high = _range([y for _, y in points])
    columns, rows = max(8, width - 9), max(2, height - 3)
    counts: dict[tuple[int, int], int] = {}
    for x, y in points:
        cell = (round((y_high - y) / (y_high - y_low) * (rows - 1)), round((x - x_low) / (x_high - x_low) * (columns - 1)))
        counts[cell] = counts.get(cell, 0) + 1
    lines = ["energy saved, % (whole accelerator with DRAM)"]
    for row in range(rows):
        label = f"{y_high - (y_high - y_low) * row / (rows - 1):7.1f} " if row in (0, rows - 1) else " " * 8
        cells = "".join(_mark(counts.get((row, column), 0)) for column in range(columns))
        lines.append(f"{label}|{cells}".rstrip())
    lines.append(" " * 8 + "+" + "-" * columns)
    left, right = f"{x_low:.2f}", f"{x_high:.2f} points lost"
    lines.append(" " * 9 + left + right.rjust(columns - len(left)))
    return "\n".join(lines)


def _mark(count: int) -> str:
    if count == 0:
        return " "
    return "o" if count == 1 else str(min(count, 9))


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
