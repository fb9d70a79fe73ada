"""What an emulated layer gives when its hardware meets another code, weight or sum than it should: only what changes is computed anew."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from inexact import kernels
from inexact.core.errors import FaultError
from inexact.nn._kinds import Emulated
from inexact.nn._layer import ApproxLayer
from inexact.nn._sums import conv2d
from inexact.nn.layers import ApproxConv2d, ApproxLinear


def require_codes(layer: Emulated) -> None:
    """Raise FaultError unless the operands of a layer are integers of one scale, whose bits are those of the stored words."""
    form = layer.rule.format
    mixed = isinstance(layer, ApproxLayer) and layer.mixture is not None
    if mixed or form.system is not None or form.block is not None or form.a_grid is not None or form.b_grid is not None:
        raise FaultError(
            f"faults are for integers of one scale, which {layer.rule.precision} of layer {layer.name} has not: leave the layer out, "
            "or take int8 or another width"
        )


def require_unpruned_outputs(layer: ApproxLayer) -> None:
    """Raise FaultError where one channel cannot be computed alone: under reductions that change outputs, and where padding is skipped."""
    if layer.reducer is not None and layer.reducer.changes:
        raise FaultError(
            f"this fault is for layers whose reduction leaves outputs as they are, not for {layer.rule.reduction} of layer {layer.name}"
        )
    if layer.skips_padding:
        raise FaultError(f"this fault is for padding that is multiplied, which layer {layer.name} skips: change its padding")


@torch.no_grad()
def outputs_with_all_codes(layer: ApproxLayer, codes: Tensor) -> Tensor:
    """The output for input codes [n, …] before padding; they may lie outside the quantiser's range, as patterns of bits can."""
    a = layer.padded(codes - layer.a_zero) + layer.a_zero
    result = layer.finished(layer.sums(a, layer.b_codes()), a)
    if layer.reducer is not None and layer.reducer.changes:
        result = layer.reducer.apply_to(layer, codes, result)
    return result


@torch.no_grad()
def outputs_with_codes(layer: ApproxLayer, x: Tensor, places: Tensor, codes: Tensor, output: Tensor) -> Tensor:
    """The output when in image i the stored input code at `places[i]` (flat index in x[i]) is `codes[i]`; x [n, …], `output` without that.

    In a convolution only windows that hold the code are computed, in a linear layer only its row.
    """
    whole = layer.skips_padding or (layer.reducer is not None and layer.reducer.changes)
    if isinstance(layer, ApproxConv2d) and layer.padding_mode == "zeros" and not whole:
        return _convolved_near(layer, x, places, codes, output)
    if isinstance(layer, ApproxLinear) and x.dim() > 2 and not whole:
        return _row_of(layer, x, places, codes, output)
    found = layer.a_quantiser().quantise(x).contiguous()
    found.flatten(1)[_images(x), places] = codes.to(found.dtype)
    return outputs_with_all_codes(layer, found)


def _images(x: Tensor) -> Tensor:
    return torch.arange(len(x), device=x.device)


def _row_of(layer: ApproxLinear, x: Tensor, places: Tensor, codes: Tensor, output: Tensor) -> Tensor:
    here, width = _images(x), x.shape[-1]
    row = places // width
    a = layer.a_quantiser().quantise(x.reshape(len(x), -1, width)[here, row])
    a[here, places % width] = codes.to(a.dtype)
    result = output.clone(memory_format=torch.contiguous_format)
    result.reshape(len(x), -1, output.shape[-1])[here, row] = layer.finished(layer.sums(a, layer.b_codes()), a)
    return result


def _convolved_near(layer: ApproxConv2d, x: Tensor, places: Tensor, codes: Tensor, output: Tensor) -> Tensor:
    here = _images(x)
    channel, row, column = places // (x.shape[2] * x.shape[3]), places // x.shape[3] % x.shape[2], places % x.shape[3]
    left, _, top, _ = layer.padding
    rows, row_windows = _reach(row + top, layer, 0, output.shape[2])
    columns, column_windows = _reach(column + left, layer, 1, output.shape[3])
    channels = torch.arange(x.shape[1], device=x.device)
    patch = layer.padded(x)[here[:, None, None, None], channels[None, :, None, None], rows[:, None, :, None], columns[:, None, None, :]]
    a = layer.a_quantiser().quantise(patch)
    row, column = row + top - rows[:, 0], column + left - columns[:, 0]
    read = (row >= 0) & (row < a.shape[2]) & (column >= 0) & (column < a.shape[3])  # strides can step over a code
    a[here[read], channel[read], row[read], column[read]] = codes[read].to(a.dtype)
    result = output.clone(memory_format=torch.contiguous_format)
    outputs = torch.arange(output.shape[1], device=x.device)
    index = (here[:, None, None, None], outputs[None, :, None, None], row_windows[:, None, :, None], column_windows[:, None, None, :])
    result[index] = layer.finished(layer.sums(a, layer.b_codes()), a)
    return result


def _reach(at: Tensor, layer: ApproxConv2d, axis: int, size: int) -> tuple[Tensor, Tensor]:
    """Along one axis, for padded positions [n]: the positions [n, …] under windows that hold each, and those windows [n, …]."""
    stride, spread = layer.stride[axis], layer.dilation[axis] * (layer.weight.shape[2 + axis] - 1)
    count = min(size, spread // stride + 1)
    first = torch.div(at - spread + stride - 1, stride, rounding_mode="floor").clamp(0, size - count)
    windows = first[:, None] + torch.arange(count, device=at.device)
    return first[:, None] * stride + torch.arange((count - 1) * stride + spread + 1, device=at.device), windows


@torch.no_grad()
def outputs_with_weights(layer: ApproxLayer, x: Tensor, places: Tensor, codes: Tensor, output: Tensor) -> Tensor:
    """The output when for image i the weight at `places[i]` (flat index) has code `codes[i]`: one channel of each image is computed.

    Constants that correct for zero points stay: they were made of the weights as they should be. Raises FaultError for layers that are
    neither Conv2d nor Linear.
    """
    require_unpruned_outputs(layer)
    images, kernel = _as_images(layer, x)
    here, outputs, groups = _images(x), layer.weight.shape[0], layer.contraction_groups
    channels, taps = places // math.prod(kernel), places % math.prod(kernel)
    a = images.reshape(len(x), groups, -1, *images.shape[2:])[here, channels // (outputs // groups)]
    spread, weights = _Channels(channels, outputs, 4), layer.b_codes().flatten(1)[channels]
    before = weights[here, taps]
    kept = _channel_of(layer, output, here, channels)
    total = _sums_behind(layer, kept, spread)
    if total is None:
        weights[here, taps] = codes.to(weights.dtype)
        total = _channel_sums(layer, a, weights.reshape(len(x), *kernel), spread)
        if layer.has_column or layer.has_control:
            columns = layer.columns_of(layer.a_quantiser().quantise(layer.padded(x)), layer.correction())
            total -= _channel_of(layer, columns.expand(output.shape), here, channels)
    else:
        total += _tap_changes(layer, a, torch.stack(torch.unravel_index(taps, kernel)), before, codes)
    result = output.clone(memory_format=torch.contiguous_format)
    changed = layer.rescaled(total, spread)
    if isinstance(layer, ApproxConv2d):
        result[here, channels] = changed[:, 0]
    else:
        result.view(len(x), -1, outputs)[here, :, channels] = changed.reshape(len(x), -1)
    return result


def _sums_behind(layer: ApproxLayer, output: Tensor, spread: _Channels) -> Tensor | None:
    """float64, the corrected sums that gave outputs of one channel an image; None where rounding to float32 hides which integers they were,
    and where one product more or less is not a difference of sums."""
    if layer.rule.format.integer_output or layer.rule.sums is not None or layer.guard is not None:
        return None
    scale = spread(layer.scale())
    bias = torch.zeros_like(scale) if layer.bias is None else spread(layer.bias.double())
    rounding = 2.0**-24 * (2 * float(output.abs().max()) + float(bias.abs().max()))  # of the product and of the sum
    if rounding > float(scale.min()) / 4:
        return None
    return torch.round((output.double() - bias) / scale) + spread(layer.fold.double())


def _tap_changes(layer: ApproxLayer, a: Tensor, tap: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """float64 [n, 1, H', W'], what changes of the sums of images [n, C, H, W] when the weight at `tap` [3, n] has another code."""
    (stride, dilation), here = _steps(layer), _images(a)
    size = layer.weight.shape[2:] if isinstance(layer, ApproxConv2d) else (1, 1)
    rows, columns = (
        (tap[1 + axis] * dilation[axis])[:, None]
        + stride[axis] * torch.arange((a.shape[2 + axis] - dilation[axis] * (size[axis] - 1) - 1) // stride[axis] + 1, device=a.device)
        for axis in (0, 1)
    )
    plane = a[here[:, None, None], tap[0][:, None, None], rows[:, :, None], columns[:, None, :]]
    if layer.rule.exact:
        return (plane.double() * (after - before.long()).double()[:, None, None])[:, None]
    codes = layer.arithmetic
    changes = (layer.table[:, codes.b_patterns(after).long()] - layer.table[:, codes.b_patterns(before).long()]).T.double()
    return changes.gather(1, codes.a_patterns(plane).long().flatten(1)).reshape(plane.shape)[:, None]


def _channel_sums(layer: ApproxLayer, a: Tensor, weights: Tensor, spread: _Channels) -> Tensor:
    """float64 [n, 1, H', W'], sums of images [n, C, H, W] with a kernel each, corrected for the zero points of the layer's weights."""
    b = layer.b_codes().double().flatten(1)
    zero = spread(layer.b_zero.double()) if layer.rule.coding == "unsigned" else torch.zeros((), dtype=torch.float64, device=a.device)
    raw = _own_kernels(layer, a, weights)
    return raw - zero * _own_windows(layer, a) - layer.a_zero.double() * (spread(b.sum(1)) - b.shape[1] * zero)


@final
class _Channels:
    """Spreads a constant of every channel, [O] or [1], over results of one channel an image, of `dims` dimensions."""

    def __init__(self, channels: Tensor, outputs: int, dims: int) -> None:
        self.channels = channels
        self.outputs = outputs
        self.shape = (-1, *[1] * (dims - 1))

    def __call__(self, values: Tensor) -> Tensor:
        return values.reshape(-1).expand(self.outputs)[self.channels].reshape(self.shape)


def _as_images(layer: ApproxLayer, x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """Padded codes as images [n, C, H, W], and the shape of one channel's weights over them; a linear layer has its rows as pixels."""
    if isinstance(layer, ApproxConv2d):
        return layer.a_quantiser().quantise(layer.padded(x)), tuple(layer.weight.shape[1:])
    if isinstance(layer, ApproxLinear):
        rows = x.reshape(len(x), -1, x.shape[-1]).transpose(1, 2)
        return layer.a_quantiser().quantise(rows[..., None]), (x.shape[-1], 1, 1)
    raise FaultError(f"faults of single weights and sums are for Conv2d and Linear layers, not for layer {layer.name}: leave it out")


def _steps(layer: ApproxLayer) -> tuple[tuple[int, int], tuple[int, int]]:
    return (layer.stride, layer.dilation) if isinstance(layer, ApproxConv2d) else ((1, 1), (1, 1))


def _own_kernels(layer: ApproxLayer, a: Tensor, weights: Tensor) -> Tensor:
    """float64 [n, 1, H', W'], sums of raw products of images [n, C, H, W] with a kernel each: one convolution of n groups."""
    (stride, dilation), joined = _steps(layer), a.reshape(1, -1, *a.shape[2:])
    if layer.rule.exact:
        peak = 2**layer.rule.format.a_bits
        sums = kernels.exact_conv2d(joined, weights, stride, 0, dilation, len(a), peak=peak, dtype=torch.float64)
    else:
        patterns = layer.arithmetic.a_patterns(joined), layer.arithmetic.b_patterns(weights)
        sums = conv2d(layer.rule, *patterns, layer.table, stride, dilation, len(a)).double()
    return sums.transpose(0, 1)


def _own_windows(layer: ApproxLayer, a: Tensor) -> Tensor:
    """float64 [n, 1, H', W'], sums of the codes under each window."""
    stride, dilation = _steps(layer)
    size = layer.weight.shape[2:] if isinstance(layer, ApproxConv2d) else (1, 1)
    ones = torch.ones(1, 1, *size, dtype=torch.float64, device=a.device)
    return F.conv2d(a.sum(1, keepdim=True, dtype=torch.float64), ones, stride=stride, dilation=dilation)


def _channel_of(layer: ApproxLayer, values: Tensor, here: Tensor, channels: Tensor) -> Tensor:
    """[n, 1, H', W'], one channel of every output; rows of a linear layer are pixels."""
    if isinstance(layer, ApproxConv2d):
        return values[here, channels][:, None]
    return values.reshape(len(here), -1, values.shape[-1])[here, :, channels][:, None, :, None]
