"""Approximation-aware fine-tuning: what it leaves of each unit's drop, under the better coding and correction of each.

Usage: python 04_finetuning.py [network] [split] [training images] [epochs] [test images] [folder] [case ...]
A case is a unit of the table below, 'unit | coding | recovery' or 'unit | coding | recovery | rate'.
Images are those of Fashion-MNIST; `minilm` reads the mails of SpamAssassin, and trains by AdamW at a rate that suits transformers;
`mobilenetv2s` trains by AdamW too.
Drops are against the exact 8-bit network on the same test images, in points, with paired 95 % intervals. Training and the choice of the
epoch (2,000 validation images) never see a test image. A unit that is done lies in FOLDER as JSON and is not run again; one that was
interrupted goes on from its checkpoint. EvoApproxLib's tables are read from $INEXACT_REFERENCE_DATA and left out without it.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

import inexact as ix
from inexact.core.files import ensure_folder, write_text
from inexact.recovery.training import run_finetune

LOSS = "loss=distillation(alpha=0.9,temperature=4.0)"
SETTINGS = f"finetune(epochs={{epochs}},rate={{rate}},{LOSS})", "0.05"
OF_NETWORKS = {
    "minilm": (f"finetune(epochs={{epochs}},batch=16,optimizer=adam,rate={{rate}},{LOSS})", "0.00005"),
    "mobilenetv2s": (f"finetune(epochs={{epochs}},batch=32,optimizer=adam,rate={{rate}},{LOSS})", "0.001"),
}
"""The settings of a training, and its rate where a case names none."""

COLUMN, GAIN, RANGES = "shared_column", "bias_correction(gain=true)", "ranges"
SHARED = "ranges + shared_column(gain=true,target=network)"
CASES = {
    "mul8u_JV3": ("unsigned", f"equalisation + {SHARED}"),
    "drum(k=3)": ("sign_magnitude", RANGES),
    "trunc(cut=9)": ("unsigned", COLUMN),
    "mul8u_1AGV": ("unsigned", COLUMN),
    "mul8u_17KS": ("unsigned", COLUMN),
    "mul8u_L40": ("sign_magnitude", RANGES),
    "trunc(cut=8)": ("unsigned", COLUMN),
    "drum(k=4)": ("sign_magnitude", RANGES),
    "mul8u_1CMB": ("sign_magnitude", GAIN),
    "mul8u_2HH": ("sign_magnitude", GAIN),
    "kulkarni": ("sign_magnitude", GAIN),
    "mitchell": ("sign_magnitude", GAIN),
}
"""Coding and correction that lost least on 2,000 validation images, most difficult unit first."""

# magnitudes: symmetric codes of both operands, whose magnitudes the unit multiplies, so that activations of both signs keep zero at code 0
DEEPER = CASES | {
    **dict.fromkeys(("mul8u_1AGV", "mul8u_17KS", "trunc(cut=9)", "trunc(cut=8)"), ("unsigned", SHARED)),
    **dict.fromkeys(("drum(k=3)", "drum(k=4)", "mul8u_L40", "mul8u_1CMB"), ("magnitudes", RANGES)),
}
"""Those of `mobilenetv2s`, whose projections have no ReLU behind them."""


def unit_of(name: str, tables: dict[str, np.ndarray]) -> str | ix.units.Multiplier | None:
    """The unit a name stands for; None for a table that is not at hand."""
    if not name.startswith("mul8u_"):
        return name
    return ix.units.from_table(tables[name].astype(np.int32), signed=False) if name in tables else None


def plan_of(unit: str | ix.units.Multiplier, coding: str, recovery: str) -> ix.Plan:
    """The unit in all layers."""
    if coding == "magnitudes":
        unit, coding = ix.units.get(f"sign_magnitude(multiplier={ix.units.get(unit).spec})"), "signed"
    return ix.Plan(multiplier=unit, coding=coding, recovery=recovery)


def main() -> None:
    """Print one line a unit."""
    given = sys.argv[1:] + ["lenet5", "validation", "128", "1", "100", "out/finetuning"][len(sys.argv) - 1 :]
    name, split, (size, epochs, count), folder = given[0], given[1], map(int, given[2:5]), ensure_folder(Path(given[5]))
    archive = Path(os.environ.get("INEXACT_REFERENCE_DATA", "")) / "evoapproxlib_master_8x8.npz"
    tables = dict(np.load(archive)) if archive.is_file() else {}
    data, (settings, usual) = "spamassassin" if name == "minilm" else "fashion-mnist", OF_NETWORKS.get(name, SETTINGS)
    model = ix.zoo.network(name, data=data)
    training = ix.zoo.data(data, split=split, limit=size)
    held = ix.zoo.data(data, split="validation", limit=min(2000, count))
    calibration = ix.zoo.data(data, split="validation", limit=512)
    images = ix.zoo.data(data, split="test", limit=count)
    exact = ix.evaluate(ix.approximate(model, ix.Plan(precision="int8", coding="signed"), calibrate=calibration), images)
    print(f"{name}: exact 8-bit top-1 {exact.top1:.2f} % on {exact.n} images; drops in points against it [95 %]")
    print("| unit | coding | correction | rate | before training | after | top-1 % | epoch kept | seconds of training |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    cases = DEEPER if name == "mobilenetv2s" else CASES
    for case in given[6:] or cases:
        called, *chosen = case.split(" | ")
        (coding, recovery, *rates), unit = chosen or cases[called], unit_of(called, tables)
        rate = rates[0] if rates else usual
        if unit is None:
            continue
        done = folder / f"{name}-{case}.json"
        if not done.exists():
            plan = plan_of(unit, coding, recovery)
            net = ix.recover(ix.approximate(model, plan, calibrate=calibration), data=calibration)
            outcome = run_finetune(
                net,
                training,
                settings.format(epochs=epochs, rate=rate),
                teacher=model,
                validation=held,
                checkpoint=done.with_suffix(".checkpoint"),
                resume=True,
            )
            before, after = (ix.evaluate(part, images, reference_int8=exact).to_json() for part in (net, outcome.net))
            result = {"before": before, "after": after, "kept": outcome.kept, "seconds": outcome.seconds, "stopped": outcome.stopped}
            write_text(done, json.dumps(result))
        result = json.loads(done.read_text())
        cells = ["{drop_int8:.2f} [{0:.2f}, {1:.2f}]".format(*part["drop_int8_ci"], **part) for part in (result["before"], result["after"])]
        top1 = f"{result['after']['top1']:.2f} | {result['kept']} | {result['seconds']:.0f} |"
        print(f"| `{called}` | {coding} | `{recovery}` | {rate} |", " | ".join(cells), "|", top1, flush=True)


main()
