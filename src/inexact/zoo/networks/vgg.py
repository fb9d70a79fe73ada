"""A plain stack of 3x3 convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import nn

from inexact.zoo.networks._base import Architecture, architectures, conv_bn


@architectures.register("vgg7")
@final
@dataclass(frozen=True, kw_only=True)
class VGG7(Architecture):
    """Six 3x3 convolutions (32, 32, 64, 64, 128, 128) and one linear layer; 298,410 parameters, 29.1 M MACs at 28x28x1.

    Reference: K. Simonyan, A. Zisserman, Very deep convolutional networks, ICLR 2015, doi:10.48550/arXiv.1409.1556
    (its idea, cut down; with BatchNorm).
    """

    def build(self) -> nn.Module:
        """Three pairs of convolutions, each pair followed by 2x2 max pooling."""
        model = nn.Sequential()
        width = self.channels
        for index, outputs in enumerate((32, 32, 64, 64, 128, 128), start=1):
            conv, norm = conv_bn(width, outputs)
            model.add_module(f"conv{index}", conv)
            model.add_module(f"bn{index}", norm)
            model.add_module(f"relu{index}", nn.ReLU())
            if index % 2 == 0:
                model.add_module(f"pool{index // 2}", nn.MaxPool2d(2))
            width = outputs
        model.add_module("flatten", nn.Flatten())
        model.add_module("fc", nn.Linear(width * (self.size // 8) ** 2, self.classes))
        return model
