"""Where an adaptive attacker takes gradients of an approximate network from; answers are always the emulated ones, to the last bit."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor, nn

from inexact.nn import ApproxLayer, ApproxModel
from inexact.nn.gradients import gradients
from inexact.nn.gradients.low_rank import LowRank
from inexact.nn.gradients.smoothed_difference import SmoothedDifference
from inexact.security.adversarial._networks import Networks
from inexact.security.adversarial._randomised import Expected, RandomisedModel

TABLE_GRADIENTS = ("linear_fit", "low_rank", "smoothed_difference")
DRAWS = 8
"""Answers of a randomised network that are averaged for a gradient."""
NOISY, SPREAD = 4, 0.02
"""Places around an image whose gradients are averaged, and their spread in pixels 0..1."""


@final
class Twin(nn.Module):
    """Backward pass differentiable approximation: answers of `network`, gradients of `twin` for the loss at those answers.

    Reference: A. Athalye, N. Carlini, D. Wagner, Obfuscated Gradients Give a False Sense of Security, ICML 2018, arXiv 1802.00420
    """

    def __init__(self, network: nn.Module, twin: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.twin = twin
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes]."""
        with torch.no_grad():
            answer: Tensor = self.network(x)
        if not torch.is_grad_enabled():
            return answer
        smooth: Tensor = self.twin(x)
        return _replaced(smooth, answer)


@final
class NoisyInputs(nn.Module):
    """Answers of `network` at x, gradients averaged over `draws` places with normal noise of size `spread` around x.

    They are those of the smoothed network, whose steps are washed out.
    """

    def __init__(self, network: nn.Module, spread: float, draws: int = NOISY) -> None:
        super().__init__()
        self.network = network
        self.spread = spread
        self.draws = draws
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes]."""
        with torch.no_grad():
            answer: Tensor = self.network(x)
        if not torch.is_grad_enabled():
            return answer
        return _replaced(torch.stack([self.network(x + self.spread * torch.randn_like(x)) for _ in range(self.draws)]).mean(0), answer)


def _replaced(smooth: Tensor, answer: Tensor) -> Tensor:
    """The value of `answer`, exactly, with the gradient of `smooth`."""
    found: Tensor = _Replaced.apply(smooth, answer)  # type: ignore[no-untyped-call]
    return found


class _Replaced(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, smooth: Tensor, answer: Tensor) -> Tensor:
        """The answer."""
        return answer.clone()

    @staticmethod
    def backward(ctx: object, *arrived: Tensor) -> tuple[Tensor, None]:
        """To the smooth value."""
        return arrived[0], None


def with_gradient(network: nn.Module, gradient: str) -> nn.Module | None:
    """A copy whose layers differentiate their units so (`nn.gradients`); None where no layer can: exact, or numbers without a table.

    Windows shrink with the operands; of operands of one bit there is no slope.
    """
    if isinstance(network, RandomisedModel):
        members = [with_gradient(member, gradient) for member in network.members]
        known = [made if made is not None else member for made, member in zip(members, network.members, strict=True)]
        return None if all(made is None for made in members) else RandomisedModel(known, network.seed)
    if not isinstance(network, ApproxModel):
        return None
    chosen = [name for name, layer in network.layers().items() if _tabulated(layer)]
    if not chosen:
        return None
    result = copy.deepcopy(network)
    layers = result.layers()
    for name in chosen:
        rule = layers[name].rule
        layers[name].restate(rule.but(gradient=_fitting(gradient, min(rule.format.a_bits, rule.format.b_bits))))
    return result


def _fitting(gradient: str, bits: int) -> str:
    """The gradient with a window in proportion to its operands: the 16 codes on either side are meant for 256."""
    member = gradients.get(gradient)
    if not isinstance(member, (LowRank, SmoothedDifference)):
        return gradient
    return dataclasses.replace(member, half_window=min(member.half_window, 2**bits // 16)).spec


def _tabulated(layer: nn.Module) -> bool:
    if not isinstance(layer, ApproxLayer) or layer.rule.exact:
        return False
    numbers = layer.rule.format
    return numbers.block is None and numbers.system is None and min(numbers.a_bits, numbers.b_bits) > 1


def adaptive_sources(networks: Networks, name: str) -> Iterator[tuple[str, nn.Module]]:
    """(gradient, network to attack) for the network called `name`, cheap ones first.

    The approximate network: straight-through, twins, the table's own slopes, noisy inputs; of a randomised one each under expectation.
    The others have one gradient, which an equal number of random starts follows, so that no network is attacked harder than another.
    """
    victim = networks.named(name)
    if name != "approximate":
        count = sum(1 for _ in _of_approximate(networks, networks.approximate))
        yield from ((f"straight_through, start {start + 1}", victim) for start in range(count))
        return
    for gradient, network in _of_approximate(networks, victim):
        yield gradient, Expected(network, DRAWS) if isinstance(victim, RandomisedModel) else network


def _of_approximate(networks: Networks, victim: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    yield "straight_through", victim
    yield "twin_exact", Twin(victim, networks.exact)
    yield "twin_float32", Twin(victim, networks.float32)
    for gradient in TABLE_GRADIENTS:
        made = with_gradient(victim, gradient)
        if made is not None:
            yield gradient, made
    yield "noisy_inputs", NoisyInputs(victim, SPREAD / networks.scaling[1])
