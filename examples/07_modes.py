"""What modes chosen weight by weight save: energy at four boundaries against the drop to the exact 8-bit network, paired 95 % intervals.

Usage: python 07_modes.py RESULTS.jsonl [network] [test images] [accelerator] [few, plain or all]

Every line of RESULTS.jsonl is one measurement; what it already holds is not measured again, so the run may be stopped at any time.
"""

import json
import sys
from pathlib import Path

from torch.utils.data import Subset

import inexact as ix
from inexact import hardware
from inexact.recovery.mode_search import choose_modes

WIDTHS = {"unsigned": "(8,8)", "sign_magnitude": "(8,7)"}
BALANCED = tuple(f"pn_balance(start={start})" for start in ("pairs", "nearest", "negative"))
CASES = [
    ("lvrm(mode=0,width={})", ("mode 0", "mode 1", "mode 2", "filters mode 2")),
    ("lvrm(mode=0,first=5,second=7,width={})", ("mode 1", "mode 2", "filters mode 1", "filters mode 2")),
    ("pn(mode=exact,bits=3,width={})", ("mode 2", "filters mode 2", *BALANCED)),
    ("pn(mode=exact,bits=4,width={})", ("mode 2", *BALANCED)),
    ("lvrm(mode=0,width={})", ("budget 0.5",)),
    ("lvrm(mode=0,first=5,second=7,width={})", ("budget 1",)),
]
FEW = [("lvrm(mode=0,first=5,second=7,width={})", ("budget 1",)), ("pn(mode=exact,bits=4,width={})", ("mode 2", *BALANCED))]
BEHIND = "bias_correction(gain=true)"

out, name, count, accelerator, which = (sys.argv[1:] + ["modes.jsonl", "lenet5", "100", "edge-16x16", "few"][len(sys.argv) - 1 :])[:5]
done = [json.loads(line) for line in Path(out).read_text().splitlines()] if Path(out).exists() else []
known = {tuple(row[key] for key in ("network", "n", "accelerator", "unit", "coding", "choice")) for row in done}
model, machine = ix.zoo.network(name), hardware.load(accelerator)
held = ix.zoo.data("fashion-mnist", split="validation", limit=128 + max(100, int(count) // 5))
calibration, decide = Subset(held, range(128)), Subset(held, range(128, len(held)))
images = ix.zoo.data("fashion-mnist", split="test", limit=int(count))
precision = "int(granularity=per_channel)"
exact = ix.approximate(model, ix.Plan(coding="sign_magnitude", precision=precision), calibrate=calibration)
reference, deciding = ix.evaluate(exact, images), ix.evaluate(exact, decide)
baseline = machine.evaluate(hardware.leanest_baseline(machine, ix.nn.workload(exact)))
print(f"{name} on {accelerator}: top-1 of exact 8 bit {reference.top1:.2f} % on {reference.n} images; drop in points [95 %], savings in %")
every = FEW if which == "few" else CASES
cases = [
    (u.format(w), coding, choice)
    for u, chosen in every
    for coding, w in WIDTHS.items()
    for choice in chosen
    if which != "plain" or not choice.startswith("budget")
]
for unit, coding, choice in cases:
    if (name, reference.n, accelerator, unit, coding, choice) in known:
        continue
    plan = ix.Plan(multiplier=unit, modes="per_weight", coding=coding, precision=precision)
    net = ix.approximate(model, plan, calibrate=calibration)
    if choice.startswith("budget"):
        net = choose_modes(net, deciding, calibration=calibration, decide=decide, max_drop=float(choice.split()[1])).net
    elif choice.startswith("filters"):
        for layer in net.layers().values():
            layer.share_mode(int(choice.split()[2]))
        net = ix.recover(net, BEHIND, data=calibration)
    elif choice.startswith("mode"):
        for layer in net.layers().values():
            layer.set_modes(layer.modes * 0 + int(choice.split()[1]))
        net = ix.recover(net, BEHIND, data=calibration)
    else:
        net = ix.recover(net, f"{choice} + {BEHIND}", data=calibration)
    found = ix.evaluate(net, images, reference=reference)
    load = ix.nn.workload(net)
    cost = machine.evaluate(load)
    saved = {boundary: estimate.value for boundary, estimate in hardware.savings(cost, baseline).items()}
    saved["area"] = hardware.area_saving(cost, baseline).value
    counts: dict[str, float] = {}
    for layer in load.multiplying:
        for spec, share in layer.arithmetic.modes:
            counts[spec] = counts.get(spec, 0.0) + share * layer.macs / load.macs
    shares = [round(100 * counts.get(mode.spec, 0.0), 1) for mode in ix.units.get(unit).modes().values()]
    row = {"network": name, "n": found.n, "accelerator": accelerator, "unit": unit, "coding": coding, "choice": choice, "drop": found.drop}
    row |= {"ci": found.drop_ci, "saved": saved, "shares": shares}
    with Path(out).open("a") as file:
        file.write(json.dumps(row) + "\n")
    numbers = " | ".join(f"{saved[key]:.1f}" for key in ("multiplier", "array", "on_chip", "with_dram", "area"))
    modes = " / ".join(f"{share:.0f}" for share in shares)
    print(
        f"| `{unit}` | {coding} | `{choice}` | {modes} | {found.drop:.2f} [{found.drop_ci[0]:.2f}, {found.drop_ci[1]:.2f}] | {numbers} |",
        flush=True,
    )
