"""Coding decides more than a unit's error metrics do: top-1 of one network under two codings and three corrections.

Usage: python 02_coding_and_correction.py [network] [test images]
"""

import sys

import inexact as ix

UNITS = ("trunc(cut=6)", "trunc(cut=8)", "bam(hbl=2,vbl=6)", "kulkarni", "drum(k=3)", "drum(k=4)", "mitchell", "roba")
CORRECTIONS = ("none", "bias_correction", "bias_correction(gain=true)", "shared_column", "shared_column(gain=true)")

name, count = (sys.argv[1:] + ["lenet5", "300"][len(sys.argv) - 1 :])[:2]
model = ix.zoo.network(name)
calibration = ix.zoo.data("fashion-mnist", split="validation", limit=256)
images = ix.zoo.data("fashion-mnist", split="test", limit=int(count))
reference = ix.evaluate(model, images)
print(f"{name}: float32 top-1 {reference.top1:.2f} % on {reference.n} images; below: drop in points [95 % interval]")
print("| unit | coding |", " | ".join(CORRECTIONS), "|")
print("| --- | --- |", " | ".join("---" for _ in CORRECTIONS), "|")
for unit in UNITS:
    for coding in ("unsigned", "sign_magnitude"):
        net = ix.approximate(model, ix.Plan(multiplier=unit, coding=coding), calibrate=calibration)
        cells = []
        for correction in CORRECTIONS:
            found = ix.evaluate(ix.recover(net, correction, data=calibration), images, reference=reference)
            cells.append("{:.2f} [{:.2f}, {:.2f}]".format(found.drop, *found.drop_ci))
        print(f"| `{unit}` | {coding} |", " | ".join(cells), "|", flush=True)
