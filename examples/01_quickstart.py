"""From a multiplier to a recovered network and its energy: the whole library in one page. Runs without any download."""

import inexact as ix

mul = ix.units.get("trunc(cut=4)")
print(ix.metrics.profile(mul))  # exhaustive error metrics, one table

model = ix.zoo.network("lenet5")
calibration = ix.zoo.data("fashion-mnist", split="validation", limit=256)
images = ix.zoo.data("fashion-mnist", split="test", limit=1000)

plan = ix.Plan(multiplier=mul, precision="int8").keep("conv1", "fc*")
net = ix.approximate(model, plan, calibrate=calibration)  # `model` is untouched
net = ix.recover(net, "bias_correction", data=calibration, seed=0)

accuracy = ix.evaluate(net, images, reference=model)
print(f"top-1 {accuracy.top1:.1f} %, drop {accuracy.drop:+.2f} points, 95 % interval {accuracy.drop_ci}, {accuracy.n} images")

cost = ix.estimate(net, accelerator="edge-16x16")  # every number with unit and source
print(cost.energy_pj.total)

space = {"conv2": ["exact", "trunc(cut=4)", "trunc(cut=7)"], "fc1": ["exact", "drum(k=4)"]}
study = ix.explore(model, space, objectives=("top1", "energy_pj"), budget=6, data=calibration, seed=0)
print(study.front.plot())
study.report("out/quickstart")
