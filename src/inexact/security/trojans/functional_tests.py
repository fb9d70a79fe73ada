"""Detectors that try operands: random ones, those of an application, a network's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.core.errors import require_range
from inexact.nn import correct_answers
from inexact.security.trojans._detector import Detector, Device, Golden, detectors


@detectors.register("random_vectors")
@final
@dataclass(frozen=True, kw_only=True)
class RandomVectors(Detector):
    """`vectors` operand pairs drawn uniformly with replacement, each result compared with the certified table."""

    vectors: int = 1000

    def __post_init__(self) -> None:
        require_range("vectors", self.vectors, 1, 2**31 - 1)

    def score(self, device: Device, golden: Golden) -> float:
        """Results that differ."""
        places = np.random.default_rng(device.seed).integers(0, golden.table.size, self.vectors)
        return float((device.table.flat[places] != golden.table.flat[places]).sum())

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """From a quick test to one with as many vectors as there are pairs."""
        return [cls(vectors=vectors) for vectors in (1000, 10_000, 65_536)]


@detectors.register("application_vectors")
@final
@dataclass(frozen=True, kw_only=True)
class ApplicationVectors(Detector):
    """As `random_vectors`, operands drawn as the network's units meet them."""

    vectors: int = 1_000_000

    def __post_init__(self) -> None:
        require_range("vectors", self.vectors, 1, 2**31 - 1)

    def score(self, device: Device, golden: Golden) -> float:
        """Results that differ; draws are independent, so their number is binomial."""
        differs = float(golden.counts[device.table != golden.table].sum()) / float(golden.counts.sum())
        return float(np.random.default_rng(device.seed).binomial(self.vectors, differs))


@detectors.register("network_accuracy")
@final
@dataclass(frozen=True, kw_only=True)
class NetworkAccuracy(Detector):
    """The network's accuracy on the test images, against that on the honest unit."""

    def score(self, device: Device, golden: Golden) -> float:
        """Images fewer that are right."""
        honest, found = (correct_answers(net, golden.images) for net in (golden.net, golden.network_with(device)))
        return float(honest.sum()) - float(found.sum())
