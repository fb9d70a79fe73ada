"""A first layer that takes its input as digits of few bits: what that leaves of a unit's drop, without training and after it.

Usage: python 09_digits.py [network] [first layer] [unit] [bits of a digit] [test images] [training images] [epochs] [coding]
    [correction of the other layers] [rate] [folder]
Drops are against the exact 8-bit network with its own first layer, in points, with paired 95 % intervals. 0 training images: none.
A training that was interrupted goes on from its checkpoint in the folder. Coding 'magnitudes' has the unit multiply the magnitudes of
both operands, which networks want whose activations have both signs.
"""

import sys
from pathlib import Path

import inexact as ix
from inexact.core.files import ensure_folder

defaults = ["lenet5", "conv1", "drum(k=3)", "3", "100", "0", "1", "sign_magnitude", "ranges", "0.001", "out/digits"]
given = sys.argv[1:] + defaults[len(sys.argv) - 1 :]
name, layer, unit, (bits, count, size, epochs), coding, correction, rate, folder = *given[:3], map(int, given[3:7]), *given[7:]
if coding == "magnitudes":
    unit, coding = f"sign_magnitude(multiplier={unit})", "signed"
model = ix.zoo.network(name)
calibration = ix.zoo.data("fashion-mnist", split="validation", limit=512)
images = ix.zoo.data("fashion-mnist", split="test", limit=count)
exact = ix.evaluate(ix.approximate(model, ix.Plan(precision="int8", coding="signed"), calibrate=calibration), images)
print(f"{name}: exact 8-bit top-1 {exact.top1:.2f} % on {exact.n} images; drops in points against it [95 %]")
pixels = calibration.images
others, first = (ix.Rule(multiplier=unit, coding=coding, recovery=recovery) for recovery in (correction, "ranges"))
cut = ix.nn.with_digits(model, layer, float(pixels.min()), float(pixels.max()), bits=bits)
for what, network, rules in (("as it is", model, {}), (f"{layer} in digits of {bits} bits", cut, {f"{layer}.1": first})):
    net = ix.recover(ix.approximate(network, ix.Plan({"default": others} | rules), calibrate=calibration), data=calibration)
    found = ix.evaluate(net, images, reference_int8=exact).to_json()
    print(what, "{drop_int8:.2f} [{0:.2f}, {1:.2f}]".format(*found["drop_int8_ci"], **found), flush=True)
if size:
    training = ix.zoo.data("fashion-mnist", split="train", limit=size)
    held = ix.zoo.data("fashion-mnist", split="validation", limit=2000)
    settings = f"finetune(epochs={epochs},batch=32,optimizer=adam,rate={rate},loss=distillation(alpha=0.9,temperature=4.0))"
    kept = ensure_folder(Path(folder)) / f"{name}-{unit}-{coding}-{correction}-{rate}.checkpoint"
    tuned = ix.finetune(net, training, settings, teacher=model, validation=held, checkpoint=kept, resume=True)
    found = ix.evaluate(tuned, images, reference_int8=exact).to_json()
    print("in digits, trained", "{drop_int8:.2f} [{0:.2f}, {1:.2f}]".format(*found["drop_int8_ci"], **found))
