"""Networks that works are evaluated on: parameters and multiply-accumulates computed from their definitions, never typed in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from inexact.atlas import _definitions as definitions
from inexact.atlas import _inception as inception
from inexact.atlas._shapes import Size, Trace
from inexact.atlas.datasets import SMALL_SIDE
from inexact.atlas.works import works

TIERS = {1: "below 1 M", 2: "1 M to 100 M", 3: "100 M to 1 G", 4: "1 G and more"}
"""Multiply-accumulates of one inference, by tier."""

_STEPS = (10**6, 10**8, 10**9)
_KINDS = (
    (re.compile(r"MLP.*|ANNs|LeNet.*"), 1, None),
    (re.compile(r"((a third|five) )?ResNets?"), 2, 4),
    (re.compile(r"VGG.*"), 3, 4),
    (re.compile(r"Inception-v4|ViTs|ViT models|LLMs|GPT-3 class LLMs"), None, 4),
    (re.compile(r"MobileNet"), None, 3),
)
"""Kinds of networks without a definite size -> the tier that all their usual members share: on small images, on those of ImageNet."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a network takes and tells apart: channels, rows and columns of an image, classes."""

    channels: int
    side: int
    classes: int


COLOUR, GREY, LARGE = (Image(channels=c, side=s, classes=n) for c, s, n in ((3, 32, 10), (1, 32, 10), (3, 224, 1000)))

Build = Callable[[Image], Trace]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network with a definition. aliases: as works name it. native: the images it is defined for.

    small: whether it is for small data sets; it then fits the images of each, but a perceptron only those of as many values as it has
    inputs. assumed: works name the network but not how they cut it down for small images; the definition here is the usual one.
    """

    name: str
    aliases: tuple[str, ...]
    build: Build
    native: Image
    assumed: bool = False
    inputs: int | None = None

    @property
    def small(self) -> bool:
        """Whether it is for small images."""
        return self.native.side <= SMALL_SIDE

    @property
    def size(self) -> Size:
        """What one inference takes on the images that the network is defined for."""
        return _size(self.name, self.native)


@dataclass(frozen=True, kw_only=True)
class Sized:
    """A network on the images of a data set. assumed: the size is that of the usual definition, not of one that the work gives."""

    network: Network
    size: Size
    assumed: bool


_BLOCKS = {"ResNet-18": (2, 2, 2, 2), "ResNet-50": (3, 4, 6, 3), "ResNet-101": (3, 4, 23, 3)}


def _fixed(build: Callable[[], Trace]) -> Build:
    return lambda _: build()


def _fitted(build: Callable[..., Trace]) -> Build:
    return lambda image: build(channels=image.channels, side=image.side, classes=image.classes)


def _perceptron(name: str, widths: tuple[int, ...], *aliases: str) -> Network:
    build = _fixed(partial(definitions.mlp, *widths))
    return Network(name=name, aliases=aliases, build=build, native=GREY, inputs=widths[0])


def _large(name: str, build: Callable[[], Trace], *aliases: str) -> Network:
    return Network(name=name, aliases=aliases, build=_fixed(build), native=LARGE)


def _cut_down(name: str, build: Callable[..., Trace], *aliases: str) -> Network:
    return Network(name=f"{name}, small images", aliases=(name, *aliases), build=_fitted(build), native=COLOUR, assumed=True)


def _networks() -> list[Network]:
    vgg16 = ("VGG16", "VGG-16 and others")
    lenet = Network(
        name="LeNet-5",
        aliases=("LeNet",),
        build=lambda image: definitions.lenet5(channels=image.channels, classes=image.classes),
        native=GREY,
    )
    made = [
        _perceptron("MLP 784-300-10", (784, 300, 10)),
        _perceptron("MLP 960-8-9", (960, 8, 9), "3-layer MLP 960-8-9"),
        _perceptron("MLP 784-50-10", (784, 50, 10), "MLP 50 hidden neurons"),
        lenet,
        _large("AlexNet", definitions.alexnet),
        _large("VGG-16", partial(definitions.vgg, 16), *vgg16),
        _cut_down("VGG-16", partial(definitions.vgg, 16), *vgg16),
        _cut_down("VGG-11", partial(definitions.vgg, 11)),
        _large("SqueezeNet", definitions.squeezenet),
        _large("MobileNetV2", definitions.mobilenet_v2),
        _large("GoogLeNet", inception.googlenet),
        _large("Inception-v3", inception.inception_v3),
        _large("ViT-B/16", partial(definitions.vit, 768)),
        _large("DeiT-S", partial(definitions.vit, 384)),
        _cut_down("ResNet-18", partial(definitions.resnet, _BLOCKS["ResNet-18"], wide=False), "ResNet18"),
        _cut_down("ResNet-50", partial(definitions.resnet_small, 50), "ResNet50"),
    ]
    for name, depths in _BLOCKS.items():
        made.append(_large(name, partial(definitions.resnet, depths, wide=name != "ResNet-18"), name.replace("-", "")))
    for depth in (8, 14, 20, 32, 56):
        build = _fitted(partial(definitions.resnet_small, depth))
        made.append(Network(name=f"ResNet-{depth}", aliases=(f"ResNet{depth}",), build=build, native=COLOUR))
    return made


@lru_cache(maxsize=1)
def known() -> dict[str, Network]:
    """The networks defined here, by name."""
    return {network.name: network for network in _networks()}


@lru_cache(maxsize=256)
def _size(name: str, image: Image) -> Size:
    return known()[name].build(image).size()


def defined(text: str, *, small: bool) -> Network | None:
    """The network a work names, for images of small data sets or of ImageNet; None when none is defined."""
    wanted = text.lower()
    fitting = (network for network in known().values() if network.small == small)
    return next((network for network in fitting if wanted in (alias.lower() for alias in (*network.aliases, network.name))), None)


def sized(text: str, image: Image | None, *, small: bool) -> Sized | None:
    """The network a work names on the images of a data set (None: not known); None when its size is not known there."""
    network = defined(text, small=small)
    if network is None or image is None or not small:
        return None if network is None else Sized(network=network, size=network.size, assumed=network.assumed)
    if network.inputs is not None and network.inputs != image.channels * image.side**2:
        return None
    other = network.inputs is None and image.channels != network.native.channels
    shown = Image(channels=image.channels, side=max(image.side, network.native.side), classes=image.classes)
    return Sized(network=network, size=_size(network.name, shown), assumed=network.assumed or other)


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
