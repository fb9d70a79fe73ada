"""What a faulty conversion makes of a circuit's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from inexact import units
from inexact.atlas.claims._units import published_circuit
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.metrics.passport import profile

SHOWS = ("entries", "mae", "wce", "mred")


@kinds.register("converted_table")
@final
@dataclass(frozen=True, kw_only=True)
class ConvertedTable(Check):
    """The table a signed circuit of EvoApproxLib's master branch gets when two negative operands are both replaced by their magnitudes,
    as the notebook does that AdaPT and TransAxx convert circuits with.

    circuit: name. shows: entries (that differ from the circuit's own), mae, wce, mred (in percent) of the converted table.
    """

    circuit: str
    shows: str

    def __post_init__(self) -> None:
        one_of("shows", self.shows, SHOWS)

    @property
    def unit(self) -> str:
        """By what is shown."""
        return {"entries": "entries", "mred": "%"}.get(self.shows, "lsb")

    def measure(self) -> Measured:
        """Over all pairs."""
        own = published_circuit(self.circuit).table()
        values = np.where(np.arange(256) < 128, np.arange(256), np.arange(256) - 256)
        both = (values[:, None] < 0) & (values[None, :] < 0)
        size = abs(values) % 256
        converted = np.where(both, own[np.ix_(size, size)], own)
        if self.shows == "entries":
            return Measured.exact(int((converted != own).sum()), n=own.size, detail="negative times negative")
        found = profile(units.from_table(converted.astype(np.int32), signed=True)).metrics()[self.shows]
        return Measured.exact(100 * found if self.shows == "mred" else found, n=own.size, detail="all pairs, uniform operands")
