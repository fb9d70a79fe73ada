"""The networks and images an attack command works on, from what the command line names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inexact.core.errors import AttackError

if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn as torch_nn

    from inexact.nn import ApproxModel
    from inexact.security.adversarial import Images, Networks
    from inexact.security.adversarial._target import Scaling
    from inexact.zoo import Dataset

SPARE = 4096
"""Images a stolen substitute is trained on."""


def scaling_of(given: str | None) -> Scaling | None:
    """MEAN,DEVIATION as two numbers. Raises click.BadParameter for anything else."""
    if given is None:
        return None
    try:
        mean, deviation = (float(part) for part in given.split(","))
    except ValueError as error:
        raise click.BadParameter(f"--scaling must be MEAN,DEVIATION such as 0.5,0.5, not {given!r}") from error
    if not deviation > 0:
        raise click.BadParameter(f"the deviation of --scaling must be above 0, not {deviation:g}")
    return mean, deviation


def networks_of(network: str, data: str, plans: tuple[str, ...], weights: tuple[Path, ...], images: Dataset, found: Images) -> Networks:
    """The three networks of a campaign; several plans make a randomised one.

    plans: TOML files or specs of units, which stand for a plan of that unit in every layer. Raises AttackError without any.
    """
    from inexact import nn
    from inexact.cli import _network as commands
    from inexact.security import adversarial

    if not plans:
        raise AttackError("there must be an approximate network to compare: give --plan a TOML file or the spec of a unit")
    opened = [commands.networks(network, data, images, name, weights, None) for name in plans]
    made: list[ApproxModel] = [emulated for _, emulated in opened]
    original = opened[-1][0]
    exact = nn.approximate(original, adversarial.exact_plan(made[0].plan), calibrate=commands.calibration_set(data, None))
    approximate: torch_nn.Module = made[0] if len(made) == 1 else adversarial.RandomisedModel(made, 0)
    return adversarial.Networks(float32=original, exact=exact, approximate=approximate, scaling=found.scaling)


def spare_of(data: str) -> Tensor:
    """Normalised validation images that an attacker may ask the network about, at most 4,096."""
    from inexact import zoo

    return zoo.data(data, "validation", SPARE).images
