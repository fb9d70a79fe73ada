"""A small task and a network that has learnt it: which quadrant of an image is brightest."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from inexact.nn import ApproxLayer, ApproxModel, Plan, approximate

Batches = list[tuple[Tensor, Tensor]]


def images(count: int, seed: int) -> tuple[Tensor, Tensor]:
    x = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    return x, nn.functional.avg_pool2d(x, 4).flatten(1).argmax(1)


def data(count: int = 192, seed: int = 1) -> Batches:
    x, y = images(count, seed)
    return list(zip(torch.split(x, 64), torch.split(y, 64), strict=True))


@functools.cache
def trained(bias: bool = True) -> nn.Module:
    """A float32 network that is right on nearly all images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        write = nn.ReLU(inplace=True)  # what networks of others have
        convolutions = nn.Conv2d(1, 6, 3, padding=1, bias=bias), write, nn.Conv2d(6, 6, 3, stride=2, bias=bias), write
        model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(54, 4, bias=bias))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        x, y = images(512, 0)
        for _ in range(120):
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(model(x), y))
            optimizer.step()
    return model.eval()


def emulated(plan: Plan | None = None, *, bias: bool = True) -> ApproxModel:
    return approximate(trained(bias), plan or Plan(multiplier="trunc(cut=10)", coding="unsigned"), calibrate=images(128, 2)[0])


def weights(net: nn.Module) -> dict[str, Tensor]:
    return dict(net.state_dict())


def same(a: nn.Module, b: nn.Module) -> bool:
    left, right = weights(a), weights(b)
    return left.keys() == right.keys() and all(torch.equal(left[name].nan_to_num(), right[name].nan_to_num()) for name in left)


def layer(net: ApproxModel, name: str) -> ApproxLayer:
    found = net.layers()[name]
    assert isinstance(found, ApproxLayer)
    return found
