"""What a network asks of hardware, in plain numbers: loop bounds, operand widths, the arithmetic planned for each layer. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field

Coding = str
"""How operands are coded for the unit: "unsigned" (affine), "signed" (two's complement) or "sign_magnitude"."""

CODINGS: tuple[Coding, ...] = ("unsigned", "signed", "sign_magnitude")


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What computes one layer: unit, operand widths in bits, coding, and the corrections the hardware must carry.

    multiplier: unit spec; None when the layer stays in float32 outside the array.
    correction_column: one extra array column that sums f(a), shared by all output channels of a group.
    """

    multiplier: str | None = "exact"
    a_bits: int = 8
    b_bits: int = 8
    accumulator_bits: int = 32
    coding: Coding = "unsigned"
    correction_column: bool = False


@dataclass(frozen=True, kw_only=True)
class LayerWorkload:
    """One layer as a (grouped) convolution; a linear layer has 1x1 kernels and `out_h` = number of rows of its input.

    Sizes are in elements, for `batch` inputs. a = activation, b = weight. sparsity: share of zero operands, 0..1.
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
    groups: int = 1
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    a_sparsity: float = 0.0
    b_sparsity: float = 0.0

    @property
    def pixels(self) -> int:
        """Output positions, batch x out_h x out_w (the M of the layer's matrix product)."""
        return self.batch * self.out_h * self.out_w

    @property
    def window(self) -> int:
        """Products per output: in_channels / groups x kernel_h x kernel_w (K)."""
        return self.in_channels // self.groups * self.kernel_h * self.kernel_w

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer, all groups."""
        return self.pixels * self.window * self.out_channels


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A network's layers in execution order, those that multiply and accumulate."""

    network: str
    layers: tuple[LayerWorkload, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)
