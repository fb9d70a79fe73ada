"""What forms single outputs of an emulated layer: the codes and products of their windows, and the output that some sum of them gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.core.errors import FaultError
from inexact.nn._altered import require_unpruned_outputs
from inexact.nn._kinds import Emulated
from inexact.nn.layers import ApproxConv2d, ApproxLinear
from inexact.nn.products import ApproxProduct


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """What forms one output each of n images. channels [n]; a, b: int64 [n, K], codes in the order of summation; products: int64 [n, K].

    taken: float64 [n], what correction columns take off.
    """

    layer: Emulated
    channels: Tensor
    a: Tensor
    b: Tensor
    products: Tensor
    taken: Tensor

    @torch.no_grad()
    def outputs(self, sums: Tensor) -> Tensor:
        """float32 [n] for sums of raw products, int64 [n]."""
        layer, total = self.layer, sums.double() - self.taken
        a, b = self.a.double(), self.b.double()
        a_zero = layer.a_zero.double()
        b_zero = self._spread(layer.b_zero.double()) if layer.rule.coding == "unsigned" else torch.zeros_like(total)
        total = total - b_zero * a.sum(1) - a_zero * (b.sum(1) - b.shape[1] * b_zero)
        return layer.rescaled(total, self._spread)

    def _spread(self, values: Tensor) -> Tensor:
        outputs = 1 if isinstance(self.layer, ApproxProduct) else self.layer.weight.shape[0]
        return values.reshape(-1).expand(outputs)[self.channels]


@torch.no_grad()
def windows_at(layer: Emulated, inputs: tuple[Tensor, ...], output: Tensor, places: Tensor) -> Windows:
    """What forms the output at `places[i]` (flat index in output[i]) of image i. Raises FaultError as `outputs_with_weights` does."""
    if isinstance(layer, ApproxProduct):
        return _product_windows(layer, inputs[0], inputs[1], output, places)
    require_unpruned_outputs(layer)
    x, here = inputs[0], _numbers(output)
    if isinstance(layer, ApproxConv2d):
        a, channels = _taps(layer, x, output, places)
    elif isinstance(layer, ApproxLinear):
        channels = places % output.shape[-1]
        a = layer.a_quantiser().quantise(x.reshape(len(x), -1, x.shape[-1])[here, places // output.shape[-1]])
    else:
        raise FaultError(f"faults of single weights and sums are for Conv2d and Linear layers, not for layer {layer.name}: leave it out")
    b = layer.b_codes().flatten(1)[channels]
    products = _products(layer, a, b)
    taken = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    if layer.has_column or layer.has_control:
        columns = layer.columns_of(layer.a_quantiser().quantise(layer.padded(x)), layer.correction())
        taken = columns.expand(output.shape).flatten(1)[here, places]
    return Windows(layer=layer, channels=channels, a=a.long(), b=b.long(), products=products, taken=taken)


def _products(layer: Emulated, a: Tensor, b: Tensor) -> Tensor:
    """int64 [n, K], what the unit makes of codes [n, K] one by one."""
    if layer.rule.exact:
        return a.long() * b.long()
    return layer.table[layer.arithmetic.a_patterns(a).long(), layer.arithmetic.b_patterns(b).long()].long()


def _taps(layer: ApproxConv2d, x: Tensor, output: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Codes [n, K] under each window, and its output channel [n]."""
    _, height, width = output.shape[1:]
    channels, row, column = places // (height * width), places // width % height, places % width
    size = layer.weight.shape[1]
    first = channels // (layer.weight.shape[0] // layer.groups) * size
    planes = first[:, None] + torch.arange(size, device=x.device)
    rows, columns = (
        (at * layer.stride[axis])[:, None] + layer.dilation[axis] * torch.arange(layer.weight.shape[2 + axis], device=x.device)
        for axis, at in enumerate((row, column))
    )
    here = _numbers(x)[:, None, None, None]
    taps = layer.padded(x)[here, planes[:, :, None, None], rows[:, None, :, None], columns[:, None, None, :]]
    return layer.a_quantiser().quantise(taps).flatten(1), channels


def _product_windows(layer: ApproxProduct, left: Tensor, right: Tensor, output: Tensor, places: Tensor) -> Windows:
    rows, columns, depth = output.shape[-2], output.shape[-1], left.shape[-1]
    here, leading = _numbers(output), output.shape[:-2]
    matrix, row, column = places // (rows * columns), places // columns % rows, places % columns
    lefts = left.expand(*leading, rows, depth).reshape(len(output), -1, rows, depth)[here, matrix, row]
    rights = right.expand(*leading, depth, columns).reshape(len(output), -1, depth, columns)[here, matrix, :, column]
    a, b = layer.a_quantiser().quantise(lefts), layer.b_quantiser().quantise(rights)
    products = _products(layer, a, b)
    taken = torch.zeros(len(output), dtype=torch.float64, device=output.device)
    if layer.has_column or layer.has_control:
        whole = layer.columns_of(layer.a_quantiser().quantise(left), layer.correction())
        taken = whole.expand(output.shape).flatten(1)[here, places]
    return Windows(layer=layer, channels=torch.zeros_like(places), a=a.long(), b=b.long(), products=products, taken=taken)


def _numbers(x: Tensor) -> Tensor:
    return torch.arange(len(x), device=x.device)
