"""Error statistics without a table: against plain numpy over all pairs, and every path bit for bit against the specification."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from inexact.circuits import Circuit, _errors, adder, error_rows, evaluate, multiplier
from inexact.circuits._errors import FIELDS, bus_values
from inexact.core.errors import CircuitError, DataError
from inexact.kernels import isas

KEPT = np.add.outer(np.arange(5), np.arange(12)) >= 6


def reference(circuit: Circuit, exact: NDArray[np.int64], w: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    a, b = (bus_values(bus) for bus in circuit.inputs)
    error = evaluate(circuit, a[:, None], b) - exact
    size, magnitude = np.abs(error), np.abs(exact)
    nonzero = magnitude > 0
    ratio = np.divide(size, magnitude, out=np.zeros(size.shape), where=nonzero)
    return {
        "errors": ((error != 0) * w).sum(1),
        "sum": (error * w).sum(1),
        "sum_abs": (size * w).sum(1),
        "sum_square": (size.astype(float) ** 2 * w).sum(1),
        "largest": (size * (w > 0)).max(1),
        "relative": (ratio * w).sum(1),
        "worst": (ratio * (w > 0)).max(1),
        "close": ((nonzero & (ratio < 0.02)) * w).sum(1),
        "abs_at_zero": (np.where(nonzero, 0, size) * w).sum(1),
        "zeros": (~nonzero * w).sum(1),
    }


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", [(5, 12), (6, 7)])
def test_rows_follow_the_definitions(width: tuple[int, int], signed: bool, weighted: bool) -> None:
    kept = np.add.outer(np.arange(width[0]), np.arange(width[1])) >= 4
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 3, 1 << width[1]).astype(float) if weighted else None
    circuit = multiplier(width, signed=signed, kept=kept, constant=5)
    a, b = (bus_values(bus) for bus in circuit.inputs)
    found = error_rows(circuit, weights=weights)
    wanted = reference(circuit, np.multiply.outer(a, b), np.ones(b.size) if weights is None else weights)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(found, name), wanted[name], rtol=1e-12, err_msg=name)
    assert found.weight == (b.size if weights is None else weights.sum())


def test_sums_of_operands() -> None:
    circuit = adder(12, kind="brent_kung")
    found = error_rows(circuit, "sum")
    assert not found.sum_abs.any()
    assert found.zeros.tolist() == [1.0] + [0.0] * 4095
    assert error_rows(multiplier((3, 12)), "sum").errors[2] == 4096 - 1  # 2 b = 2 + b at b = 2 only


@pytest.mark.parametrize("outputs", [20, 40])
@pytest.mark.parametrize("isa", isas())
def test_every_path_gives_the_same_bits(
    isa: str, outputs: int, random_circuit: Callable[..., Circuit], monkeypatch: pytest.MonkeyPatch
) -> None:
    circuit = random_circuit(5, (4, 13), outputs=outputs, signed=True)
    weights = np.random.default_rng(0).random(1 << 13)
    monkeypatch.setenv("INEXACT_ISA", isa)
    found = [error_rows(circuit, weights=weights), error_rows(circuit, weights=weights, start=3, stop=9)]
    monkeypatch.setattr(_errors, "core", lambda: None)
    wanted = error_rows(circuit, weights=weights)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found[0], name), getattr(wanted, name), err_msg=name)
        np.testing.assert_array_equal(getattr(found[1], name), getattr(wanted, name)[3:9], err_msg=name)


def test_refusals() -> None:
    with pytest.raises(CircuitError, match="need two operands of at most 40 bits together"):
        error_rows(multiplier(32))
    with pytest.raises(CircuitError, match=r"rows must lie within 0\.\.256, not 3\.\.300"):
        error_rows(multiplier(8), start=3, stop=300)
    with pytest.raises(DataError, match=r"weights must have 16 entries, one per 4-bit pattern of b, not shape \(3,\)"):
        error_rows(multiplier(4), weights=[1, 2, 3])
    with pytest.raises(DataError, match="finite numbers >= 0"):
        error_rows(multiplier(4), weights=[-1.0] * 16)
