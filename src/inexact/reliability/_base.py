"""The family of faults: what breaks, how many places there are for it, and what the broken hardware computes."""

from __future__ import annotations

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact.core.errors import FaultError, SpecError, near
from inexact.core.registry import Family, spec_of
from inexact.reliability._subject import Place, Subject

Where = Literal["weight", "activation", "output", "product", "accumulator", "register", "lut_entry", "config", "control", "pe", "memory"]
"""What is hit. activation: a stored input code of a layer; output: the code it hands on; register: a latch inside an element."""

Kind = Literal["flip", "stuck0", "stuck1", "previous_value", "random"]
Persistence = Literal["transient", "per_image", "permanent"]

MANY_SITES = 1_000_000
"""Sites of a stratum from which on the same one is hardly drawn twice."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Site:
    """One place where something breaks. layer: name, "" for hardware that all layers share. index: place in the tensor, or (row, column)
    of an element, or whatever tells such places apart; bit: 0 is the least significant; None where whole words break."""

    layer: str
    tensor: Where
    index: tuple[int, ...]
    bit: int | None
    kind: Kind
    persistence: Persistence


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """A group of sites that are likely to matter alike, numbered 0 … size - 1. part: what tells it from others of the same layer, tensor
    and bit; "" where nothing else does."""

    layer: str
    tensor: Where
    bit: int | None
    size: int
    part: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Struck:
    """One layer on n images as it is without a fault. inputs: what enters it, one or two tensors [n, …] of float32, channels divided where
    the layer divides them; output: [n, …]."""

    place: Place
    inputs: tuple[Tensor, ...]
    output: Tensor


class Fault(ABC):
    """A model of what breaks. Members are frozen dataclasses, and are either an `ImageFault` or a `ChipFault`.

    `strata` and `site` say what can break, `draw` picks from it; nothing here depends on data.
    """

    family_name: ClassVar[str]
    persistence: ClassVar[Persistence]

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    @final
    def population(self, subject: Subject) -> tuple[Stratum, ...]:
        """The strata that have sites. Raises FaultError when there is none, and what the member raises for layers or bits there are not."""
        found = tuple(stratum for stratum in self.strata(subject) if stratum.size > 0)
        if not found:
            raise FaultError(f"{self.spec} must find something to break, but this network under this plan has no such place: {self.needs}")
        return found

    @property
    def needs(self) -> str:
        """What to do about an empty population, for messages."""
        return "give it other layers or another plan"

    @abstractmethod
    def strata(self, subject: Subject) -> Iterable[Stratum]:
        """Every group of sites."""

    @abstractmethod
    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """What number `number` of a stratum is."""


class ImageFault(Fault):
    """A fault that one image meets and the next does not: many are computed at once, one a sample, each in a layer of its own copy."""

    persistence: ClassVar[Persistence] = "transient"

    @final
    def draw(self, stratum: Stratum, count: int, generator: np.random.Generator) -> Numbers:
        """`count` sites, each drawn from all of the stratum: the same place can break for two images."""
        return generator.integers(0, stratum.size, count, dtype=np.int64)

    @abstractmethod
    def strike(self, struck: Struck, strata: Sequence[Stratum], numbers: Numbers) -> Tensor:
        """What the layer gives when image i meets site `numbers[i]` of `strata[i]`, all strata of this layer: float32 [n, …], bit for bit.

        `struck` is not changed.
        """


class ChipFault(Fault):
    """A fault that a chip has for good: one broken network, judged on many images."""

    persistence: ClassVar[Persistence] = "permanent"

    @final
    def draw(self, stratum: Stratum, count: int, generator: np.random.Generator) -> Numbers:
        """`count` sites of the stratum, all different where it has at most a million; the first ones are those of a smaller count."""
        if stratum.size <= MANY_SITES:
            return generator.permutation(stratum.size)[:count].astype(np.int64)
        return generator.integers(0, stratum.size, count, dtype=np.int64)

    @abstractmethod
    def faulty(self, subject: Subject, site: Site) -> nn.Module:
        """A network that computes exactly what the broken chip computes; `subject.net` is not changed, but may share parameters with it."""


def bits_of(strata: Sequence[Stratum]) -> Tensor:
    """int64 [n], the bit of each stratum."""
    return torch.tensor([0 if stratum.bit is None else stratum.bit for stratum in strata], dtype=torch.int64)


def index_of(number: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Where element `number`, counted with the last dimension fastest, lies in a tensor of this shape."""
    return tuple(int(i) for i in np.unravel_index(number, tuple(shape)))


faults: Family[Fault] = Family("fault", "inexact.reliability")


def chosen_places(subject: Subject, layers: tuple[str, ...]) -> list[Place]:
    """The layers that names or globs choose, all of them for (); FaultError for one that matches nothing."""
    for pattern in layers:
        if not fnmatch.filter(subject.places, pattern):
            raise FaultError(
                f"layers of a fault must be emulated layers of the network; none is called {pattern!r}{near(pattern, subject.places)} "
                f"Layers: {', '.join(subject.places)}"
            )
    return [place for name, place in subject.places.items() if not layers or any(fnmatch.fnmatchcase(name, pattern) for pattern in layers)]


def chosen_bits(bits: tuple[int, ...], width: int, word: str) -> tuple[int, ...]:
    """The bits that are chosen of a word `width` bits wide, all of them for (); FaultError for one beyond."""
    for bit in bits:
        if bit >= width:
            raise FaultError(f"bits of {word} must be 0..{width - 1}, as it has {width} bits, not {bit}; choose lower bits")
    return bits or tuple(range(width))


def as_bits(bits: int | tuple[int, ...]) -> tuple[int, ...]:
    """Bits of a spec, where one may stand alone. Raises SpecError for what are no different bit numbers."""
    found = (bits,) if isinstance(bits, int) else bits
    whole = isinstance(found, tuple) and all(isinstance(bit, int) and not isinstance(bit, bool) and bit >= 0 for bit in found)
    if not whole or len(set(found)) != len(found):
        raise SpecError(f"bits must be different bit numbers from 0 on, as in (6,7), not {bits!r}")
    return found


def as_layers(layers: str | tuple[str, ...]) -> tuple[str, ...]:
    """Layers of a spec, where one may stand alone. Raises SpecError for what are no names."""
    found = (layers,) if isinstance(layers, str) else layers
    if not isinstance(found, tuple) or not all(isinstance(name, str) and name for name in found):
        raise SpecError(f"layers must be names or globs, as in ('conv1','stage1.*'), not {layers!r}")
    return found
