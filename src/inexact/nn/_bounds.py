"""The loop bounds of one layer, as hardware runs it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from inexact.nn.convolutions import ApproxConv1d, ApproxConv3d
from inexact.nn.layers import ApproxConv2d
from inexact.nn.products import ApproxProduct, Product
from inexact.nn.transposed import ApproxConvTranspose2d


def bounds(module: Any, received: tuple[Tensor, ...], output: Tensor) -> dict[str, Any]:
    """The fields of a `LayerWorkload` for a module that took `received` and gave `output`; float32 or emulated.

    A one-dimensional convolution is one pixel high. One over three dimensions is a two-dimensional one for every output plane, whose input
    channels are the planes under it. A transposed one is a matrix product of its input pixels with all taps of the kernel. A product of
    activations is a grouped one, a group for every matrix; its second operand is counted where other layers have weights.
    """
    x = received[0]
    if isinstance(module, (Product, ApproxProduct)):
        return _product(x, received[1], output)
    if isinstance(module, (nn.Conv1d, ApproxConv1d)):
        return _conv(module, x.unsqueeze(2), output.unsqueeze(2), (1, module.weight.shape[2]))
    if isinstance(module, (nn.Conv2d, ApproxConv2d)):
        return _conv(module, x, output, module.weight.shape[2:])
    if isinstance(module, (nn.Conv3d, ApproxConv3d)):
        depth, *kernel = module.weight.shape[2:]
        found = _conv(module, x[:, :, 0], output[:, :, 0], kernel)
        return found | {"batch": x.shape[0] * output.shape[2], "in_channels": x.shape[1] * depth}
    if isinstance(module, (nn.ConvTranspose2d, ApproxConvTranspose2d)):
        taps = output.shape[1] * module.weight[0, 0].numel()
        found = _conv(module, x, x, (1, 1))
        return found | {"kind": "conv_transpose", "out_channels": taps} | _UNIT_STEPS
    rows = x.numel() // x.shape[-1]
    return {"kind": "linear", "in_channels": x.shape[-1], "out_channels": output.shape[-1], "in_h": rows, "out_h": rows}


_UNIT_STEPS = {"stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1}


def _conv(module: Any, x: Tensor, output: Tensor, kernel: Any) -> dict[str, Any]:
    return {
        "kind": "conv",
        "batch": x.shape[0],
        "in_channels": x.shape[1],
        "out_channels": output.shape[1],
        "in_h": x.shape[2],
        "in_w": x.shape[3],
        "out_h": output.shape[2],
        "out_w": output.shape[3],
        "kernel_h": kernel[0],
        "kernel_w": kernel[1],
        "groups": module.groups,
        **_steps(module),
    }


def _steps(module: Any) -> dict[str, int]:
    """Strides and dilations over rows and columns, of a convolution over any number of dimensions: the last two, 1 where there is one."""
    (stride_h, stride_w), (dilation_h, dilation_w) = ((1, *pair)[-2:] for pair in (module.stride, module.dilation))
    return {"stride_h": stride_h, "stride_w": stride_w, "dilation_h": dilation_h, "dilation_w": dilation_w}


def _product(a: Tensor, b: Tensor, output: Tensor) -> dict[str, Any]:
    rows, depth, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    matrices = output.numel() // (rows * columns)
    return {
        "kind": "product",
        "in_channels": matrices * depth,
        "out_channels": matrices * columns,
        "in_h": rows,
        "out_h": rows,
        "groups": matrices,
    }
