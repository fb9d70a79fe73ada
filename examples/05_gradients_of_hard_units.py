"""Difference gradient against straight-through on units that ruin a network: top-1 after a short fine-tuning, over seeds.

Usage: python 05_gradients_of_hard_units.py [network] [training images] [seeds] [test images] [folder] [unit ...]
One epoch on validation images, cross entropy, no correction, affine codes; every gradient sees the same images in the same order.
The half window of each unit is, as published, the one with the least training loss of a LeNet-5 (one epoch of 4,096 images; 128 when less
are trained on). LeNet-5 trains by SGD on batches of 64; other networks by Adam on batches of 32, which is nearer to the publication.
Differences from straight-through are paired by seed, with 95 % t intervals. What is done lies in FOLDER and is not run again.
EvoApproxLib's tables are read from $INEXACT_REFERENCE_DATA; without it only the other units run.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

import inexact as ix
from inexact.core.files import ensure_folder, write_text
from inexact.recovery.training import run_finetune

UNITS = ("mul8u_17KS", "mul8u_1AGV", "mul8u_L40", "mul8u_JV3", "trunc(cut=9)", "mitchell")
HALF_WINDOWS = (1, 2, 4, 8, 16, 32, 64)
OTHERS = ("linear_fit",)
FIRST = "straight_through"


def interval(values: list[float]) -> str:
    """Mean and its 95 % t interval over seeds; the plain number for one."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.2f} ± {half:.2f}"


def kept(path: Path, measure: Callable[[], float]) -> float:
    """What a file holds, or else what is measured and written there."""
    if not path.exists():
        write_text(path, json.dumps(measure()))
    return float(json.loads(path.read_text()))


def training_loss(unit: str | ix.units.Multiplier, half_window: int, size: int) -> float:
    """Mean cross entropy of an epoch of LeNet-5."""
    images = ix.zoo.data("fashion-mnist", split="validation", limit=size)
    net = ix.approximate(ix.zoo.network("lenet5"), ix.Plan(multiplier=unit, coding="unsigned"), calibrate=images)
    return run_finetune(net, images, f"finetune(gradient='smoothed_difference(half_window={half_window})')").epochs[-1].loss


def main() -> None:
    """Print one line a unit."""
    given = sys.argv[1:] + ["lenet5", "128", "1", "100", "out/gradients"][len(sys.argv) - 1 :]
    name, (size, seeds, count), folder = given[0], map(int, given[1:4]), ensure_folder(Path(given[4]))
    settings = "batch=64" if name == "lenet5" else "batch=32,optimizer=adam,rate=0.001"
    archive = Path(os.environ.get("INEXACT_REFERENCE_DATA", "")) / "evoapproxlib_master_8x8.npz"
    tables = dict(np.load(archive)) if archive.is_file() else {}
    model = ix.zoo.network(name)
    training = ix.zoo.data("fashion-mnist", split="validation", limit=size)
    images = ix.zoo.data("fashion-mnist", split="test", limit=count)
    print(f"{name}: float32 top-1 {ix.evaluate(model, images).top1:.2f} % on {count} images; top-1 in %, gain in points, {seeds} seeds")
    print(
        "| unit | before | half window |",
        " | ".join([FIRST, "gain of smoothed_difference", *(f"gain of {other}" for other in OTHERS)]),
        "|",
    )
    for case in given[5:] or UNITS:
        if case.startswith("mul8u_") and case not in tables:
            continue
        unit = ix.units.from_table(tables[case].astype(np.int32), signed=False) if case in tables else case
        tried, looked = HALF_WINDOWS if size >= 1024 else HALF_WINDOWS[3:4], min(size, 4096)
        losses = [kept(folder / f"lenet5-{looked}-{case}-{h}.json", lambda u=unit, h=h, n=looked: training_loss(u, h, n)) for h in tried]
        half_window = tried[int(np.argmin(losses))]
        net = ix.approximate(model, ix.Plan(multiplier=unit, coding="unsigned"), calibrate=training)
        found: dict[str, list[float]] = {}
        for gradient in (FIRST, f"smoothed_difference(half_window={half_window})", *OTHERS):

            def top1(seed: int, net: ix.nn.ApproxModel = net, gradient: str = gradient) -> float:
                return ix.evaluate(ix.finetune(net, training, f"finetune({settings},gradient='{gradient}')", seed=seed), images).top1

            key = f"{name}-{size}-{count}-{case}-{gradient}"
            found[gradient] = [kept(folder / f"{key}-{seed}.json", lambda measure=top1, seed=seed: measure(seed)) for seed in range(seeds)]
        first = found.pop(FIRST)
        gains = [interval([a - b for a, b in zip(other, first, strict=True)]) for other in found.values()]
        print(f"| `{case}` | {ix.evaluate(net, images).top1:.2f} | {half_window} |", " | ".join([interval(first), *gains]), "|", flush=True)


main()
