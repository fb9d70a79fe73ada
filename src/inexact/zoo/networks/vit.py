"""A small vision transformer whose every matrix product is a module: `nn.Linear`, `nn.Conv2d`, or `Product` between activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from inexact.nn import Product
from inexact.zoo.networks._base import Architecture, Recipe, architectures


class Attention(nn.Module):
    """Multi-head self-attention with separate query, key, value and output layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)
        self.qk = Product()
        self.pv = Product()

    def forward(self, x: Tensor) -> Tensor:
        """[N, tokens, width] to the same shape."""
        shape = (x.shape[0], x.shape[1], self.heads, self.head_width)
        query = self.query(x).reshape(shape).transpose(1, 2)
        key = self.key(x).reshape(shape).transpose(1, 2)
        value = self.value(x).reshape(shape).transpose(1, 2)
        weights = torch.softmax(self.qk(query, key.transpose(2, 3)) * self.head_width**-0.5, dim=-1)
        mixed = self.pv(weights, value).transpose(1, 2).flatten(2)
        result: Tensor = self.proj(mixed)
        return result


class Block(nn.Module):
    """Pre-norm transformer block: attention, then a two-layer perceptron, each with a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp1 = nn.Linear(width, hidden)
        self.gelu = nn.GELU()
        self.mlp2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, tokens, width] to the same shape."""
        x = x + self.attention(self.norm1(x))
        result: Tensor = x + self.mlp2(self.gelu(self.mlp1(self.norm2(x))))
        return result


class VisionTransformer(nn.Module):
    """Two strided convolutions make the tokens, blocks mix them, their mean is classified."""

    def __init__(self, architecture: ViTTiny) -> None:
        super().__init__()
        width, side = architecture.width, -(-architecture.size // 4)
        self.conv1 = nn.Conv2d(architecture.channels, 32, 3, stride=2, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(32, width, 3, stride=2, padding=1)
        self.position = nn.Parameter(0.02 * torch.randn(1, side * side, width))
        self.blocks = nn.Sequential(*(Block(width, architecture.heads, 2 * width) for _ in range(architecture.depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, architecture.classes)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to logits [N, classes]."""
        tokens = self.conv2(self.relu1(self.conv1(x))).flatten(2).transpose(1, 2)
        features = self.norm(self.blocks(tokens + self.position))
        logits: Tensor = self.head(features.mean(dim=1))
        return logits


@architectures.register("vit_tiny")
@final
@dataclass(frozen=True, kw_only=True)
class ViTTiny(Architecture):
    """49 tokens of width 96, four blocks; 333,066 parameters, 17.7 M MACs at 28x28x1 (1.8 M of them between activations).

    Reference: A. Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021, doi:10.48550/arXiv.2010.11929;
    T. Xiao et al., Early convolutions help transformers see better, 2021, doi:10.48550/arXiv.2106.14881 (convolutional stem).
    """

    width: int = 96
    depth: int = 4
    heads: int = 4
    recipe: ClassVar[Recipe] = Recipe(optimizer="adamw", peak_rate=2e-3, weight_decay=0.05, channels_last=False)

    def build(self) -> nn.Module:
        """The transformer, weights as torch initialises them."""
        return VisionTransformer(self)
