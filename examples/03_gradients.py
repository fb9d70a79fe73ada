"""Which gradient to retrain with: top-1 before and after fine-tuning on each, the same images in the same order.

Usage: python 03_gradients.py [network] [training images] [epochs] [seeds] [test images]
The network is fine-tuned on the first validation images and measured on test images; the drop is against float32. The columns of the
other gradients are paired differences from straight-through: below zero they lose less.
"""

import itertools
import sys

import numpy as np
import torch
from scipy import stats

import inexact as ix

CASES = (
    ("trunc(cut=8)", "unsigned"),
    ("drum(k=3)", "unsigned"),
    ("mitchell", "unsigned"),
    ("kulkarni", "unsigned"),
    ("trunc(cut=9)", "sign_magnitude"),
)
GRADIENTS = ("straight_through", "smoothed_difference(half_window=4)", "smoothed_difference", "linear_fit", "low_rank(rank=2)")


def retrain(net: ix.nn.ApproxModel, images: torch.Tensor, labels: torch.Tensor, *, epochs: int, seed: int) -> None:
    """SGD with momentum, batches of 64, a rate that falls to zero; quantisation ranges and corrections stay as they are."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    steps = epochs * -(-len(images) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        for chosen in torch.split(torch.randperm(len(images), generator=generator), 64):
            optimiser.zero_grad()
            torch.autograd.backward(torch.nn.functional.cross_entropy(net(images[chosen]), labels[chosen]))
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()


def interval(values: list[float]) -> str:
    """Mean and its 95 % t interval over seeds; the plain number for one."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.2f} ± {half:.2f}"


def main() -> None:
    """Print one line a unit: drop before, drop after straight-through, and how much less (-) or more (+) the others lose."""
    given = sys.argv[1:] + ["lenet5", "128", "1", "1", "100"][len(sys.argv) - 1 :]
    name, (size, epochs, seeds, count) = given[0], map(int, given[1:5])
    model = ix.zoo.network(name)
    tuning = ix.zoo.data("fashion-mnist", split="validation", limit=size)
    images = ix.zoo.data("fashion-mnist", split="test", limit=count)
    reference = ix.evaluate(model, images)
    print(f"{name}: float32 top-1 {reference.top1:.2f} % on {reference.n} images; points, mean ± 95 % t interval over {seeds} seeds")
    print("| unit | coding | drop before | straight_through |", " | ".join(GRADIENTS[1:]), "|")
    print("| --- | --- | --- | --- |", " | ".join("---" for _ in GRADIENTS[1:]), "|")
    for unit, coding in CASES:
        start = ix.approximate(model, ix.Plan(multiplier=unit, coding=coding), calibrate=tuning)
        drops: dict[str, list[float]] = {gradient: [] for gradient in GRADIENTS}
        for gradient, seed in itertools.product(GRADIENTS, range(seeds)):
            net = ix.approximate(model, ix.Plan(multiplier=unit, coding=coding, gradient=gradient), calibrate=tuning)
            retrain(net, tuning.images, tuning.labels, epochs=epochs, seed=seed)
            drops[gradient].append(ix.evaluate(net, images, reference=reference).drop)
        first = drops["straight_through"]
        cells = [f"{ix.evaluate(start, images, reference=reference).drop:.2f}", interval(first)]
        cells += [interval([d - s for d, s in zip(drops[gradient], first, strict=True)]) for gradient in GRADIENTS[1:]]
        print(f"| `{unit}` | {coding} |", " | ".join(cells), "|", flush=True)


main()
