"""Evolved 8x8 multipliers of the catalogue against parametric families at equal synthesised energy, and against published circuits.

Run as `python benchmarks/evolved_against_families.py [folder of the reference data]`. For every metric: over energies from that of the
cheapest evolved circuit to that of the exact one, how often the best evolved circuit of at most that energy has a smaller error than
the best of all families, and than each family; and the hypervolume of (energy, log error) fronts, the larger the better. With the
reference data: published circuits by their power over that of the exact circuit.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inexact import metrics, units
from inexact.units import catalogue
from inexact.units.evolved import Evolved

Point = tuple[float, float]
"""(energy over exact, error)."""


def main() -> int:
    chosen = [e for e in catalogue.entries().values() if e.kind == "multiplier" and e.width == (8, 8) and not e.signed]
    exact = catalogue.entries()["exact"].silicon
    histograms = layer_weights()
    cases: dict[str, Callable[[Any], float]] = {
        "mae": lambda e: e.metrics["mae"],
        "wce": lambda e: e.metrics["wce"],
        "rms_column": lambda e: metrics.anova(units.get(e.spec)).rms_column,
        "rms_folded": lambda e: metrics.anova(units.get(e.spec)).rms_folded,
        "weighted mae (lenet5:conv2)": lambda e: metrics.profile(units.get(e.spec), *histograms).metrics()["mae"],
        "weighted rms_column (lenet5:conv2)": lambda e: metrics.anova(units.get(e.spec), *histograms).rms_column,
    }
    for name, error in cases.items():
        points: dict[str, list[Point]] = {}
        for entry in chosen:
            value = error(entry)
            if value > 0:
                points.setdefault(entry.family, []).append((entry.silicon["energy_pj"] / exact["energy_pj"], value))
        evolved = points.pop("evolved")
        families = {family: found for family, found in points.items() if len(found) >= 3}
        union = [point for found in points.values() for point in found]
        grid = np.linspace(min(x for x, _ in evolved), 1.0, 200)
        wins = share(evolved, union, grid)
        worst = min((share(evolved, found, grid), family) for family, found in families.items())
        print(
            f"{name}: evolved better over {100 * wins:.0f} % of the energies; than the best family, {worst[1]}, over {100 * worst[0]:.0f} %"
        )
        volumes = (hypervolume(found) for found in (evolved, union, evolved + union))
        print("  hypervolume: evolved {:.3f}, all families {:.3f}, together {:.3f}".format(*volumes))
    if len(sys.argv) > 1:
        published(Path(sys.argv[1]), exact)
    return 0


def layer_weights() -> tuple[np.ndarray, np.ndarray]:
    """Operand histograms of LeNet-5's second convolution, as scripts/evolve_units takes them."""
    from inexact import nn, zoo

    images = zoo.data("fashion-mnist", "validation", 512)
    plan = nn.Plan(precision="w8a8", coding="unsigned", multiplier="exact")
    network = nn.approximate(zoo.network("lenet5", data="fashion-mnist"), plan, calibrate=images)
    found = nn.operand_histograms(network, images, images=512)["conv2"]
    return np.asarray(found.a, float), np.asarray(found.b, float)


def best(points: Sequence[Point], energy: float) -> float:
    """Smallest error of at most this energy."""
    return min((error for cost, error in points if cost <= energy), default=float("inf"))


def share(one: Sequence[Point], other: Sequence[Point], grid: np.ndarray) -> float:
    """How often the first has the smaller error."""
    return float(np.mean([best(one, energy) < best(other, energy) for energy in grid]))


def hypervolume(points: Sequence[Point]) -> float:
    """Area between the front and the corner (energy 1, error 16,384), the error on a logarithmic scale over 1..16,384 as 1..0."""
    inside = sorted((x, min(1.0, max(0.0, np.log2(max(y, 1.0)) / 14))) for x, y in points if x < 1)
    total, level = 0.0, 1.0
    for (x, y), (following, _) in zip(inside, [*inside[1:], (1.0, 0.0)], strict=True):
        level = min(level, y)
        total += (following - x) * (1 - level)
    return total


def published(folder: Path, exact: dict[str, float]) -> None:
    """Where published circuits have a smaller error than evolved ones of at most their relative power (settled energy here)."""
    with (folder / "evoapproxlib_master_8x8.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["signedness"] == "unsigned"]
    reference = float(next(row for row in rows if row["name"] == "mul8u_1JFF")["pdk45_power_mw"])
    evolved = [catalogue.entries()[f"evolved(name={name})"] for name in Evolved.names() if not Evolved(name=name).signed]
    for metric in ("mae", "wce", "mse"):
        ours = [(e.silicon["settled_energy_pj"] / exact["settled_energy_pj"], float(e.metrics[metric])) for e in evolved]
        theirs = [(float(row["pdk45_power_mw"]) / reference, float(row[metric]), row["name"]) for row in rows if float(row[metric]) > 0]
        better = [name for power, error, name in theirs if error < best(ours, power)]
        print(f"{metric}: {len(better)} of {len(theirs)} published circuits beat every evolved one of their power: {', '.join(better)}")


if __name__ == "__main__":
    sys.exit(main())
