"""What recovery without training wins back: drops of whole networks against the exact 8-bit one, with paired 95 % intervals.

Usage: python 06_recovery.py RESULTS.jsonl [network] [test inputs] [folder of EvoApproxLib tables, .npz] [rows that hold this text]

Networks of images are measured on Fashion-MNIST, `minilm` on the mails of SpamAssassin. Every line of RESULTS.jsonl is one measurement;
what it already holds is not measured again, so the run may be stopped at any time.
"""

import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor

import inexact as ix
from inexact.nn import ApproxModel

NETWORK = "bias_correction(gain=true,target=network)"
SHARED = "shared_column(gain=true,target=network)"
FOUR = "control_variate(columns=4,gain=true,target=network)"
TWO = "control_variate(columns=2,gain=true,target=network)"
SEGMENTS = ("mitchell", "kulkarni", "drum(k=4)", "drum(k=3)", "mul8u_2HH", "mul8u_1CMB", "mul8u_L40")
COLUMNS = ("trunc(cut=8)", "mul8u_17KS", "trunc(cut=9)", "mul8u_1AGV")
TUNING = ("none", "weight_tuning", "weight_tuning(weighted=true)")
PARTS = ("type:Product", "re:.*(query|key)", "re:.*(value|proj)", "*.mlp1", "*.mlp2", "head")

# magnitudes: symmetric codes of both operands, whose magnitudes the unit multiplies, so that activations of both signs keep zero at code 0.
# unit, coding, recovery, and the layers whose products the unit forms; the others are exact at 8 bits
IMAGES = [
    *((unit, "sign_magnitude", NETWORK, "all") for unit in SEGMENTS),
    *((unit, "unsigned", FOUR, "all") for unit in COLUMNS),
    *((unit, "unsigned", "shared_column(gain=true)", "all") for unit in COLUMNS),
    *((unit, "sign_magnitude", TWO, "all") for unit in ("mul8u_L40", "drum(k=4)", "mul8u_1CMB", "drum(k=3)")),
    *((unit, "sign_magnitude", "ranges", "all") for unit in ("mul8u_L40", "mul8u_1CMB", "drum(k=4)", "drum(k=3)")),
    *((unit, "unsigned", "ranges", "all") for unit in (*COLUMNS, "mul8u_JV3")),
    *((unit, "magnitudes", NETWORK, "all") for unit in ("mul8u_L40", "drum(k=4)", "mul8u_1CMB", "drum(k=3)")),
    *((unit, "magnitudes", "ranges", "all") for unit in ("mul8u_1CMB", "mul8u_L40", "drum(k=4)", "drum(k=3)")),
    *((unit, "sign_magnitude", "ranges + reconstruction", "all") for unit in ("drum(k=4)", "drum(k=3)")),
    *((unit, "magnitudes", "ranges + reconstruction", "all") for unit in ("mul8u_L40", "drum(k=3)")),
    *((unit, "unsigned", f"ranges + {FOUR}", "all") for unit in ("mul8u_17KS", "mul8u_1AGV", "trunc(cut=9)", "trunc(cut=8)")),
    *((unit, "unsigned", f"ranges + {SHARED}", "all") for unit in (*COLUMNS, "mul8u_JV3")),
    *((unit, "unsigned", f"equalisation + ranges{more}", "all") for unit in ("mul8u_JV3", *COLUMNS) for more in (f" + {SHARED}", "")),
    ("mul8u_JV3", "sign_magnitude", "equalisation + ranges", "all"),
    *(("trunc(cut=8)", "sign_magnitude", method, "all") for method in (*TUNING, f"{TUNING[-1]} + {NETWORK}", NETWORK, "batch_norm", FOUR)),
    *(("drum(k=4)", "sign_magnitude", method, "all") for method in (*TUNING, "batch_norm", "reconstruction")),
    *(("mul8u_L40", "sign_magnitude", method, "all") for method in (*TUNING, "reconstruction")),
]
MAILS = [
    *((unit, "sign_magnitude", NETWORK, "all") for unit in SEGMENTS),
    *((unit, "magnitudes", NETWORK, "all") for unit in ("drum(k=4)", "mul8u_L40", "mul8u_1CMB", "drum(k=3)", "mul8u_2HH")),
    *(("trunc(cut=8)", "unsigned", FOUR, layers) for layers in ("all", "*.mlp2", "type:Product")),
    ("trunc(cut=8)", "unsigned", f"ranges + {FOUR}", "all"),
    *((unit, "unsigned", FOUR, "all") for unit in ("mul8u_2HH", *COLUMNS[1:])),
    *(("drum(k=4)", "sign_magnitude", NETWORK, part) for part in PARTS),
    *((unit, "unsigned", SHARED, "all") for unit in ("trunc(cut=8)", "mul8u_1AGV")),
    *((unit, "magnitudes", NETWORK, "all") for unit in ("mitchell", "kulkarni")),
    ("trunc(cut=8)", "unsigned", f"equalisation + {FOUR}", "all"),
    *((unit, "unsigned", f"equalisation + ranges + {FOUR}", "all") for unit in COLUMNS),
]

out, name, count, tables, wanted = (sys.argv[1:] + ["recovery.jsonl", "lenet5", "300", "", ""][len(sys.argv) - 1 :])[:5]
done = [json.loads(line) for line in Path(out).read_text().splitlines()] if Path(out).exists() else []
known = {(row["network"], row["n"], row["unit"], row["coding"], row["recovery"], row.get("layers", "all")) for row in done}
data, cases, batch = ("spamassassin", MAILS, 50) if name == "minilm" else ("fashion-mnist", IMAGES, 250)
model = ix.zoo.network(name, data=data)
calibration = ix.zoo.data(data, split="validation", limit=512)
inputs = ix.zoo.data(data, split="test", limit=int(count))
precision = "int(granularity=per_channel)"
exactly = ix.Rule(coding="signed", precision=precision)
ranges: dict[str, dict[str, Tensor]] = {}


@lru_cache(maxsize=1)
def emulated(unit: str, coding: str, layers: str, recovery: str) -> ApproxModel:
    """The network with a unit in some layers, or in all, whose rules name the recovery."""
    multiplier: str | ix.units.Multiplier = unit
    if unit.startswith("mul8u"):
        table = np.load(Path(tables) / "evoapproxlib_master_8x8.npz")[unit].astype(np.int32)
        multiplier = ix.units.from_table(table, signed=False, width=(8, 8))
    if coding == "magnitudes":
        multiplier, coding = ix.units.get(f"sign_magnitude(multiplier={ix.units.get(multiplier).spec})"), "signed"
    rule = ix.Rule(multiplier=multiplier, coding=coding, precision=precision, recovery=recovery)
    if layers != "all":
        return ix.approximate(model, ix.Plan({"default": exactly, layers: rule}), calibrate=calibration)
    if coding not in ranges:  # codes do not depend on the unit
        ranges[coding] = ix.approximate(model, ix.Plan({"default": rule}), calibrate=calibration).state_dict()
    net = ix.approximate(model, ix.Plan({"default": rule}))
    net.load_state_dict(ranges[coding])
    return net


reference = ix.evaluate(ix.approximate(model, ix.Plan({"default": exactly}), calibrate=calibration), inputs, batch_size=batch)
print(f"{name}: top-1 of exact 8 bit {reference.top1:.2f} % on {reference.n} inputs; drop in points [95 %]")
for unit, coding, recovery, layers in cases:
    if (name, reference.n, unit, coding, recovery, layers) in known or (unit.startswith("mul8u") and not tables):
        continue
    if wanted not in " ".join((unit, coding, recovery, layers)):
        continue
    if layers == "all":
        net = ix.recover(emulated(unit, coding, layers, "none"), recovery, data=calibration)
    else:  # the exact layers are left as they are
        net = ix.recover(emulated(unit, coding, layers, recovery), data=calibration)
    found = ix.evaluate(net, inputs, reference=reference, batch_size=batch)
    row = {"network": name, "n": found.n, "unit": unit, "coding": coding, "recovery": recovery, "layers": layers}
    with Path(out).open("a") as file:
        file.write(json.dumps(row | {"drop": found.drop, "ci": found.drop_ci}) + "\n")
    interval = f"{found.drop:.2f} [{found.drop_ci[0]:.2f}, {found.drop_ci[1]:.2f}]"
    print(f"| `{unit}` | {coding} | `{recovery}` | {layers} | {interval} |", flush=True)
