"""Sums of products through a circuit: every path against plain integers, for shapes that fill no block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from inexact import units
from inexact.circuits import Circuit, _gemm, adder, gemm, multiplier
from inexact.core.errors import CircuitError, FormatError
from inexact.kernels import isas

SHAPES = [(1, 1, 1), (1, 5, 300), (300, 5, 1), (2049, 3, 2), (3, 70, 2048), (65, 1, 63), (0, 3, 2), (2, 0, 3)]


@pytest.fixture(params=[*isas(), "numpy"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "numpy":
        monkeypatch.setattr(_gemm, "core", lambda: None)
    else:
        monkeypatch.setenv("INEXACT_ISA", request.param)
    return str(request.param)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("spec", ["exact(signed=true,width=(16,12))", "drum(k=5,width=12)", "mbm(width=(9,13))"])
def test_units(path: str, spec: str, shape: tuple[int, int, int]) -> None:
    unit = units.get(spec)
    circuit = unit.circuit()
    assert circuit is not None
    rng = np.random.default_rng(sum(shape))
    m, k, n = shape
    a, b = (rng.integers(*unit.operand_range(side), (rows, k), endpoint=True) for side, rows in ((0, m), (1, n)))
    np.testing.assert_array_equal(gemm(circuit, a, b), unit(a[:, None], b).sum(-1))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("outputs", [9, 33, 57])
def test_asymmetric_circuits(path: str, outputs: int, signed: bool, random_circuit: Callable[..., Circuit]) -> None:
    from inexact.circuits import evaluate

    circuit = random_circuit(outputs, (10, 7), outputs=outputs, signed=signed)
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 1 << 10, (150, 33)), rng.integers(0, 1 << 7, (40, 33), dtype=np.uint8)
    np.testing.assert_array_equal(gemm(circuit, a, b), evaluate(circuit, a[:, None], b).sum(-1))


def test_sums_at_their_bound(path: str) -> None:
    """The largest products, as many as fill every bit of the sum."""
    unit = multiplier(12, signed=True)
    a, b = np.full((3, 1024), -2048), np.full((2, 1024), -2048)
    np.testing.assert_array_equal(gemm(unit, a, b), 1024 * 2048**2)
    np.testing.assert_array_equal(gemm(unit, a, b + 4095), 1024 * -2048 * 2047)


def test_result_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4096, (2100, 20)), rng.integers(0, 4096, (9, 20))
    results = []
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        results.append(gemm(multiplier(12, kind="dadda"), a, b))
    np.testing.assert_array_equal(results[0], a @ b.T)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_refusals() -> None:
    with pytest.raises(CircuitError, match="4 results of 64 bits could exceed int64; split the sum along K"):
        gemm(multiplier(32), np.zeros((1, 4), int), np.zeros((1, 4), int))
    with pytest.raises(FormatError, match=r"operand b of mul_array_12x12u must be 0..4095, not 0..4096"):
        gemm(multiplier(12), [[0, 0]], [[0, 4096]])
    with pytest.raises(FormatError, match=r"of equal K, not shapes \[1, 2\] and \[1, 3\]"):
        gemm(multiplier(12), [[0, 0]], [[0, 0, 0]])
    with pytest.raises(CircuitError, match="a circuit of two operands"):
        gemm(one_operand(), [[0]], [[0]])
    assert gemm(adder(4), [[3]], [[4]]).tolist() == [[7]]


def one_operand() -> Circuit:
    from inexact.circuits import Builder

    b = Builder("wire")
    b.output("y", b.input("x", 3))
    return b.build()
