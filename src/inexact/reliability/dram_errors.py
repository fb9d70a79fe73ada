"""Dynamic memory with wrong bits, all over or in weak rows: weights as they arrive on the chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

import numpy as np
from torch import nn

from inexact.core.errors import SpecError, near
from inexact.reliability._base import ChipFault, Site, Stratum, as_layers, chosen_places, faults
from inexact.reliability._memory import Bits, checked_layers, weighted, with_weights_read
from inexact.reliability._subject import Subject
from inexact.reliability.sram_voltage import CHIPS

SPREADS = ("uniform", "rows")


@faults.register("dram_errors")
@final
@dataclass(frozen=True, kw_only=True)
class DramErrors(ChipFault):
    """Weights stored in dynamic memory of which some cells give the inverted bit. A site is a chip; its errors stay where they are.

    rate: share of all bits that are wrong. spread: "uniform" (every cell alike) or "rows": all errors are in weak rows, a share `weak` of
    all, as many there as the rate asks for. row_kib: size of a row. Errors at a lower rate are some of those at a higher one. Rate, weak
    and row_kib are stated, not derived from voltage, refresh or timing: the shapes are those of the error models 0 (uniform) and 2 (rows)
    of EDEN, their numbers are not.

    Reference: S. Koppula et al., EDEN: Enabling Energy-Efficient, High-Performance Deep Neural Network Inference Using Approximate DRAM,
    MICRO 2019, doi:10.1145/3352460.3358280
    """

    rate: float = field(default=1e-4, metadata={"written": True})
    spread: str = "uniform"
    weak: float = 0.1
    row_kib: float = 2.0
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", as_layers(self.layers))
        if not 0 <= self.rate <= 0.5:
            raise SpecError(f"rate must be a share of wrong bits 0..0.5, not {self.rate!r}")
        if self.spread not in SPREADS:
            raise SpecError(f"spread must be {' or '.join(SPREADS)}, not {self.spread!r}{near(self.spread, SPREADS)}")
        if not 0 < self.weak <= 1 or (self.spread == "rows" and self.rate > self.weak):
            raise SpecError(f"weak must be a share of rows up to 1 that holds all errors, {self.rate:g} of all bits, not {self.weak!r}")
        if not self.row_kib > 0:
            raise SpecError(f"row_kib must be above 0, not {self.row_kib!r}")

    def strata(self, subject: Subject) -> Iterator[Stratum]:
        """All chips."""
        if checked_layers(chosen_places(subject, self.layers)):
            yield Stratum(layer="", tensor="memory", bit=None, size=CHIPS)

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """index: (the chip's number,)."""
        return Site(layer="", tensor="memory", index=(number,), bit=None, kind="flip", persistence=self.persistence)

    def faulty(self, subject: Subject, site: Site) -> nn.Module:
        """The network with the weights that come from that chip."""
        bits = sum(layer.weight.numel() * layer.rule.format.b_bits for layer in weighted(subject.net).values())
        wrong = self.wrong(site.index[0], bits)

        def read(written: Bits, address: int) -> Bits:
            return written ^ wrong[address : address + len(written)]

        return with_weights_read(subject.net, checked_layers(chosen_places(subject, self.layers)), read, bits)

    def wrong(self, chip: int, bits: int) -> Bits:
        """Which of the first `bits` cells of a chip are wrong."""
        generator = np.random.default_rng(chip)
        limits = generator.random(bits)
        if self.spread == "uniform":
            return limits < self.rate
        row = int(self.row_kib * 8192)
        weakness = np.repeat(generator.random(-(-bits // row)), row)[:bits]
        return (weakness < self.weak) & (limits < self.rate / self.weak)
