"""The simulator: every path and the numpy specification give the same values; blocks, broadcasting, refusals."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from inexact.circuits import Circuit, Op, _simulate, evaluate, multiplier, stream, table
from inexact.core.errors import CircuitError, FormatError
from inexact.kernels import isas

RandomCircuit = Callable[..., Circuit]


PATHS = [*isas(), "numpy"]


def take(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if path == "numpy":
        monkeypatch.setattr(_simulate, "core", lambda: None)
    else:
        monkeypatch.setenv("INEXACT_ISA", path)


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    take(request.param, monkeypatch)
    return str(request.param)


def tables(circuit: Circuit) -> dict[str, NDArray[np.int64]]:
    """Of every path."""
    found = {}
    for path in PATHS:
        with pytest.MonkeyPatch.context() as patch:
            take(path, patch)
            found[path] = table(circuit)
    return found


def one_by_one(circuit: Circuit, *patterns: int) -> int:
    """The circuit's definition, cell by cell."""
    bits = [0, 1] + [p >> i & 1 for p, bus in zip(patterns, circuit.inputs, strict=True) for i in range(bus.width)]
    for op, sources, _ in circuit.gates():
        x, y, z = ([bits[s] for s in sources] + [0, 0])[:3]
        single = [1 - x, x & y, x | y, x ^ y, 1 - (x & y), 1 - (x | y), 1 - (x ^ y), z if x else y]
        total = x + y + z
        bits.extend([single[op]] if op < Op.HALF else [total & 1, total >> 1])
    value: int = sum(bits[w] << i for i, w in enumerate(circuit.output_wires.tolist()))
    return value - (1 << circuit.output_bits) if circuit.signed and value >> (circuit.output_bits - 1) else value


@pytest.mark.parametrize("outputs", [5, 21, 32, 33, 63])
@pytest.mark.parametrize("signed", [False, True])
def test_random_circuits_follow_the_definition(outputs: int, signed: bool, random_circuit: RandomCircuit) -> None:
    circuit = random_circuit(outputs, outputs=outputs, signed=signed)
    found = tables(circuit)
    rng = np.random.default_rng(1)
    places = [tuple(int(i) for i in rng.integers(0, (32, 512, 8))) for _ in range(200)]
    wanted = [one_by_one(circuit, *place) for place in places]
    for path, values in found.items():
        assert values.shape == (32, 512, 8)
        assert [values[place] for place in places] == wanted, path
        np.testing.assert_array_equal(values, found["numpy"], err_msg=path)


@pytest.mark.parametrize("widths", [(1,), (3,), (2, 3), (6,), (10, 1), (12,)])
def test_few_operands(widths: tuple[int, ...], random_circuit: RandomCircuit) -> None:
    circuit = random_circuit(7, widths, cells=60, outputs=9)
    wanted = [one_by_one(circuit, *p) for p in itertools.product(*(range(1 << w) for w in widths))]
    for path, values in tables(circuit).items():
        np.testing.assert_array_equal(values.ravel(), wanted, err_msg=path)


def test_stream_is_the_table_in_blocks(path: str, random_circuit: RandomCircuit) -> None:
    circuit = random_circuit(3)
    flat = table(circuit).ravel()
    for block in (1, 5000, 2048, 1 << 20):
        start = 131072 - 4 if block == 1 else 0
        parts = list(stream(circuit, block=block, start=start))
        assert [first for first, _ in parts] == list(range(start, flat.size, block))
        np.testing.assert_array_equal(np.concatenate([values for _, values in parts]), flat[start:])
    np.testing.assert_array_equal(next(stream(circuit, block=3000, start=1999, stop=2999))[1], flat[1999:2999])


@pytest.mark.parametrize("count", [0, 1, 63, 64, 2047, 2048, 2049, 70001])
def test_evaluate_listed_operands(path: str, count: int, random_circuit: RandomCircuit) -> None:
    rng = np.random.default_rng(count)
    a, b = rng.integers(-2048, 2048, count), rng.integers(-32, 32, count)
    np.testing.assert_array_equal(evaluate(multiplier((12, 6), signed=True), a, b), a * b)


def test_evaluate_broadcasts_and_takes_any_integers(path: str, random_circuit: RandomCircuit) -> None:
    circuit = multiplier(8)
    a, b = np.arange(256, dtype=np.uint8), np.arange(0, 256, 5)
    np.testing.assert_array_equal(evaluate(circuit, a[:, None], b), np.multiply.outer(a.astype(int), b))
    assert evaluate(circuit, 255, 255).shape == ()
    assert int(evaluate(circuit, 255, 255)) == 65025


def test_result_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch, random_circuit: RandomCircuit) -> None:
    circuit = random_circuit(11, (12, 8))
    tables = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        tables.append(table(circuit))
    np.testing.assert_array_equal(tables[0], tables[1])
    np.testing.assert_array_equal(tables[0], tables[2])


def test_refusals() -> None:
    circuit = multiplier(8)
    with pytest.raises(FormatError, match="needs 2 operands, not 1"):
        evaluate(circuit, 3)
    with pytest.raises(FormatError, match=r"operand b of mul_array_8x8u must be 0..255, not -1..-1"):
        evaluate(circuit, 3, -1)
    with pytest.raises(FormatError, match="operand a of mul_array_8x8u must hold integers, not float64"):
        evaluate(circuit, 3.5, 1)
    with pytest.raises(CircuitError, match="a table needs at most 28 operand bits, not 32"):
        table(multiplier(16))
    with pytest.raises(CircuitError, match="all operands can be listed up to 62 bits, not 64"):
        next(stream(multiplier(32)))
    with pytest.raises(FormatError, match=r"must lie within 0\.\.65536"):
        next(stream(circuit, start=70000))
