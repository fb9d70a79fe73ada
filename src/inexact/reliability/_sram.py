"""Static memory below its lowest error-free supply: how many bits are wrong, which, and what an access costs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FaultError

MU, SIGMA = 0.7056, 0.0552
"""The Gaussian of a cell's lowest voltage over that of its array that fits the measured rates (`sram.csv` names their source): within a
factor 0.84 to 1.27."""

LOWEST, HIGHEST = 0.75, 1.0
"""Where the curve was measured."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measured point. voltage: over the lowest error-free one. energy: of an access, over that at the lowest error-free voltage."""

    voltage: float
    rate: float
    energy: float


@lru_cache(maxsize=1)
def measured() -> tuple[Measured, ...]:
    """The measured curve, from the lowest voltage up."""
    text = (resources.files("inexact.reliability") / "sram.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        Measured(voltage=float(row["v_over_vmin"]), rate=float(row["ber"]), energy=float(row["energy"]))
        for row in rows
        if row["what"] == "array"
    )


def require_voltage(voltage: float) -> None:
    """Raise FaultError outside the measured curve."""
    if not LOWEST <= voltage <= HIGHEST:
        raise FaultError(
            f"a memory's voltage must be {LOWEST:g}..{HIGHEST:g} times its lowest error-free one, where bit errors were measured, "
            f"not {voltage:g}"
        )


def bit_error_rate(voltage: float) -> float:
    """Share of wrong bits in a read of as many zeros as ones; 0 from the lowest error-free voltage on. FaultError outside the curve."""
    from scipy.special import ndtr

    require_voltage(voltage)
    return 0.0 if voltage >= HIGHEST else float(ndtr((MU - voltage) / SIGMA))


def access_energy(voltage: float) -> float:
    """Energy of an access over that at the lowest error-free voltage: the square of the voltage, as measured."""
    require_voltage(voltage)
    return voltage**2


@final
@dataclass(frozen=True, kw_only=True)
class Chip:
    """One memory: every cell has a voltage below which it fails, and a value it then reads as.

    seed: which chip. cells: bits. to_one: share of the failing cells that read 1. persistent: share of the wrong bits that are wrong at
    every read; of the other failing cells each read is wrong with probability `flaky`. A cell that fails at a voltage fails at all lower
    ones, at the same reads. Shares of wrong bits are those of `bit_error_rate` in memories that hold as many zeros as ones.
    """

    seed: int
    cells: int
    to_one: float
    persistent: float
    flaky: float

    def failing(self, voltage: float) -> Failing:
        """The cells that fail at a voltage. Raises FaultError outside the curve, or where more than all cells would have to fail."""
        always = self.persistent / (self.persistent + (1 - self.persistent) / self.flaky)
        share = 2 * bit_error_rate(voltage) / (always + (1 - always) * self.flaky)
        if share > 1:
            raise FaultError(
                f"bits that fail at a read must do so more often to reach {bit_error_rate(voltage):.3g} wrong bits at {voltage:g}: "
                f"raise flaky above {self.flaky:g}"
            )
        generator = np.random.default_rng([self.seed, self.cells])
        limit, kind, value = (generator.random(self.cells) for _ in range(3))
        (where,) = np.nonzero(limit < share)
        return Failing(where=where, always=kind[where] < always, value=value[where] < self.to_one, flaky=self.flaky, seed=self.seed)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Failing:
    """Cells that fail. where: int64 [n], rising; always: bool [n]; value: bool [n], what they read as; flaky: of the others, per read."""

    where: NDArray[np.int64]
    always: NDArray[np.bool_]
    value: NDArray[np.bool_]
    flaky: float
    seed: int

    def at(self, reads: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """bool [reads, n]: which of them fail at each read; a read is named by a number, and the same one always goes the same way."""
        cell = _mixed(self.where.astype(np.uint64) + _mixed(np.array([self.seed], np.uint64)))
        chance = _mixed(cell[None] ^ _mixed(reads)[:, None]) >> np.uint64(11)
        return self.always[None] | (chance < np.uint64(self.flaky * 2.0**53))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bits as if drawn at random for every number: splitmix64 (G. Steele et al., OOPSLA 2014, doi:10.1145/2660193.2660195)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def read_names(words: NDArray[np.int64]) -> NDArray[np.uint64]:
    """uint64 [n]: a name for every row of words [n, count], the same for the same words."""
    places = _mixed(np.arange(words.shape[1], dtype=np.uint64)) | np.uint64(1)
    return np.asarray((words.astype(np.uint64) * places).sum(axis=1, dtype=np.uint64))
