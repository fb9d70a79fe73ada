"""The network, plan and images that the commands of `inexact fault` judge; worker processes open them by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inexact.nn import ApproxModel
    from inexact.reliability import Opened


def emulated(network: str, data: str, plan: str | None, weights: tuple[Path, ...], calibrate: str | None) -> ApproxModel:
    """The planned network, calibrated and repaired; exact signed 8-bit products without a plan."""
    from inexact import nn, zoo
    from inexact.cli import _network

    images = zoo.data(data, "test", 1)
    original, planned = _network.networks(network, data, images, plan, weights, calibrate)
    if planned is None:
        planned = nn.approximate(
            original,
            nn.Plan(precision="int(granularity=per_channel)", coding="signed"),
            calibrate=_network.calibration_set(data, calibrate),
        )
    found: ApproxModel = planned
    return found


def opened(
    network: str, data: str, plan: str | None, weights: tuple[Path, ...], calibrate: str | None, limit: int, protect: str = "none"
) -> Opened:
    """The network, under a mitigation or "none", and the first `limit` test images."""
    import torch

    from inexact import zoo
    from inexact.cli import _network
    from inexact.reliability import Opened, mitigations

    images = zoo.data(data, "test", limit)
    pairs = [images[place] for place in range(len(images))]
    labels = torch.tensor([int(label) for _, label in pairs])
    net = emulated(network, data, plan, weights, calibrate)
    if protect != "none":
        seen = _network.calibration_set(data, calibrate)
        net = mitigations.get(protect).protected(net, torch.stack([seen[place][0] for place in range(len(seen))]))
    return Opened(net=net, images=torch.stack([image for image, _ in pairs]), labels=labels)
