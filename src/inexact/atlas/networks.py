"""Networks that works are evaluated on: parameters and multiply-accumulates computed from their definitions, never typed in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from inexact.atlas import _definitions as definitions
from inexact.atlas import _inception as inception
from inexact.atlas._shapes import Size, Trace
from inexact.atlas.works import works

TIERS = {1: "below 1 M", 2: "1 M to 100 M", 3: "100 M to 1 G", 4: "1 G and more"}
"""Multiply-accumulates of one inference, by tier."""

_STEPS = (10**6, 10**8, 10**9)
_KINDS = (
    (re.compile(r"MLPs?|ANNs|LeNet.*"), 1, None),
    (re.compile(r"((a third|five) )?ResNets?"), 2, 4),
    (re.compile(r"VGG.*"), 3, 4),
    (re.compile(r"Inception-v4|ViTs|ViT models|LLMs|GPT-3 class LLMs"), None, 4),
    (re.compile(r"MobileNet"), None, 3),
)
"""Kinds of networks without a definite size -> the tier that all their usual members share: on small images, on those of ImageNet."""

SMALL_SIDE = 64
"""Images up to so many rows are those of small data sets."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network with a definition. aliases: as works name it. side: rows of its input; small: whether these are images of a small data set.

    assumed: works name the network but not how they cut it down for small images; the definition here is the usual one.
    """

    name: str
    aliases: tuple[str, ...]
    build: Callable[[], Trace]
    small: bool
    assumed: bool = False

    @property
    def size(self) -> Size:
        """What one inference takes."""
        return _sizes(self.name)


_BLOCKS = {"ResNet-18": (2, 2, 2, 2), "ResNet-50": (3, 4, 6, 3), "ResNet-101": (3, 4, 23, 3)}


def _networks() -> list[Network]:
    made = [
        Network(name="MLP 784-300-10", aliases=(), build=partial(definitions.mlp, 784, 300, 10), small=True),
        Network(name="MLP 960-8-9", aliases=("3-layer MLP 960-8-9",), build=partial(definitions.mlp, 960, 8, 9), small=True),
        Network(name="MLP 784-50-10", aliases=("MLP 50 hidden neurons",), build=partial(definitions.mlp, 784, 50, 10), small=True),
        Network(name="LeNet-5", aliases=("LeNet",), build=definitions.lenet5, small=True),
        Network(name="AlexNet", aliases=(), build=definitions.alexnet, small=False),
        Network(name="VGG-16", aliases=("VGG16", "VGG-16 and others"), build=partial(definitions.vgg, 16), small=False),
        Network(name="VGG-16, small images", aliases=("VGG16", "VGG-16", "VGG-16 and others"), small=True, assumed=True,
                build=partial(definitions.vgg, 16, side=32, classes=10)),
        Network(name="VGG-11, small images", aliases=("VGG-11",), small=True, assumed=True,
                build=partial(definitions.vgg, 11, side=32, classes=10)),
        Network(name="SqueezeNet", aliases=(), build=definitions.squeezenet, small=False),
        Network(name="MobileNetV2", aliases=(), build=definitions.mobilenet_v2, small=False),
        Network(name="GoogLeNet", aliases=(), build=inception.googlenet, small=False),
        Network(name="Inception-v3", aliases=(), build=inception.inception_v3, small=False),
        Network(name="ViT-B/16", aliases=(), build=partial(definitions.vit, 768), small=False),
        Network(name="DeiT-S", aliases=(), build=partial(definitions.vit, 384), small=False),
    ]  # fmt: skip
    for name, depths in _BLOCKS.items():
        build = partial(definitions.resnet, depths, wide=name != "ResNet-18")
        made.append(Network(name=name, aliases=(name.replace("-", ""),), build=build, small=False))
    small = partial(definitions.resnet, _BLOCKS["ResNet-18"], wide=False, side=32, classes=10)
    made.append(Network(name="ResNet-18, small images", aliases=("ResNet-18", "ResNet18"), build=small, small=True, assumed=True))
    for depth in (8, 14, 20, 32, 50, 56):
        build = partial(definitions.resnet_small, depth)
        name = f"ResNet-{depth}, small images" if depth == 50 else f"ResNet-{depth}"
        made.append(Network(name=name, aliases=(f"ResNet-{depth}", f"ResNet{depth}"), build=build, small=True, assumed=depth == 50))
    return made


@lru_cache(maxsize=1)
def known() -> dict[str, Network]:
    """The networks defined here, by name."""
    return {network.name: network for network in _networks()}


@lru_cache(maxsize=64)
def _sizes(name: str) -> Size:
    return known()[name].build().size()


def defined(text: str, *, small: bool) -> Network | None:
    """The network a work names, on images of small data sets or of ImageNet; None when its size is not known."""
    wanted = text.lower()
    fitting = (network for network in known().values() if network.small == small)
    return next((network for network in fitting if wanted in (alias.lower() for alias in (*network.aliases, network.name))), None)


def tier(macs: float) -> int:
    """The size tier, 1..4."""
    return 1 + sum(macs >= step for step in _STEPS)


def tier_of_kind(text: str, *, small: bool) -> int | None:
    """The tier of a kind of network such as "ResNets", None when its members are of several."""
    found = next((tiers for pattern, *tiers in _KINDS if pattern.fullmatch(text)), (None, None))
    return found[0] if small else found[1]


@lru_cache(maxsize=1)
def named() -> dict[str, set[str]]:
    """What networks may be called, in small letters -> keys of the works that were evaluated on them."""
    found: dict[str, set[str]] = {}
    for work in works().values():
        for text in work.networks:
            found.setdefault(text.lower(), set()).add(work.key)
    for network in known().values():
        names = {alias.lower() for alias in (network.name, *network.aliases)}
        together = set().union(*(found.get(name, set()) for name in names))
        if together:
            found |= {name: found.get(name, set()) | together for name in names}
    return found
