"""What every stuck-at fault of a netlist does to its results, which faults nothing can show, and which share a set of tests finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits import _simulate
from inexact.circuits._circuit import Circuit
from inexact.circuits.stuck_at import StuckAt, faults, name_of, tables
from inexact.core.errors import CircuitError, DataError


@final
@dataclass(frozen=True, kw_only=True)
class FaultFacts:
    """One fault against the fault-free circuit, over all operands; error = faulty - fault-free, in output units.

    name: of the site, see `stuck_at.name_of`. error_probability: share of operands with another result, 0 = undetectable.
    mean_error, mae, wce: mean, mean magnitude and largest magnitude of the error. bits: which result bits it can flip, as a mask.
    """

    fault: StuckAt
    name: str
    error_probability: float
    mean_error: float
    mae: float
    wce: int
    bits: int

    @property
    def detectable(self) -> bool:
        """Whether some operands give another result; an undetectable fault sits in redundant logic."""
        return self.bits != 0


@final
@dataclass(frozen=True, kw_only=True)
class FaultList:
    """The facts of a fault list. Every figure counts equivalent faults as the list does: once when it is collapsed."""

    circuit: str
    facts: tuple[FaultFacts, ...]

    @property
    def undetectable(self) -> tuple[FaultFacts, ...]:
        """The redundant faults."""
        return tuple(fact for fact in self.facts if not fact.detectable)

    @property
    def coverage(self) -> float:
        """Share of the faults that a test with all operands finds, 0..1: below 1 only where logic is redundant."""
        return 1 - len(self.undetectable) / len(self.facts)


def fault_facts(circuit: Circuit, listed: Sequence[StuckAt] | None = None, *, weights: ArrayLike | None = None) -> FaultList:
    """The facts of every fault (None: the collapsed list with branches), exhaustively.

    weights: how often operands occur, shaped as the table, any scale; None = all equally. They weigh probability and means; the
    largest error and the bits look at all operands.
    Raises CircuitError above 28 operand bits or for an empty list, DataError for weights of another shape, negative or without a sum.
    """
    chosen = faults(circuit) if listed is None else tuple(listed)
    if not chosen:
        raise CircuitError(f"a fault list must hold a fault; {circuit.name} has no net that something reads")
    good = _simulate.table(circuit)
    share = _share(weights, good.shape)
    found = [_facts(circuit, fault, bad, good, share) for fault, bad in zip(chosen, tables(circuit, chosen), strict=True)]
    return FaultList(circuit=circuit.name, facts=tuple(found))


def _share(weights: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    if weights is None:
        return None
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != shape or not np.isfinite(given).all() or (given < 0).any() or given.sum() <= 0:
        raise DataError(f"weights of operands must be finite, not negative, of positive sum and of shape {shape}, not {given.shape}")
    return np.asarray(given / given.sum())


def _facts(
    circuit: Circuit, fault: StuckAt, bad: _simulate.Values, good: _simulate.Values, share: NDArray[np.float64] | None
) -> FaultFacts:
    error = bad - good
    size = np.abs(error)
    if share is None:
        probability, mean, mae = float(np.count_nonzero(error)) / error.size, float(error.mean()), float(size.mean())
    else:
        probability, mean, mae = float(share[error != 0].sum()), float((share * error).sum()), float((share * size).sum())
    flipped = int(np.bitwise_or.reduce(bad ^ good, axis=None)) & ((1 << circuit.output_bits) - 1)
    return FaultFacts(
        fault=fault,
        name=name_of(circuit, fault),
        error_probability=probability,
        mean_error=mean,
        mae=mae,
        wce=int(size.max()),
        bits=flipped,
    )


def coverage(circuit: Circuit, tests: Sequence[ArrayLike], listed: Sequence[StuckAt] | None = None) -> float:
    """Share of the listed faults (None: the collapsed list with branches) that these tests find, 0..1.

    tests: operand VALUES, one array of equal length for each input bus. Raises CircuitError for an empty list, FormatError for operands
    that do not fit.
    """
    chosen = faults(circuit) if listed is None else tuple(listed)
    if not chosen:
        raise CircuitError(f"a fault list must hold a fault; {circuit.name} has no net that something reads")
    expected = _simulate.evaluate(circuit, *tests)
    places = tuple(np.asarray(test) & ((1 << bus.width) - 1) for test, bus in zip(tests, circuit.inputs, strict=True))
    found = sum(bool((bad[places] != expected).any()) for bad in tables(circuit, chosen))
    return found / len(chosen)
