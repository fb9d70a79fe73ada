"""MobileNetV2 cut down to small grey images: inverted residuals with depthwise convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor, nn

from inexact.zoo.networks._base import Architecture, Recipe, architectures, conv_bn

STAGES = ((1, 16, 2, 1), (3, 24, 2, 1), (3, 48, 4, 2))
"""(expansion, output channels, blocks, stride of the first block), table 2 of the paper cut down."""


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel by 3x3, project by 1x1 without activation; a shortcut where the shape is kept."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*conv_bn(inputs, hidden, kernel=1), nn.ReLU6()]
        layers += [*conv_bn(hidden, hidden, stride=stride, groups=hidden), nn.ReLU6()]
        layers += conv_bn(hidden, outputs, kernel=1)
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, ceil(H / stride), ceil(W / stride)]."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


@architectures.register("mobilenetv2s")
@final
@dataclass(frozen=True, kw_only=True)
class MobileNetV2Small(Architecture):
    """Eight inverted residuals behind a stride-2 stem; 62,218 parameters, 4.21 M MACs at 28x28x1.

    Reference: M. Sandler et al., MobileNetV2, CVPR 2018, doi:10.1109/CVPR.2018.00474 (section 3.4; cut down, without the last 1x1).
    """

    # Depthwise convolutions are slower in bfloat16 than in float32 on a CPU.
    recipe: ClassVar[Recipe] = Recipe(bfloat16=False)

    def build(self) -> nn.Module:
        """Stem, three stages, pooled features, one linear layer."""
        model = nn.Sequential()
        conv, norm = conv_bn(self.channels, 16, stride=2)
        model.add_module("conv1", conv)
        model.add_module("bn1", norm)
        model.add_module("relu1", nn.ReLU6())
        width = 16
        for stage, (expansion, outputs, blocks, stride) in enumerate(STAGES, start=1):
            layers = []
            for block in range(blocks):
                layers.append(InvertedResidual(width, outputs, expansion=expansion, stride=stride if block == 0 else 1))
                width = outputs
            model.add_module(f"stage{stage}", nn.Sequential(*layers))
        model.add_module("pool", nn.AdaptiveAvgPool2d(1))
        model.add_module("flatten", nn.Flatten())
        model.add_module("fc", nn.Linear(width, self.classes))
        return model
