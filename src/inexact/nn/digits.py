"""Inputs as digits: a convolution whose input is cut into pieces of few bits, each a channel of its own."""

from __future__ import annotations

import copy
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inexact.core.errors import PlanError, SpecError, near, require_range


@final
class Digits(nn.Module):
    """A padded image [N, C, H, W] as digits of `bits` bits, [N, count C, H', W'], the most significant first; integers in float32.

    low, high: values of the codes 0 and 2**(bits * count) - 1; others are clipped. padding: as `F.pad` takes it; padded values are 0.
    """

    def __init__(self, low: float, high: float, *, bits: int, count: int, padding: tuple[int, ...]) -> None:
        super().__init__()
        self.low, self.high, self.bits, self.count, self.padding = low, high, bits, count, padding
        self.step = (high - low) / (2 ** (bits * count) - 1)

    def forward(self, x: Tensor) -> Tensor:
        """The digits; they carry no gradient."""
        codes = torch.round((F.pad(x, self.padding) - self.low) / self.step).clamp(0, 2 ** (self.bits * self.count) - 1)
        return torch.cat([torch.floor(codes / 2 ** (self.bits * place)) % 2**self.bits for place in reversed(range(self.count))], 1)

    def extra_repr(self) -> str:
        """What the module's line in `print(model)` shows."""
        return f"{self.low:g}..{self.high:g}, bits={self.bits}, count={self.count}, padding={self.padding}"


@torch.no_grad()
def with_digits(model: nn.Module, name: str, low: float, high: float, *, bits: int = 3, count: int = 2) -> nn.Module:
    """A copy of `model` in eval mode whose convolution `name`, the first one, takes its input as digits: it becomes NAME.0, the digits, and
    NAME.1, a convolution with `count` times the input channels and products. Weights of the digit of place k are 2**(bits * k) times the
    weights, which a unit with relative errors (`drum`) multiplies as it does the weights themselves. Products of digits that the unit
    multiplies exactly lose nothing but what count * bits bits cannot hold.

    low, high: least and largest value of the input (float), such as `images.min()` and `images.max()`; 0 must lie between when
    the convolution pads. bits: 1..8 of a digit; count: 2..8 digits, together at most 16 bits.
    Raises PlanError unless `name` is a Conv2d without groups that pads with zeros, if at all, and SpecError for values out of range.

    Reference: H. Sharma et al., Bit Fusion, ISCA 2018, doi:10.1109/ISCA.2018.00069 (products composed of those of digits)
    """
    require_range("bits", bits, 1, 8)
    require_range("count", count, 2, 16 // bits)
    result = copy.deepcopy(model).eval()
    known = dict(result.named_modules())
    layer = known.get(name)
    if layer is None:
        raise PlanError(f"the network has no layer {name!r}{near(name, list(known))}")
    if not isinstance(layer, nn.Conv2d) or layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise PlanError(f"digits are for a Conv2d without groups that pads with zeros by numbers, which {name} is not: {layer}")
    rows, columns = layer.padding
    if not (low < high and (low <= 0 <= high or not rows + columns)):
        raise SpecError(f"low must be below high, and 0 between them where {name} pads, not {low:g} and {high:g}")
    digits = Digits(low, high, bits=bits, count=count, padding=(columns, columns, rows, rows))
    result.set_submodule(name, nn.Sequential(digits, _of_digits(layer, digits)))
    return result


def _of_digits(layer: nn.Conv2d, digits: Digits) -> nn.Conv2d:
    """The convolution of digits that are padded already; the constant `low` goes into its bias."""
    kernel, stride, dilation = ((int(a), int(b)) for a, b in (layer.kernel_size, layer.stride, layer.dilation))
    found = nn.Conv2d(layer.in_channels * digits.count, layer.out_channels, kernel, stride, 0, dilation).to(layer.weight.device)
    places = [layer.weight * digits.step * 2.0 ** (digits.bits * place) for place in reversed(range(digits.count))]
    found.weight.copy_(torch.cat(places, 1))
    constant = digits.low * layer.weight.sum((1, 2, 3))
    assert found.bias is not None
    found.bias.copy_(constant if layer.bias is None else constant + layer.bias)
    return found
