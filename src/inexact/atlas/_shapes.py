"""Counting a network from its definition: layers in order, on shapes alone, without torch or weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Size:
    """parameters: weights, biases, and scale and shift of normalisations. macs: multiply-accumulates of one inference.

    layers: layers that multiply (convolutions, linear layers, products of attention). depthwise: whether a convolution is.
    attention: whether activations are multiplied with each other.
    """

    parameters: int
    macs: int
    layers: int
    depthwise: bool
    attention: bool


class Trace:
    """The shape that a definition has reached, and what it has counted; methods return the trace itself, so that they chain."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.channels, self.height, self.width = channels, height, width
        self.parameters = self.macs = self.layers = 0
        self.depthwise = self.attention = False

    def conv(
        self,
        outputs: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int | tuple[int, int] | None = None,
        groups: int = 1,
        bias: bool = False,
        norm: bool = True,
    ) -> Self:
        """A convolution (padding that keeps the size at stride 1 unless given), with or without bias and batch normalisation."""
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        pad = (rows // 2, columns // 2) if padding is None else (padding, padding) if isinstance(padding, int) else padding
        self.height = (self.height + 2 * pad[0] - rows) // stride + 1
        self.width = (self.width + 2 * pad[1] - columns) // stride + 1
        weights = outputs * (self.channels // groups) * rows * columns
        self.parameters += weights + outputs * (bias + 2 * norm)
        self.macs += weights * self.height * self.width
        self.layers += 1
        self.depthwise |= groups > 1 and groups == self.channels
        self.channels = outputs
        return self

    def pool(self, kernel: int, stride: int, *, padding: int = 0, ceil: bool = False) -> Self:
        """A pooling window."""
        up = stride - 1 if ceil else 0
        self.height = (self.height + 2 * padding - kernel + up) // stride + 1
        self.width = (self.width + 2 * padding - kernel + up) // stride + 1
        return self

    def average(self, rows: int = 1) -> Self:
        """Averages to rows x rows places."""
        self.height = self.width = rows
        return self

    def linear(self, outputs: int, *, bias: bool = True, tokens: int = 1) -> Self:
        """A linear layer on everything, or on the channels of each of `tokens` places."""
        inputs = self.channels if tokens > 1 else self.channels * self.height * self.width
        self.parameters += inputs * outputs + outputs * bias
        self.macs += inputs * outputs * tokens
        self.layers += 1
        self.channels = outputs
        if tokens == 1:
            self.height = self.width = 1
        return self

    def extra(self, parameters: int) -> Self:
        """Parameters that multiply nothing: normalisations of tokens, positions, a class token."""
        self.parameters += parameters
        return self

    def block(self, tokens: int, heads_width: int, hidden: int) -> Self:
        """A transformer block of `tokens` vectors: attention (two products of activations) and two linear layers, normalised."""
        width = self.channels
        self.linear(3 * heads_width, tokens=tokens)
        self.macs += 2 * tokens * tokens * heads_width
        self.layers += 2
        self.attention = True
        self.channels = heads_width
        self.linear(width, tokens=tokens).linear(hidden, tokens=tokens).linear(width, tokens=tokens)
        return self.extra(4 * width)

    def branches(self, *paths: Callable[[Trace], Trace]) -> Self:
        """Paths from the same input whose outputs are put side by side in channels."""
        ends = self._from_here(paths)
        self.channels = sum(end.channels for end in ends)
        return self

    def residual(self, path: Callable[[Trace], Trace], shortcut: Callable[[Trace], Trace] | None = None) -> Self:
        """A path whose output is added to its input, which may go through a shortcut of its own."""
        self._from_here([path] if shortcut is None else [path, shortcut])
        return self

    def _from_here(self, paths: Sequence[Callable[[Trace], Trace]]) -> list[Trace]:
        ends = [path(Trace(self.channels, self.height, self.width)) for path in paths]
        for end in ends:
            self.parameters += end.parameters
            self.macs += end.macs
            self.layers += end.layers
            self.depthwise |= end.depthwise
            self.attention |= end.attention
        self.channels, self.height, self.width = ends[0].channels, ends[0].height, ends[0].width
        return ends

    def size(self) -> Size:
        """What was counted."""
        return Size(parameters=self.parameters, macs=self.macs, layers=self.layers, depthwise=self.depthwise, attention=self.attention)
