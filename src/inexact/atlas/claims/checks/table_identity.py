"""Whether a unit is a published circuit, entry for entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact import units
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.errors import ClaimError
from inexact.metrics.known import named


@kinds.register("table_identity")
@final
@dataclass(frozen=True, kw_only=True)
class TableIdentity(Check):
    """The number of `targets`, specs of multipliers, whose truth table has another SHA-256 than the circuit beside it in `circuits`,
    names of EvoApproxLib's master branch."""

    targets: tuple[str, ...]
    circuits: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.targets) != len(self.circuits):
            raise ClaimError(f"targets and circuits must be as many, not {len(self.targets)} and {len(self.circuits)}")

    @property
    def unit(self) -> str:
        """A count."""
        return "tables"

    def measure(self) -> Measured:
        """Hashes are compared; the tables of the circuits are not needed."""
        hashes = [{known.sha256 for known in named(name) if known.branch_of(name) == "master"} for name in self.circuits]
        others = sum(units.get(spec).sha256 not in found for spec, found in zip(self.targets, hashes, strict=True))
        return Measured.exact(others, n=len(self.targets), detail="SHA-256 of the tables")
