"""What faults did, fault by fault: plain arrays that go into the store and come out of worker processes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Records:
    """n faults, arrays [n]. stratum, number: the site. image: place among the images, -1 for a chip, which saw all of them.

    images: how many each fault was judged on (1, or all of a chip's). sdc1, sdc5, critical, gained: of those, for how many the class
    differs from the fault-free one, the fault-free class is not among the five of highest score, a right answer became wrong, a wrong
    answer became right.
    """

    stratum: NDArray[np.int64]
    number: NDArray[np.int64]
    image: NDArray[np.int64]
    images: NDArray[np.int64]
    sdc1: NDArray[np.int64]
    sdc5: NDArray[np.int64]
    critical: NDArray[np.int64]
    gained: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence[Records]) -> Records:
        """One after another."""
        found = {name: [getattr(part, name) for part in parts] for name in _NAMES}
        return cls(**{name: np.concatenate(values) if values else np.zeros(0, np.int64) for name, values in found.items()})

    def to_bytes(self) -> bytes:
        """A compressed file of arrays."""
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **{name: getattr(self, name) for name in _NAMES})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Records:
        """What `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            return cls(**{name: found[name] for name in _NAMES})

    def share(self, name: str) -> NDArray[np.float64]:
        """float64 [n], a count as a share of the images."""
        counts: NDArray[np.int64] = getattr(self, name)
        return counts / self.images


_NAMES = tuple(field.name for field in fields(Records))
