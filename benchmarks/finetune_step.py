"""Seconds of one fine-tuning step of a network over a float32 step of the same images (or mails), alternating.

Usage: python finetune_step.py [images a step] [steps] [threads] [network]
"""

import statistics
import sys
import time

import torch

import inexact as ix
from inexact.recovery.training._data import images_of
from inexact.recovery.training._run import Run, Task
from inexact.recovery.training._settings import settings_of

CASES = (
    ("mitchell", "cross_entropy", "straight_through", "all"),
    ("mitchell", "distillation", "straight_through", "all"),
    ("mitchell", "cross_entropy", "straight_through", "affine"),
    ("mitchell", "sensitivity", "straight_through", "all"),
    ("mitchell", "cross_entropy", "linear_fit", "all"),
    ("mitchell", "cross_entropy", "smoothed_difference", "all"),
)


def main() -> None:
    """Print one line a case."""
    given = sys.argv[1:] + ["64", "9", "2", "resnet8"][len(sys.argv) - 1 :]
    (size, steps, threads), name = map(int, given[:3]), given[3]
    data = "spamassassin" if name == "minilm" else "fashion-mnist"
    torch.set_num_threads(threads)
    model = ix.zoo.network(name, data=data)
    images = ix.zoo.data(data, split="validation", limit=size)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9, momentum=0.9)
    print("| unit | loss | gradient | trained | ms | ms in float32 | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for unit, loss, gradient, trained in CASES:
        settings = settings_of(f"finetune(epochs=1000,batch={size},rate=1e-9,loss={loss},gradient={gradient},trained={trained})")
        net = ix.approximate(model, ix.Plan(multiplier=unit, coding="sign_magnitude"), calibrate=images)
        task = Task(settings=settings, images=images_of(images, "data"), validation=None, teacher=model, inputs=images.images, seed=0)
        run, ours, theirs = Run(net, task), [], []
        chosen = torch.arange(size)
        for _ in range(steps):
            begin = time.perf_counter()
            run._update(chosen)
            middle = time.perf_counter()
            optimizer.zero_grad()
            torch.autograd.backward(torch.nn.functional.cross_entropy(model(images.images), images.labels))
            optimizer.step()
            theirs.append(time.perf_counter() - middle)
            ours.append(middle - begin)
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"| `{unit}` | {loss} | {gradient} | {trained} | {1000 * a:.0f} | {1000 * b:.0f} | {a / b:.1f} |", flush=True)


main()
