"""Residual networks: three stages of 16, 32 and 64 channels for small images, four of 64 to 512 for large ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor, nn

from inexact.zoo.networks._base import Architecture, architectures, conv_bn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(inputs, outputs, stride=stride)
        self.relu1 = nn.ReLU()
        self.conv2, self.bn2 = conv_bn(outputs, outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_bn(inputs, outputs, kernel=1, stride=stride))
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, ceil(H / stride), ceil(W / stride)]."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        result: Tensor = self.relu2(y + self.shortcut(x))
        return result


def _residual(channels: int, classes: int, *, blocks: int) -> nn.Module:
    return _stages(conv_bn(channels, 16), [], (16, 32, 64), classes, blocks=blocks)


def _stages(stem: list[nn.Module], pool: list[nn.Module], widths: tuple[int, ...], classes: int, *, blocks: int) -> nn.Module:
    model = nn.Sequential()
    for name, module in zip(("conv1", "bn1", "relu1", "maxpool"), (*stem, nn.ReLU(), *pool), strict=False):
        model.add_module(name, module)
    width = widths[0]
    for stage, outputs in enumerate(widths, start=1):
        layers = []
        for block in range(blocks):
            layers.append(BasicBlock(width, outputs, stride=2 if block == 0 and stage > 1 else 1))
            width = outputs
        model.add_module(f"stage{stage}", nn.Sequential(*layers))
    model.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(width, classes))
    return model


@architectures.register("resnet8")
@final
@dataclass(frozen=True, kw_only=True)
class ResNet8(Architecture):
    """One residual block a stage; 77,754 parameters, 9.35 M MACs at 28x28x1.

    Reference: K. He et al., Deep residual learning, CVPR 2016, doi:10.1109/CVPR.2016.90 (section 4.2, n = 1, 1x1 shortcuts).
    """

    def build(self) -> nn.Module:
        """Stem, three blocks, pooled features, one linear layer."""
        return _residual(self.channels, self.classes, blocks=1)


@architectures.register("resnet20")
@final
@dataclass(frozen=True, kw_only=True)
class ResNet20(Architecture):
    """Three residual blocks a stage; 272,186 parameters, 31.0 M MACs at 28x28x1.

    Reference: K. He et al., Deep residual learning, CVPR 2016, doi:10.1109/CVPR.2016.90 (section 4.2, n = 3, 1x1 shortcuts).
    """

    def build(self) -> nn.Module:
        """Stem, nine blocks, pooled features, one linear layer."""
        return _residual(self.channels, self.classes, blocks=3)


@architectures.register("resnet18")
@final
@dataclass(frozen=True, kw_only=True)
class ResNet18(Architecture):
    """Two residual blocks a stage, 7x7 stem; at 224x224x3 and 1000 classes 11,689,512 parameters and 1.81 G MACs.

    For images of 64 pixels and more. Reference: K. He et al., Deep residual learning, CVPR 2016, doi:10.1109/CVPR.2016.90
    (table 1, 1x1 shortcuts where the shape changes).
    """

    def build(self) -> nn.Module:
        """Stem, eight blocks, pooled features, one linear layer."""
        stem = conv_bn(self.channels, 64, kernel=7, stride=2)
        return _stages(stem, [nn.MaxPool2d(3, stride=2, padding=1)], (64, 128, 256, 512), self.classes, blocks=2)
