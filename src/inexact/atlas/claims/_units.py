"""Units that claims name: by spec, or as a published circuit whose table a user provides."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inexact import units
from inexact.core.errors import ClaimError, UnavailableError
from inexact.metrics.known import named
from inexact.units import Adder, Multiplier

PUBLISHED = "evoapproxlib:"
TABLES = "evoapproxlib_master_8x8.npz"


def unit_of(name: str) -> Multiplier | Adder:
    """The unit of a spec, of an adder's spec behind `adder:`, or of a circuit of EvoApproxLib's master branch behind `evoapproxlib:`.

    Raises UnavailableError when the tables are not there, SpecError and UnknownNameError for specs that name nothing.
    """
    if name.startswith("adder:"):
        return units.adders.get(name.removeprefix("adder:"))
    return published_circuit(name.removeprefix(PUBLISHED)) if name.startswith(PUBLISHED) else units.get(name)


def check_targets(targets: Sequence[str]) -> None:
    """Raise ClaimError unless there is one."""
    if not targets:
        raise ClaimError("targets must hold at least one unit")


def multiplier_of(name: str) -> Multiplier:
    """As `unit_of`. Raises ClaimError for an adder."""
    unit = unit_of(name)
    if not isinstance(unit, Multiplier):
        raise ClaimError(f"{name} must be a multiplier")
    return unit


def published_circuit(name: str) -> Multiplier:
    """A circuit of EvoApproxLib's master branch; its hash must be the published one. Raises UnavailableError without its table."""
    known = next((circuit for circuit in named(name) if circuit.branch_of(name) == "master"), None)
    tables = _tables()
    if known is None or name not in tables:
        raise UnavailableError(f"no published circuit of EvoApproxLib's master branch with a table in {TABLES} is called {name!r}")
    unit = units.from_table(tables[name], signed=known.signed)
    if unit.sha256 != known.sha256:
        raise UnavailableError(
            f"the table of {name} in {TABLES} must have the published hash {known.sha256[:12]}…, not {unit.sha256[:12]}…"
        )
    return unit


def published_names() -> list[str]:
    """The circuits whose tables are there. Raises UnavailableError without any."""
    return sorted(_tables())


def _tables() -> dict[str, np.ndarray]:
    folder = os.environ.get("INEXACT_REFERENCE_DATA")
    if folder is None or not (path := Path(folder) / TABLES).is_file():
        raise UnavailableError(
            f"the tables of EvoApproxLib's circuits are not part of this package: put {TABLES} (int arrays [256, 256] by name, "
            "in bit-pattern order) into a folder and name that in INEXACT_REFERENCE_DATA"
        )
    return _read(path)


@functools.cache
def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return {name: np.asarray(found[name], dtype=np.int32) for name in found.files}
