"""What a network of the zoo is: a spec that builds an untrained module, and the recipe that trains it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from inexact.core.errors import SpecError
from inexact.core.registry import Family, spec_of


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    optimizer: "sgd" (Nesterov, momentum 0.9) or "adamw"; the rate follows one cycle that peaks at `peak_rate`.
    batch: images a step. smoothing: label smoothing, 0..1. shift: random translation in pixels, each axis -shift..shift.
    bfloat16: forward pass under bfloat16 autocast (weights stay float32). channels_last: memory order of the activations.

    Reference: L. N. Smith, N. Topin, Super-convergence, 2019, doi:10.1117/12.2520589 (one cycle);
    C. Szegedy et al., CVPR 2016, doi:10.1109/CVPR.2016.308 (label smoothing).
    """

    optimizer: str = "sgd"
    peak_rate: float = 0.1
    weight_decay: float = 5e-4
    batch: int = 128
    smoothing: float = 0.1
    shift: int = 2
    bfloat16: bool = True
    channels_last: bool = True


@dataclass(frozen=True, kw_only=True)
class Architecture(ABC):
    """An untrained network: `build()` makes it. Every module is traceable by torch.fx; BatchNorm follows its convolution directly.

    classes: number of outputs. channels, size: input image, [channels, size, size]. Raises SpecError below 1, 1 and 16.
    """

    classes: int = 10
    channels: int = 1
    size: int = 28
    recipe: ClassVar[Recipe] = Recipe()
    family_name: ClassVar[str]

    def __post_init__(self) -> None:
        for name, low, unit in (("classes", 1, ""), ("channels", 1, ""), ("size", 16, " pixels")):
            value = getattr(self, name)
            if not isinstance(value, int) or value < low:
                raise SpecError(f"{name} must be at least {low}{unit}, not {value!r}")

    @property
    def spec(self) -> str:
        """The call that describes it, defaults left out."""
        return spec_of(self)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        return (self.channels, self.size, self.size)

    @abstractmethod
    def build(self) -> nn.Module:
        """A fresh module with random weights, drawn from torch's default generator."""


architectures: Family[Architecture] = Family("network", "inexact.zoo.networks")
"""Networks by name; a file in this folder that registers a class adds one."""


def conv_bn(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias (padded to keep the size at stride 1) and the BatchNorm that follows it."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]
