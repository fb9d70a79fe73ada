"""Quantised operands in training: values of the codes, gradients that stop at the ends of the range."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inexact import kernels
from inexact.nn._pass_through import pass_through
from inexact.precision import Quantiser

QUANTISERS = [
    Quantiser(torch.tensor(0.037), torch.tensor(117.0), 0, 255),
    Quantiser(torch.tensor(0.1), torch.tensor(0.0), -127, 127),
    Quantiser(torch.tensor(0.25), torch.tensor(0.0), 0, 65535),
]


def values_of(quantiser: Quantiser) -> Tensor:
    """Ties, both ends of the range and their neighbours, random values, in a number that fills no vector."""
    generator = torch.Generator().manual_seed(0)
    ends = (torch.tensor([quantiser.low - 0.5, quantiser.high + 0.5]) - quantiser.zero_point) * quantiser.scale
    ties = torch.arange(-401, 401) / 2 * quantiser.scale
    up, down = (ends.nextafter(torch.tensor(limit)) for limit in (torch.inf, -torch.inf))
    spread = torch.randn(70001, generator=generator) * float(quantiser.scale) * 200
    return torch.cat([ends, up, down, ties, torch.tensor([0.0, -0.0, 1e30, -1e30]), spread])


@pytest.mark.parametrize("quantiser", QUANTISERS)
@pytest.mark.parametrize("threads", ["1", "3"])
def test_compiled_steps_equal_the_portable_ones(quantiser: Quantiser, threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INEXACT_THREADS", threads)
    x = values_of(quantiser)
    arriving = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    found = []
    for compiled in (True, False):
        with monkeypatch.context() as patch:
            patch.setattr(kernels, "compiled_layer_serves", lambda _x, answer=compiled: answer)
            leaf = x.clone().requires_grad_()
            out = pass_through(leaf, quantiser)
            out.backward(arriving)  # type: ignore[no-untyped-call]
            found.append((out.detach(), leaf.grad))
    assert torch.equal(found[0][0], quantiser.dequantise(quantiser.quantise(x)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])  # type: ignore[arg-type]


@pytest.mark.parametrize("quantiser", QUANTISERS)
def test_the_gradient_passes_inside_the_range_and_at_its_ends(quantiser: Quantiser) -> None:
    x = values_of(quantiser).requires_grad_()
    (gradient,) = torch.autograd.grad(pass_through(x, quantiser).sum(), x)
    low, high = (torch.tensor([quantiser.low - 0.5, quantiser.high + 0.5]) - quantiser.zero_point) * quantiser.scale
    assert gradient[:6].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 1.0]  # both ends; above each; below each
    assert torch.equal(gradient, ((x >= low) & (x <= high)).float())


def test_any_memory_order_and_second_derivatives() -> None:
    quantiser = QUANTISERS[0]
    x = torch.randn(2, 3, 5, 4).to(memory_format=torch.channels_last).requires_grad_()
    out = pass_through(x, quantiser)
    (first,) = torch.autograd.grad(out.pow(3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert kernels.compiled_layer_serves(x)
    assert out.is_contiguous(memory_format=torch.channels_last)
    (plain,) = torch.autograd.grad(pass_through(x, quantiser).sum(), x)
    assert plain.is_contiguous(memory_format=torch.channels_last)
    low, high = quantiser.ends
    assert torch.equal(plain, ((x >= low) & (x <= high)).float())
    assert torch.allclose(first, 3 * out**2)
    assert torch.allclose(second, 6 * out)
