"""Randomised approximation as a defence: every inference is computed by a network drawn from a stated set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from inexact.core.errors import AttackError


@final
class RandomisedModel(nn.Module):
    """For every image of a batch one of the members is drawn, each as likely as the others, and answers alone.

    members: at least two networks of the same inputs and classes, such as one network under several plans. seed: of the draws; every call
    draws on, so that the same image may be answered differently next time, as on hardware that switches between units.

    Reference: Y. Fu et al., Double-Win Quant: Aggressively Winning Robustness of Quantized Deep Neural Networks via Random Precision
    Training and Inference, ICML 2021
    """

    def __init__(self, members: Sequence[nn.Module], seed: int) -> None:
        super().__init__()
        if len(members) < 2:
            raise AttackError(f"a randomised network must be drawn from at least 2 plans, not {len(members)}: give more")
        self.members = nn.ModuleList(members)
        self.seed = seed
        self.generator = torch.Generator().manual_seed(seed)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes], each image's by the member drawn for it."""
        drawn = torch.randint(len(self.members), (len(x),), generator=self.generator)
        parts, places = [], []
        for index, member in enumerate(self.members):
            chosen = (drawn == index).nonzero()[:, 0]
            if len(chosen):
                parts.append(member(x[chosen]))
                places.append(chosen)
        back = torch.argsort(torch.cat(places))
        return torch.cat(parts)[back]


@final
class Expected(nn.Module):
    """A randomised network as an attacker differentiates it: the mean of `draws` answers (expectation over transformation).

    Without gradients, one answer, as the hardware gives it.

    Reference: A. Athalye, N. Carlini, D. Wagner, Obfuscated Gradients Give a False Sense of Security, ICML 2018, arXiv 1802.00420
    """

    def __init__(self, network: nn.Module, draws: int) -> None:
        super().__init__()
        self.network = network
        self.draws = draws
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes]."""
        if not torch.is_grad_enabled():
            found: Tensor = self.network(x)
            return found
        return torch.stack([self.network(x) for _ in range(self.draws)]).mean(0)


def reseeded(network: nn.Module, seed: int) -> nn.Module:
    """A randomised network with draws from another seed (members shared); any other network as it is."""
    return RandomisedModel(list(network.members), seed) if isinstance(network, RandomisedModel) else network


def redrawn(network: nn.Module, seed: int) -> nn.Module:
    """The same network, whose draws begin anew from `seed`, also where it stands inside another module."""
    for module in network.modules():
        if isinstance(module, RandomisedModel):
            module.generator.manual_seed(seed)
    return network
