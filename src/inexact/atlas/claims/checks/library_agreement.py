"""A whole library's printed error metrics against its circuits' tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims._units import published_circuit, published_names
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.metrics.known import check_claims, known_table
from inexact.metrics.passport import profile


@kinds.register("library_agreement")
@final
@dataclass(frozen=True, kw_only=True)
class LibraryAgreement(Check):
    """How many of the metrics that EvoApproxLib prints of its 8x8-bit circuits the tables contradict, at `relative` tolerance: the
    library prints two digits, some of them cut."""

    relative: float = 0.06

    @property
    def unit(self) -> str:
        """A count."""
        return "figures"

    def measure(self) -> Measured:
        """Exhaustively, over all circuits whose tables are there."""
        wrong, compared = 0, 0
        for name in published_names():
            unit = published_circuit(name)
            known = known_table(unit)
            assert known is not None  # found by its name just now
            wrong += len(check_claims(profile(unit), known.claims, relative_tolerance=self.relative))
            compared += len(known.claims)
        return Measured.exact(wrong, n=compared, detail=f"{compared} printed figures")
