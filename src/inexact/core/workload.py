"""What a network asks of hardware, in plain numbers: loop bounds, operand widths, the arithmetic planned for each layer. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

Coding = str
"""How operands are coded for the unit: "unsigned" (affine), "signed" (two's complement) or "sign_magnitude"."""

CODINGS: tuple[Coding, ...] = ("unsigned", "signed", "sign_magnitude")

VECTOR_KINDS: dict[str, int] = {
    "add": 1,
    "multiply": 1,
    "activation": 4,
    "normalisation": 4,
    "softmax": 4,
    "pool": 1,
}
"""Kinds of layers without a matrix product, and additions' worth of arithmetic of each element they read (a declared count: a table
look-up or a short polynomial for activations, mean, variance and scaling for normalisation, one addition or comparison for the rest)."""


OUTLIER_LANES = 16
"""Lanes of a group that has one multiplier more for the upper bits of an outlier among its weights."""

SCHEMES = {
    "outliers": "wider operands that are few",
    "regions": "operands whose width depends on the region of the image",
    "two_scales": "products that are shifted by the scale of each operand",
}
"""Number formats whose elements must do more than multiply operands of one width, and what that is."""


@dataclass(frozen=True, kw_only=True)
class Products:
    """Some of a layer's products. share: of all, 0..1. a_bits, b_bits: their widths. beside: on units beside the array."""

    share: float
    a_bits: int
    b_bits: int
    beside: bool = False


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What computes one layer: unit, operand widths in bits, coding, and the corrections the hardware must carry.

    multiplier: unit spec; None when the layer stays in float32 outside the array. adder: spec of the accumulator's adder.
    correction_column: one extra array column that sums f(a), shared by all output channels of a group. factors: extra columns of which
    every output subtracts its own multiple, with coefficients of `coefficient_bits` bits.
    a_stored_bits, b_stored_bits: bits an operand takes in memory, on average; None = a_bits, b_bits.
    system: number system of the operands, "" for integers. block: channels that share a scale; 0 = scales are fixed.
    scheme: one of `SCHEMES` that the elements must have; "" for operands of one width. parts: its products by width, where they differ;
    waits: cycles a product waits for its group besides; shift: bits that each operand's scale may shift a product by.
    modes: of a reconfigurable unit whose mode comes with the weight, (spec, share of the products) by mode; mode_bits: bits of control code
    that are stored with each weight, on average.
    """

    multiplier: str | None = "exact"
    a_bits: int = 8
    b_bits: int = 8
    accumulator_bits: int = 32
    coding: Coding = "unsigned"
    correction_column: bool = False
    factors: int = 0
    coefficient_bits: int = 0
    adder: str = "exact"
    a_stored_bits: float | None = None
    b_stored_bits: float | None = None
    system: str = ""
    block: int = 0
    scheme: str = ""
    parts: tuple[Products, ...] = ()
    waits: float = 0.0
    shift: int = 0
    modes: tuple[tuple[str, float], ...] = ()
    mode_bits: float = 0.0

    @property
    def columns(self) -> int:
        """Correction columns, each with a table f(a) in every row."""
        return self.factors + self.correction_column


@dataclass(frozen=True, kw_only=True)
class LayerWorkload:
    """One layer as a (grouped) convolution; a linear layer has 1x1 kernels and `out_h` = number of rows of its input.

    Sizes are in elements, for `batch` inputs. a = activation, b = weight. sparsity: share of zero operands, 0..1.
    kind: conv, conv_transpose, linear, product (of two activations), or one of `VECTOR_KINDS`, which has `operands` inputs of the
    input's size and no multiply-accumulates. stride 0: inferred from the sizes. executed: share of the multiply-accumulates that are
    formed, 0..1. added, busy, stored, checks: of a reduction, shares of all products that are added, of the array's time, of the weights'
    bits, and additions it makes itself for each product; serial: "activation" or "weight" when it must have that operand bit by bit.
    a_reads, b_reads: shares of the deliveries of activations and of weights to the array that a reduction leaves, in bits. kept_bits: for
    each output, what is kept in DRAM from one input to the next, read and written. reached: share of inputs that come to this layer, 0..1;
    the others have left by an exit before it.
    a_histogram, b_histogram: how often each operand code occurs, or None = uniform.
    source: the layer whose outputs, channel by channel, through nothing but a ReLU or pooling, are its input and nobody else's; "" = none.
    """

    name: str
    kind: str
    batch: int = 1
    in_channels: int
    out_channels: int
    in_h: int = 1
    in_w: int = 1
    out_h: int = 1
    out_w: int = 1
    kernel_h: int = 1
    kernel_w: int = 1
    stride_h: int = 0
    stride_w: int = 0
    dilation_h: int = 1
    dilation_w: int = 1
    groups: int = 1
    operands: int = 1
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    a_sparsity: float = 0.0
    b_sparsity: float = 0.0
    executed: float = 1.0
    added: float | None = None
    busy: float = 1.0
    stored: float = 1.0
    checks: float = 0.0
    serial: str = ""
    a_reads: float = 1.0
    b_reads: float = 1.0
    kept_bits: float = 0.0
    reached: float = 1.0
    a_histogram: tuple[float, ...] | None = None
    b_histogram: tuple[float, ...] | None = None
    source: str = ""

    @classmethod
    def square(
        cls,
        name: str,
        size: int,
        *,
        in_channels: int,
        out_channels: int,
        kernel: int,
        out: int | None = None,
        stride: int = 1,
        groups: int = 1,
        batch: int = 1,
        arithmetic: Arithmetic | None = None,
    ) -> LayerWorkload:
        """A convolution with as many rows as columns. size, out: of input and output maps; out by default as "same" padding gives it."""
        out = -(-size // stride) if out is None else out
        return cls(
            name=name,
            kind="conv",
            batch=batch,
            in_channels=in_channels,
            out_channels=out_channels,
            in_h=size,
            in_w=size,
            out_h=out,
            out_w=out,
            kernel_h=kernel,
            kernel_w=kernel,
            stride_h=stride,
            stride_w=stride,
            groups=groups,
            arithmetic=Arithmetic() if arithmetic is None else arithmetic,
        )

    @property
    def additions(self) -> float:
        """Share of products that are added: as many as are formed, unless said."""
        return self.executed if self.added is None else self.added

    @property
    def multiplies(self) -> bool:
        """Whether the layer is a matrix product for the array; else it runs on the vector unit."""
        return self.kind not in VECTOR_KINDS

    @property
    def pixels(self) -> int:
        """Output positions, batch x out_h x out_w (the M of the layer's matrix product)."""
        return self.batch * self.out_h * self.out_w

    @property
    def window(self) -> int:
        """Products per output: in_channels / groups x kernel_h x kernel_w (K)."""
        return self.in_channels // self.groups * self.kernel_h * self.kernel_w

    @property
    def filters(self) -> int:
        """Output channels of one group (N)."""
        return self.out_channels // self.groups

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer, all groups; 0 for one of the vector unit."""
        return self.pixels * self.window * self.out_channels if self.multiplies else 0

    @property
    def inputs(self) -> int:
        """Elements of one input tensor, all of the batch."""
        return self.batch * self.in_channels * self.in_h * self.in_w

    @property
    def outputs(self) -> int:
        """Elements of the output tensor."""
        return self.pixels * self.out_channels

    @property
    def weights(self) -> int:
        """Elements of the second operand: weights, or the right matrix of a product of activations."""
        return self.window * self.out_channels if self.multiplies else 0

    @property
    def steps(self) -> tuple[int, int]:
        """Strides over rows and columns, inferred where they are not given."""
        return self.stride_h or max(1, round(self.in_h / self.out_h)), self.stride_w or max(1, round(self.in_w / self.out_w))


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A network's layers in execution order."""

    network: str
    layers: tuple[LayerWorkload, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)

    @cached_property
    def multiplying(self) -> tuple[LayerWorkload, ...]:
        """The layers with a matrix product."""
        return tuple(layer for layer in self.layers if layer.multiplies)


def settled(layers: Iterable[LayerWorkload]) -> tuple[LayerWorkload, ...]:
    """The layers, each of the vector unit with the arithmetic of the last one that multiplies: its operands are stored as wide."""
    found: list[LayerWorkload] = []
    last = Arithmetic()
    for layer in layers:
        if layer.multiplies:
            last = layer.arithmetic
            found.append(layer)
        else:
            found.append(replace(layer, arithmetic=last))
    return tuple(found)
