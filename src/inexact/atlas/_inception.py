"""GoogLeNet and Inception-v3: networks of parallel paths, without their auxiliary classifiers."""

from __future__ import annotations

from inexact.atlas._shapes import Trace


def googlenet() -> Trace:
    """GoogLeNet as commonly built: with batch normalisation, 3 x 3 in place of 5 x 5. Reference: C. Szegedy et al., arXiv:1409.4842"""

    def module(net: Trace, one: int, to_three: int, three: int, to_five: int, five: int, pooled: int) -> Trace:
        return net.branches(
            lambda path: path.conv(one, 1),
            lambda path: path.conv(to_three, 1).conv(three, 3),
            lambda path: path.conv(to_five, 1).conv(five, 3),
            lambda path: path.conv(pooled, 1),
        )

    net = Trace(3, 224, 224).conv(64, 7, stride=2).pool(3, 2, ceil=True).conv(64, 1).conv(192, 3).pool(3, 2, ceil=True)
    module(net, 64, 96, 128, 16, 32, 32)
    module(net, 128, 128, 192, 32, 96, 64).pool(3, 2, ceil=True)
    module(net, 192, 96, 208, 16, 48, 64)
    module(net, 160, 112, 224, 24, 64, 64)
    module(net, 128, 128, 256, 24, 64, 64)
    module(net, 112, 144, 288, 32, 64, 64)
    module(net, 256, 160, 320, 32, 128, 128).pool(2, 2, ceil=True)
    module(net, 256, 160, 320, 32, 128, 128)
    module(net, 384, 192, 384, 48, 128, 128)
    return net.average().linear(1000)


def inception_v3() -> Trace:
    """Inception-v3 on 299 x 299 images. Reference: C. Szegedy et al., doi:10.1109/CVPR.2016.308"""
    net = Trace(3, 299, 299).conv(32, 3, stride=2, padding=0).conv(32, 3, padding=0).conv(64, 3).pool(3, 2)
    net.conv(80, 1).conv(192, 3, padding=0).pool(3, 2)
    for pooled in (32, 64, 64):
        _small(net, pooled)
    net.branches(
        lambda path: path.conv(384, 3, stride=2, padding=0),
        lambda path: path.conv(64, 1).conv(96, 3).conv(96, 3, stride=2, padding=0),
        lambda path: path.pool(3, 2),
    )
    for inner in (128, 160, 160, 192):
        _seven(net, inner)
    net.branches(
        lambda path: path.conv(192, 1).conv(320, 3, stride=2, padding=0),
        lambda path: path.conv(192, 1).conv(192, (1, 7)).conv(192, (7, 1)).conv(192, 3, stride=2, padding=0),
        lambda path: path.pool(3, 2),
    )
    return _wide(_wide(net)).average().linear(1000)


def _small(net: Trace, pooled: int) -> Trace:
    return net.branches(
        lambda path: path.conv(64, 1),
        lambda path: path.conv(48, 1).conv(64, 5),
        lambda path: path.conv(64, 1).conv(96, 3).conv(96, 3),
        lambda path: path.conv(pooled, 1),
    )


def _seven(net: Trace, inner: int) -> Trace:
    return net.branches(
        lambda path: path.conv(192, 1),
        lambda path: path.conv(inner, 1).conv(inner, (1, 7)).conv(192, (7, 1)),
        lambda path: path.conv(inner, 1).conv(inner, (7, 1)).conv(inner, (1, 7)).conv(inner, (7, 1)).conv(192, (1, 7)),
        lambda path: path.conv(192, 1),
    )


def _wide(net: Trace) -> Trace:
    def split(path: Trace) -> Trace:
        return path.branches(lambda half: half.conv(384, (1, 3)), lambda half: half.conv(384, (3, 1)))

    return net.branches(
        lambda path: path.conv(320, 1),
        lambda path: split(path.conv(384, 1)),
        lambda path: split(path.conv(448, 1).conv(384, 3)),
        lambda path: path.conv(192, 1),
    )
