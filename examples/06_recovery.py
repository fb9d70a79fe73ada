"""What recovery without training wins back: drops of whole networks against the exact 8-bit one, with paired 95 % intervals.

Usage: python 06_recovery.py RESULTS.jsonl [network] [test images] [folder of EvoApproxLib tables, .npz]

Every line of RESULTS.jsonl is one measurement; what it already holds is not measured again, so the run may be stopped at any time.
"""

import json
import sys
from pathlib import Path

import numpy as np

import inexact as ix

NETWORK = "bias_correction(gain=true,target=network)"
FOUR = "control_variate(columns=4,gain=true,target=network)"
TWO = "control_variate(columns=2,gain=true,target=network)"
CASES = [
    *((unit, "sign_magnitude", NETWORK) for unit in ("mitchell", "kulkarni", "drum(k=4)", "drum(k=3)")),
    *((unit, "sign_magnitude", NETWORK) for unit in ("mul8u_2HH", "mul8u_1CMB", "mul8u_L40")),
    *((unit, "unsigned", FOUR) for unit in ("trunc(cut=8)", "mul8u_17KS", "trunc(cut=9)", "mul8u_1AGV")),
    *((unit, "unsigned", "shared_column(gain=true)") for unit in ("trunc(cut=8)", "mul8u_17KS", "trunc(cut=9)", "mul8u_1AGV")),
    *((unit, "sign_magnitude", TWO) for unit in ("mul8u_L40", "drum(k=4)", "mul8u_1CMB", "drum(k=3)")),
    *((unit, "sign_magnitude", "ranges") for unit in ("mul8u_L40", "mul8u_1CMB", "drum(k=4)", "drum(k=3)")),
    *((unit, "unsigned", "ranges") for unit in ("mul8u_17KS", "mul8u_1AGV", "trunc(cut=8)", "trunc(cut=9)", "mul8u_JV3")),
    *((unit, "sign_magnitude", "ranges + reconstruction") for unit in ("drum(k=4)", "drum(k=3)")),
    ("trunc(cut=8)", "unsigned", "weight_tuning(weighted=true) + bias_correction(gain=true)"),
    ("trunc(cut=8)", "sign_magnitude", "weight_tuning(weighted=true) + bias_correction(gain=true)"),
    ("trunc(cut=8)", "sign_magnitude", "reconstruction"),
    ("drum(k=3)", "sign_magnitude", "reconstruction"),
    ("mul8u_17KS", "sign_magnitude", "reconstruction"),
    ("mul8u_1AGV", "sign_magnitude", "reconstruction"),
]

out, name, count, tables = (sys.argv[1:] + ["recovery.jsonl", "lenet5", "300", ""][len(sys.argv) - 1 :])[:4]
done = [json.loads(line) for line in Path(out).read_text().splitlines()] if Path(out).exists() else []
model = ix.zoo.network(name)
calibration = ix.zoo.data("fashion-mnist", split="validation", limit=512)
images = ix.zoo.data("fashion-mnist", split="test", limit=int(count))
known = {tuple(found[key] for key in ("network", "n", "unit", "coding", "recovery")) for found in done}
precision = "int(granularity=per_channel)"
exact = ix.approximate(model, ix.Plan(coding="signed", precision=precision), calibrate=calibration)
reference = ix.evaluate(exact, images)
print(f"{name}: top-1 of exact 8 bit {reference.top1:.2f} % on {reference.n} images; drop in points [95 %]")
for unit, coding, recovery in CASES:
    if (name, reference.n, unit, coding, recovery) in known or (unit.startswith("mul8u") and not tables):
        continue
    multiplier = unit
    if unit.startswith("mul8u"):
        table = np.load(Path(tables) / "evoapproxlib_master_8x8.npz")[unit].astype(np.int32)
        multiplier = ix.units.from_table(table, signed=False, width=(8, 8))
    net = ix.approximate(model, ix.Plan(multiplier=multiplier, coding=coding, precision=precision), calibrate=calibration)
    found = ix.evaluate(ix.recover(net, recovery, data=calibration), images, reference=reference)
    row = {"network": name, "n": found.n, "unit": unit, "coding": coding, "recovery": recovery, "drop": found.drop, "ci": found.drop_ci}
    with Path(out).open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(f"| `{unit}` | {coding} | `{recovery}` | {found.drop:.2f} [{found.drop_ci[0]:.2f}, {found.drop_ci[1]:.2f}] |", flush=True)
