"""Definitions of the networks that works are evaluated on, after the papers and their common implementations; input and classes as there.

Auxiliary classifiers, which serve training alone, are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from inexact.atlas._shapes import Trace


def mlp(*widths: int) -> Trace:
    """A multilayer perceptron of given widths, the input first."""
    net = Trace(widths[0], 1, 1)
    for width in widths[1:]:
        net.linear(width)
    return net


def lenet5(*, channels: int = 1, classes: int = 10) -> Trace:
    """LeNet-5 on 32 x 32 inputs, all maps connected, as commonly built. Reference: doi:10.1109/5.726791"""
    net = (
        Trace(channels, 32, 32)
        .conv(6, 5, padding=0, bias=True, norm=False)
        .pool(2, 2)
        .conv(16, 5, padding=0, bias=True, norm=False)
        .pool(2, 2)
    )
    return net.linear(120).linear(84).linear(classes)


def alexnet() -> Trace:
    """AlexNet in one column. Reference: A. Krizhevsky, One weird trick for parallelizing convolutional networks, arXiv:1404.5997"""
    plain = {"bias": True, "norm": False}
    net = Trace(3, 224, 224).conv(64, 11, stride=4, padding=2, **plain).pool(3, 2).conv(192, 5, **plain).pool(3, 2)
    net.conv(384, 3, **plain).conv(256, 3, **plain).conv(256, 3, **plain).pool(3, 2)
    return net.linear(4096).linear(4096).linear(1000)


_VGG = {
    11: (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0),
    16: (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0),
}
"""Channels of the convolutions; 0: pooling."""


def vgg(depth: int, *, channels: int = 3, side: int = 224, classes: int = 1000) -> Trace:
    """VGG; on small images with one linear layer instead of three. Reference: K. Simonyan, A. Zisserman, arXiv:1409.1556"""
    small = side < 224
    net = Trace(channels, side, side)
    for width in _VGG[depth]:
        if width:
            net.conv(width, 3, bias=True, norm=small)
        else:
            net.pool(2, 2)
    return net.linear(classes) if small else net.linear(4096).linear(4096).linear(classes)


def _basic(channels: int, stride: int) -> Callable[[Trace], Trace]:
    return lambda net: net.conv(channels, 3, stride=stride).conv(channels, 3)


def _bottleneck(channels: int, stride: int) -> Callable[[Trace], Trace]:
    return lambda net: net.conv(channels, 1).conv(channels, 3, stride=stride).conv(4 * channels, 1)


def _stages(net: Trace, depths: tuple[int, ...], widths: tuple[int, ...], *, wide: bool, projected: bool = True) -> Trace:
    """Residual stages; the first block of a stage halves the image, but not that of the first stage."""
    for place, (depth, channels) in enumerate(zip(depths, widths, strict=True)):
        for block in range(depth):
            stride = 2 if place and not block else 1
            outputs = 4 * channels if wide else channels
            path = _bottleneck(channels, stride) if wide else _basic(channels, stride)
            changes = stride > 1 or net.channels != outputs
            shortcut = partial(_shortcut, outputs=outputs, stride=stride) if changes and projected else None
            net.residual(path, shortcut)
    return net


def _shortcut(net: Trace, *, outputs: int, stride: int) -> Trace:
    return net.conv(outputs, 1, stride=stride)


def resnet(depths: tuple[int, ...], *, wide: bool, channels: int = 3, side: int = 224, classes: int = 1000) -> Trace:
    """ResNet of four stages; on small images a 3 x 3 stem without pooling. Reference: doi:10.1109/CVPR.2016.90, table 1"""
    net = Trace(channels, side, side)
    net = net.conv(64, 3) if side < 224 else net.conv(64, 7, stride=2).pool(3, 2, padding=1)
    return _stages(net, depths, (64, 128, 256, 512), wide=wide).average().linear(classes)


def resnet_small(depth: int, *, channels: int = 3, side: int = 32, classes: int = 10) -> Trace:
    """ResNet of depth 6n + 2 for small images, shortcuts without parameters. Reference: doi:10.1109/CVPR.2016.90, section 4.2"""
    blocks = (depth - 2) // 6
    net = Trace(channels, side, side).conv(16, 3)
    return _stages(net, (blocks,) * 3, (16, 32, 64), wide=False, projected=False).average().linear(classes)


def squeezenet() -> Trace:
    """SqueezeNet 1.0. Reference: F. Iandola et al., arXiv:1602.07360"""
    plain = {"bias": True, "norm": False}

    def fire(net: Trace, squeeze: int, expand: int) -> Trace:
        net.conv(squeeze, 1, **plain)
        return net.branches(lambda path: path.conv(expand, 1, **plain), lambda path: path.conv(expand, 3, **plain))

    net = Trace(3, 224, 224).conv(96, 7, stride=2, padding=0, **plain).pool(3, 2, ceil=True)
    for squeeze, expand in ((16, 64), (16, 64), (32, 128)):
        fire(net, squeeze, expand)
    net.pool(3, 2, ceil=True)
    for squeeze, expand in ((32, 128), (48, 192), (48, 192), (64, 256)):
        fire(net, squeeze, expand)
    return fire(net.pool(3, 2, ceil=True), 64, 256).conv(1000, 1, **plain)


def mobilenet_v2() -> Trace:
    """MobileNetV2 of width 1. Reference: M. Sandler et al., doi:10.1109/CVPR.2018.00474, table 2"""
    net = Trace(3, 224, 224).conv(32, 3, stride=2)
    for expand, channels, repeats, first in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for block in range(repeats):
            hidden = expand * net.channels
            if expand > 1:
                net.conv(hidden, 1)
            net.conv(hidden, 3, stride=1 if block else first, groups=hidden).conv(channels, 1)
    return net.conv(1280, 1).average().linear(1000)


def vit(width: int, *, depth: int = 12, side: int = 224, patch: int = 16, classes: int = 1000) -> Trace:
    """Vision transformer with a class token. References: A. Dosovitskiy et al., arXiv:2010.11929; H. Touvron et al., arXiv:2012.12877"""
    net = Trace(3, side, side).conv(width, patch, stride=patch, padding=0, bias=True, norm=False)
    tokens = net.height * net.width + 1
    net.extra((tokens + 1) * width)
    for _ in range(depth):
        net.block(tokens, width, 4 * width)
    return net.average().extra(2 * width).linear(classes)
