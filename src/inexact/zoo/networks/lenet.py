"""LeNet-5 with rectifiers and max pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import nn

from inexact.zoo.networks._base import Architecture, architectures


@architectures.register("lenet5")
@final
@dataclass(frozen=True, kw_only=True)
class LeNet5(Architecture):
    """Two 5x5 convolutions (6 and 16 channels) and three linear layers; 61,706 parameters, 0.42 M MACs at 28x28x1.

    Reference: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998, doi:10.1109/5.726791
    (here with ReLU and max pooling instead of the squashing functions and trained subsampling).
    """

    def build(self) -> nn.Module:
        """The layers in order, named as in the paper's figure."""
        side = (self.size // 2 - 4) // 2
        model = nn.Sequential()
        model.add_module("conv1", nn.Conv2d(self.channels, 6, 5, padding=2))
        model.add_module("relu1", nn.ReLU())
        model.add_module("pool1", nn.MaxPool2d(2))
        model.add_module("conv2", nn.Conv2d(6, 16, 5))
        model.add_module("relu2", nn.ReLU())
        model.add_module("pool2", nn.MaxPool2d(2))
        model.add_module("flatten", nn.Flatten())
        model.add_module("fc1", nn.Linear(16 * side * side, 120))
        model.add_module("relu3", nn.ReLU())
        model.add_module("fc2", nn.Linear(120, 84))
        model.add_module("relu4", nn.ReLU())
        model.add_module("fc3", nn.Linear(84, self.classes))
        return model
