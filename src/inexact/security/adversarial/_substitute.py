"""A stolen substitute: a copy of the architecture, trained on what the attacked network answers."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from inexact.core.errors import AttackError
from inexact.security.adversarial._networks import Networks
from inexact.security.adversarial._packages import seeded
from inexact.security.adversarial._randomised import reseeded

EPOCHS, BATCH, RATE = 5, 64, 2e-3
"""Passes over the attacker's images, images a step, and largest rate of Adam (falling to zero)."""


def substitute(networks: Networks, name: str, spare: Tensor | None, seed: int) -> nn.Module:
    """The float32 architecture with weights of its own, trained on the answers (labels only) of the network called `name` to `spare`.

    spare: normalised images [N, C, H, W] that are not attacked. Raises AttackError without them.

    Reference: N. Papernot et al., Practical Black-Box Attacks against Machine Learning, AsiaCCS 2017, arXiv 1602.02697
    """
    if spare is None or not len(spare):
        raise AttackError("the threat substitute needs images the attacker may ask about: give spare=")
    with torch.no_grad():
        victim = reseeded(networks.named(name), seed)
        labels = torch.cat([victim(spare[at : at + 250]).argmax(1) for at in range(0, len(spare), 250)])
    with seeded(seed):
        model = copy.deepcopy(networks.float32)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
        steps = EPOCHS * -(-len(spare) // BATCH)
        optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
        model.train()
        with torch.enable_grad():
            for _ in range(EPOCHS):
                for chosen in torch.split(torch.randperm(len(spare)), BATCH):
                    optimiser.zero_grad()
                    nn.functional.cross_entropy(model(spare[chosen]), labels[chosen]).backward()  # type: ignore[no-untyped-call]
                    optimiser.step()
                    schedule.step()
    return model.eval()
