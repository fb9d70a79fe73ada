"""Difference gradient against straight-through on units that ruin a network: top-1 after a short fine-tuning, over seeds.

Usage: python 05_gradients_of_hard_units.py [network] [training images] [seeds] [test images] [folder] [unit ...]
One epoch of batches of 64 on validation images, cross entropy, SGD, no correction, affine codes; every gradient sees the same images in
the same order. Differences from straight-through are paired by seed, with 95 % t intervals. What is done lies in FOLDER and is not run
again. EvoApproxLib's tables are read from $INEXACT_REFERENCE_DATA; without it only the other units run.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from scipy import stats

import inexact as ix
from inexact.core.files import ensure_folder, write_text

UNITS = ("mul8u_17KS", "mul8u_1AGV", "mul8u_L40", "mul8u_JV3", "trunc(cut=9)", "mitchell")
GRADIENTS = ("straight_through", "smoothed_difference(half_window=16)", "linear_fit")


def interval(values: list[float]) -> str:
    """Mean and its 95 % t interval over seeds; the plain number for one."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.2f} ± {half:.2f}"


def main() -> None:
    """Print one line a unit."""
    given = sys.argv[1:] + ["lenet5", "128", "1", "100", "out/gradients"][len(sys.argv) - 1 :]
    name, (size, seeds, count), folder = given[0], map(int, given[1:4]), ensure_folder(Path(given[4]))
    archive = Path(os.environ.get("INEXACT_REFERENCE_DATA", "")) / "evoapproxlib_master_8x8.npz"
    tables = dict(np.load(archive)) if archive.is_file() else {}
    model = ix.zoo.network(name)
    training = ix.zoo.data("fashion-mnist", split="validation", limit=size)
    images = ix.zoo.data("fashion-mnist", split="test", limit=count)
    print(f"{name}: float32 top-1 {ix.evaluate(model, images).top1:.2f} % on {count} images; top-1 in %, gain in points, {seeds} seeds")
    print("| unit | before |", " | ".join(GRADIENTS[:1] + tuple(f"gain of {g}" for g in GRADIENTS[1:])), "|")
    print("| --- | --- |", " | ".join("---" for _ in GRADIENTS), "|")
    for case in given[5:] or UNITS:
        if case.startswith("mul8u_") and case not in tables:
            continue
        unit = ix.units.from_table(tables[case].astype(np.int32), signed=False) if case in tables else case
        net = ix.approximate(model, ix.Plan(multiplier=unit, coding="unsigned"), calibrate=training)
        found: dict[str, list[float]] = {gradient: [] for gradient in GRADIENTS}
        for seed in range(seeds):
            for gradient in GRADIENTS:
                done = folder / f"{name}-{size}-{case}-{gradient}-{seed}.json"
                if not done.exists():
                    tuned = ix.finetune(net, training, f"finetune(gradient='{gradient}')", seed=seed)
                    write_text(done, json.dumps(ix.evaluate(tuned, images).top1))
                found[gradient].append(json.loads(done.read_text()))
        first = found[GRADIENTS[0]]
        gains = [interval([a - b for a, b in zip(found[gradient], first, strict=True)]) for gradient in GRADIENTS[1:]]
        print(f"| `{case}` | {ix.evaluate(net, images).top1:.2f} |", " | ".join([interval(first), *gains]), "|", flush=True)


main()
