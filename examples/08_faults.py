"""How much a bit flip matters: the same transient faults in an exact and an approximate accelerator, and behind range restriction.

Usage: python 08_faults.py [network] [faults of each kind]
"""

import sys

import inexact as ix
from inexact.reliability import mitigations, sdc_rate

name, count = (sys.argv[1:] + ["lenet5", "1000"][len(sys.argv) - 1 :])[:2]
model = ix.zoo.network(name)
calibration = ix.zoo.data("fashion-mnist", split="validation", limit=512)
images = ix.zoo.data("fashion-mnist", split="test", limit=500)
for unit in ("exact", "trunc(cut=6)"):
    plan = ix.Plan(multiplier=unit, recovery="none" if unit == "exact" else "bias_correction(gain=true)")
    net = ix.recover(ix.approximate(model, plan, calibrate=calibration), data=calibration)
    guarded = mitigations.get("range_clip").protected(net, ix.nn.first_inputs(calibration, 512))
    print(f"{name}, {unit}: top-1 {ix.evaluate(net, images).top1:.1f} %, range restricted {ix.evaluate(guarded, images).top1:.1f} %")
    for fault in ("weight_flip", "activation_flip", "accumulator_flip"):
        for label, network in (("bare", net), ("restricted", guarded)):
            rate = sdc_rate(network, images, fault, count=int(count))
            print(f"  {fault:16} {label:10} SDC-1 {100 * rate.value:.2f} % [{100 * rate.low:.2f}, {100 * rate.high:.2f}]")
