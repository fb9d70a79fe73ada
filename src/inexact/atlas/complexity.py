"""How hard an evaluation was: data set and network scored, tiers, and where the field's works lie. What is missing stays missing.

Data set: D = log10(classes) + log2(values per image / 784) / 4 + log10(training images / 10,000) / 2. Network: N = log10(MACs of one
inference). Evaluation: E = data_weight D + network_weight N. The scores order evaluations; their differences have no unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log2, log10
from typing import Any

from inexact.atlas import datasets, networks
from inexact.atlas.datasets import Described
from inexact.atlas.figures import Figure, figures
from inexact.atlas.links import links
from inexact.atlas.networks import Image, Sized
from inexact.atlas.works import Work, works
from inexact.core.families import FAMILIES


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How much data set and network count in E."""

    data: float = 1.0
    network: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The hardest evaluation of a work: its hardest data set and its largest network whose size is known.

    data, network: None where the work names none that is described or defined here, or does not tell which network goes with the data;
    missing says so. network_tier: of the network's size,
    or of the kind that the work names. remembered: data sets or networks are from memory. score: E, None without both.
    """

    work: str
    family: str
    year: int
    data: Described | None
    network: Sized | None
    network_tier: int | None
    score: float | None
    missing: str | None
    remembered: bool

    @property
    def cell(self) -> tuple[int, int] | None:
        """(data-set tier, network tier), None without both."""
        return None if self.data is None or self.network_tier is None else (self.data.tier, self.network_tier)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        size = None if self.network is None else self.network.size
        return {
            "work": self.work,
            "family": self.family,
            "year": self.year,
            "data": None if self.data is None else self.data.name,
            "data_tier": None if self.data is None else self.data.tier,
            "network": None if self.network is None else self.network.network.name,
            "macs": None if size is None else size.macs,
            "parameters": None if size is None else size.parameters,
            "layers": None if size is None else size.layers,
            "depthwise": None if size is None else size.depthwise,
            "attention": None if size is None else size.attention,
            "network_tier": self.network_tier,
            "score": self.score,
            "assumed": self.network is not None and self.network.assumed,
            "remembered": self.remembered,
            "missing": self.missing,
        }


def data_score(data: Described) -> float | None:
    """D, None for a data set without classes, images or a settled size."""
    if data.classes is None or data.values is None or data.train is None:
        return None
    return log10(data.classes) + log2(data.values / 784) / 4 + log10(data.train / 1e4) / 2


def network_score(macs: float) -> float:
    """N."""
    return log10(macs)


def score(data: Described | None, macs: float | None, weights: Weights | None = None) -> float | None:
    """E, None without a score of both."""
    taken = weights or Weights()
    hardness = None if data is None else data_score(data)
    return None if hardness is None or macs is None else taken.data * hardness + taken.network * network_score(macs)


def evaluation(work: Work, weights: Weights | None = None) -> Evaluation:
    """Where a work's hardest evaluation lies."""
    data = hardest(work.datasets)
    names = tuple(dict.fromkeys((*work.networks, *work.recalled.get("networks", ()))))
    told = data is not None and _told(work, names, data)
    network = largest(names, data) if data is not None and told else None
    tier = _tier(names, network, data) if data is not None and told else None
    if network is not None and tier != networks.tier(network.size.macs):
        network = None  # a larger one, of unknown size, is named too
    return Evaluation(
        work=work.key,
        family=work.family,
        year=work.year,
        data=data,
        network=network,
        network_tier=tier,
        score=score(data, None if network is None else network.size.macs, weights),
        missing=_missing(work, data, network),
        remembered=work.remembered("datasets") or work.remembered("networks"),
    )


def _told(work: Work, names: tuple[str, ...], data: Described) -> bool:
    """Whether the networks are known to be evaluated on this data set.

    A work on several small data sets may have a network for each: unless all are of known tier, the largest may belong to another.
    """
    described = [found for name in work.datasets if (found := datasets.described(name)) is not None and found.small]
    if not data.small or len(described) < 2:
        return True
    return all(_tier([name], largest([name], data), data) is not None for name in names)


def _missing(work: Work, data: Described | None, network: Sized | None) -> str | None:
    if data is None:
        return f"{', '.join(work.datasets)}: not described here" if work.datasets else "no data set recorded"
    if network is None:
        return f"{', '.join(work.networks)}: size not known on {data.title}" if work.networks else "no network recorded"
    return None if data_score(data) is not None else f"{data.title} has no score"


def hardest(names: Iterable[str]) -> Described | None:
    """The data set of highest tier, then score, among those that are described here."""
    found = [data for name in names if (data := datasets.described(name)) is not None]
    return max(found, key=lambda data: (data.tier, data_score(data) or 0.0), default=None)


def largest(names: Iterable[str], data: Described) -> Sized | None:
    """The network of most multiply-accumulates among those whose size is known on the images of a data set."""
    image = None if data.shape is None else Image(channels=data.shape[0], side=data.shape[1], classes=data.classes or 10)
    found = [network for name in names if (network := networks.sized(name, image, small=data.small)) is not None]
    return max(found, key=lambda network: network.size.macs, default=None)


def _tier(names: Iterable[str], network: Sized | None, data: Described) -> int | None:
    kinds = [tier for name in names if (tier := networks.tier_of_kind(name, small=data.small)) is not None]
    return max([*kinds, *([] if network is None else [networks.tier(network.size.macs)])], default=None)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A reported figure with the evaluation it is for. score: None where data set or network are not known."""

    figure: Figure
    family: str
    score: float | None


@dataclass(frozen=True, kw_only=True)
class Field:
    """All evaluations of works with a technique (surveys left out), and their figures."""

    evaluations: tuple[Evaluation, ...]
    figures: tuple[Placed, ...]

    @property
    def placed(self) -> tuple[Evaluation, ...]:
        """Those in a cell of the map."""
        return tuple(found for found in self.evaluations if found.cell is not None)


def field(weights: Weights | None = None) -> Field:
    """The shipped catalogue on the map."""
    techniques = [work for work in works().values() if links()[work.key].status != "none"]
    found = {work.key: evaluation(work, weights) for work in techniques}
    return Field(evaluations=tuple(found.values()), figures=tuple(_placed(figure, found, weights) for figure in figures()))


def _placed(figure: Figure, known: dict[str, Evaluation], weights: Weights | None) -> Placed:
    whole = known[figure.work]
    data = whole.data if figure.data is None else datasets.described(figure.data)
    network = whole.network
    if data is not None and (figure.network is not None or data != whole.data):
        network = largest([figure.network] if figure.network else works()[figure.work].networks, data)
    macs = None if network is None else network.size.macs
    return Placed(figure=figure, family=whole.family, score=score(data, macs, weights))


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A cell of the map in which a family has no work."""

    family: str
    data_tier: int
    network_tier: int

    def text(self) -> str:
        """In words."""
        size, data = networks.TIERS[self.network_tier], datasets.TIERS[self.data_tier]
        return f"no work of the catalogue on {self.family.replace('_', ' ')} evaluated networks of {size} MACs on {data}"


def gaps(found: Field) -> list[Gap]:
    """Cells that some family reaches and another of the three does not: what the catalogue has not seen, which may exist."""
    reached = {(evaluation.family, *cell) for evaluation in found.evaluations if (cell := evaluation.cell) is not None}
    cells = sorted({(data, size) for _, data, size in reached})
    return [
        Gap(family=family, data_tier=data, network_tier=size)
        for family in FAMILIES
        for data, size in cells
        if (family, data, size) not in reached
    ]
