"""A first layer that takes its input as digits of few bits: what that leaves of a unit's drop, without training and after it.

Usage: python 09_digits.py [network] [first layer] [unit] [bits of a digit] [test images] [training images] [epochs]
Drops are against the exact 8-bit network with its own first layer, in points, with paired 95 % intervals. 0 training images: none.
"""

import sys

import inexact as ix

given = sys.argv[1:] + ["lenet5", "conv1", "drum(k=3)", "3", "100", "0", "1"][len(sys.argv) - 1 :]
name, layer, unit, (bits, count, size, epochs) = given[0], given[1], given[2], map(int, given[3:])
model = ix.zoo.network(name)
calibration = ix.zoo.data("fashion-mnist", split="validation", limit=512)
images = ix.zoo.data("fashion-mnist", split="test", limit=count)
exact = ix.evaluate(ix.approximate(model, ix.Plan(precision="int8", coding="signed"), calibrate=calibration), images)
print(f"{name}: exact 8-bit top-1 {exact.top1:.2f} % on {exact.n} images; drops in points against it [95 %]")
pixels = calibration.images
plan = ix.Plan(multiplier=unit, coding="sign_magnitude", recovery="ranges")
cut = ix.nn.with_digits(model, layer, float(pixels.min()), float(pixels.max()), bits=bits)
for what, network in (("as it is", model), (f"{layer} in digits of {bits} bits", cut)):
    net = ix.recover(ix.approximate(network, plan, calibrate=calibration), data=calibration)
    found = ix.evaluate(net, images, reference_int8=exact).to_json()
    print(what, "{drop_int8:.2f} [{0:.2f}, {1:.2f}]".format(*found["drop_int8_ci"], **found), flush=True)
if size:
    training = ix.zoo.data("fashion-mnist", split="train", limit=size)
    held = ix.zoo.data("fashion-mnist", split="validation", limit=2000)
    settings = f"finetune(epochs={epochs},batch=32,optimizer=adam,rate=0.001,loss=distillation(alpha=0.9,temperature=4.0))"
    tuned = ix.finetune(net, training, settings, teacher=model, validation=held)
    found = ix.evaluate(tuned, images, reference_int8=exact).to_json()
    print("in digits, trained", "{drop_int8:.2f} [{0:.2f}, {1:.2f}]".format(*found["drop_int8_ci"], **found))
