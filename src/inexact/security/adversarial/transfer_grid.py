"""The tables of "Is approximation universally defensive?" (Siddique and Hoque 2022): made on the exact network, run elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from inexact.core.errors import AttackError
from inexact.metrics import paired_difference
from inexact.security.adversarial._base import attacks
from inexact.security.adversarial._campaign import known
from inexact.security.adversarial._flags import Flags, read, written
from inexact.security.adversarial._robustness import accuracy
from inexact.security.adversarial._target import Images, Target
from inexact.security.record import Record

NETWORK, DATA = "lenet5", "mnist"
UNITS = (
    "trunc(cut=2,signed=true)",
    "trunc(cut=4,signed=true)",
    "trunc(cut=6,signed=true)",
    "trunc(cut=7,signed=true)",
    "sign_magnitude(multiplier=mitchell)",
    "sign_magnitude(multiplier=drum(k=3))",
)
"""Signed 8x8 units of the package; the first two have the tables of EvoApproxLib's mul8s_1KVA and mul8s_1KX2."""
ATTACKS = (
    "fgsm",
    "pgd(restarts=0)",
    "pgd",
    "pgd(norm=l2,restarts=0)",
    "pgd(norm=l2)",
    "contrast_reduction",
    "noise(draws=10)",
    "noise(norm=l2,draws=10)",
)
EPSILONS = {"linf": (0.05, 0.1, 0.2), "l2": (0.5, 1.0, 2.0)}
"""The paper goes from 0 to 2; a largest change above 1 is outside the box."""
DIFFERENCES = (
    "LeNet-5 of this package under 8-bit signed codes, not retrained. EvoApproxLib's tables do not ship with the package: give "
    "them as --unit \"table(path='mul8s_1L2H.npy',signed=true)\".",
    "Noise is plus or minus epsilon, or a random direction; the paper's is Gaussian and uniform.",
)

Progress = Callable[[str, int, int], None]


def grid(
    exact: nn.Module,
    approximate: Mapping[str, nn.Module],
    images: Images,
    *,
    seed: int,
    path: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Robust accuracies: `grids` by attack, with rows of epsilon and a value for the exact network ("exact") and every approximate one.

    lost: points of accuracy an attack takes from each; excess: how many more it takes from the approximate than from the exact network,
    paired, with an interval that holds for all comparisons together (Bonferroni). path: a record from which a stopped run goes on.
    """
    if not approximate:
        raise AttackError("there must be at least one approximate network to run the examples on: give a unit")
    judges = {"exact": exact, **approximate}
    record = Record(path, known(judges, images, seed))
    cells = [(spec, epsilon) for spec in ATTACKS for epsilon in EPSILONS[attacks.get(spec).measure]]
    clean = {name: _right(network, images, images.pixels).numpy() for name, network in judges.items()}
    for done, (spec, epsilon) in enumerate(cells):
        key = f"{spec} | {epsilon:g}"
        record.part(key, functools.partial(_made, judges, images, spec, epsilon, seed))
        if progress is not None:
            progress(key, done + 1, len(cells))
    confidence = 1 - 0.05 / (len(cells) * len(approximate))
    grids: dict[str, Any] = {}
    for spec, epsilon in cells:
        after = {name: read(flags) for name, flags in record.parts[f"{spec} | {epsilon:g}"]["right"].items()}
        grids.setdefault(spec, []).append(_row(epsilon, clean, after, confidence))
    seconds = sum(float(cell["seconds"]) for cell in record.parts.values())
    return {
        "images": len(images),
        "clean": {n: accuracy(f) for n, f in clean.items()},
        "confidence": confidence,
        "grids": grids,
        "seconds": seconds,
    }


def _made(judges: Mapping[str, nn.Module], images: Images, spec: str, epsilon: float, seed: int) -> dict[str, Any]:
    """Examples made on the exact network, and who still gets them right."""
    target = Target(judges["exact"], images.scaling, name="the exact network")
    found = attacks.get(spec)(target, images, epsilon=epsilon, seed=seed)
    right = {name: written(_right(network, images, found.pixels)) for name, network in judges.items()}
    return {"right": right, "seconds": found.seconds}


def _right(network: nn.Module, images: Images, pixels: Tensor) -> Tensor:
    judge = Target(network, images.scaling, name="judge", gives_gradients=False)
    return judge.correct(Images(pixels=pixels, labels=images.labels, scaling=images.scaling))


def _row(epsilon: float, clean: Mapping[str, Flags], right: Mapping[str, Flags], confidence: float) -> dict[str, Any]:
    lost = {name: clean[name] & ~right[name] for name in right}
    values = {}
    for name in right:
        more = paired_difference(lost[name], lost["exact"], confidence)
        interval = [100 * more.low, 100 * more.high]
        excess = None if name == "exact" else {"points": 100 * more.drop, "ci": interval}
        values[name] = accuracy(right[name]) | {"lost": 100 * float(np.mean(lost[name])), "excess": excess}
    return {"epsilon": epsilon, "networks": values}


def verdict(found: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Whether an attack takes more from some approximate network than from the exact one it was made on.

    Reproduced ("not universally defensive"): the interval of some excess is above zero; contradicted: every interval ends below zero.
    """
    excesses = [
        (value["excess"], name, spec, row["epsilon"], value["lost"], row["networks"]["exact"]["lost"])
        for spec, rows in found["grids"].items()
        for row in rows
        for name, value in row["networks"].items()
        if name in names
    ]
    largest = max(excesses, key=lambda item: float(item[0]["points"]))
    surest = max(excesses, key=lambda item: float(item[0]["ci"][0]))
    shown = surest if surest[0]["ci"][0] > 0 else largest
    if surest[0]["ci"][0] > 0:
        word = "reproduced"
    elif all(item[0]["ci"][1] < 0 for item in excesses):
        word = "contradicted"
    else:
        word = "inconclusive"
    excess, name, spec, epsilon, lost, exact = shown
    low, high = excess["ci"]
    return {
        "claim": "approximation is not universally defensive: an attack made on the exact network can take more from an approximate one",
        "verdict": word,
        "why": f"{spec}, epsilon {epsilon:g}: {lost:.1f} points lost by {name}, {exact:.1f} by the exact network; "
        f"{excess['points']:+.1f} points [{low:+.1f}, {high:+.1f}], {len(excesses)} comparisons together at 95 %",
    }
