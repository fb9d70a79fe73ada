"""What a circuit computes: for listed operands, or for all of them, many lanes at once in compiled code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits import _numpy
from inexact.circuits._circuit import Circuit
from inexact.circuits._program import compiled, core, isa, program_of, threads
from inexact.core.errors import CircuitError, FormatError

Values = NDArray[np.int64]

MAX_TABLE_BITS = 28
"""Operand bits of a table in memory: 2 GiB."""

MAX_INPUT_BITS = 62
"""Operand bits of an exhaustive stream."""


def evaluate(circuit: Circuit, *operands: ArrayLike) -> Values:
    """The circuit's results for operand VALUES, one array per input bus (broadcast), as int64 in their common shape.

    All output buses are read as one word, the first bus lowest, two's complement when the last bus is signed.
    Raises FormatError for a wrong number of operands and for values that are no integers or do not fit their bus.
    """
    if len(operands) != len(circuit.inputs):
        raise FormatError(f"{circuit!r} needs {len(circuit.inputs)} operands, not {len(operands)}")
    arrays = [np.asarray(operand) for operand in operands]
    for bus, array in zip(circuit.inputs, arrays, strict=True):
        check_operand(circuit, bus.name, array, bus.range)
    shared = np.broadcast_arrays(*arrays) if arrays else [np.zeros((), np.int64)]
    masks = [np.uint64((1 << bus.width) - 1) for bus in circuit.inputs]
    patterns = [
        x.ravel().astype(np.int64 if x.dtype.kind == "i" else np.uint64).view(np.uint64) & m for x, m in zip(shared, masks, strict=False)
    ]
    return _evaluate_patterns(circuit, np.array(patterns, np.uint64).reshape(len(masks), -1), shared[0].size).reshape(shared[0].shape)


def table(circuit: Circuit) -> Values:
    """Results for all operands, int64 `[2**width, …]`, one axis per input bus, index = bit pattern: `table[a, b]`.

    Raises CircuitError above 28 operand bits; use `stream`.
    """
    if circuit.input_bits > MAX_TABLE_BITS:
        raise CircuitError(
            f"a table needs at most {MAX_TABLE_BITS} operand bits, not {circuit.input_bits} ({circuit.name}); use circuits.stream"
        )
    return _values(circuit, 0, 1 << circuit.input_bits).reshape([1 << bus.width for bus in circuit.inputs])


def stream(circuit: Circuit, *, block: int = 1 << 20, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Values]]:
    """Results for all operands in blocks: yields (first index, int64 results), in the order of `table` laid out flat.

    The index of a pair (a, b) of bit patterns is `a << width_b | b`. start, stop: the part wanted.
    """
    if circuit.input_bits > MAX_INPUT_BITS:
        raise CircuitError(f"all operands can be listed up to {MAX_INPUT_BITS} bits, not {circuit.input_bits} ({circuit.name})")
    end = 1 << circuit.input_bits if stop is None else stop
    if not 0 <= start <= end <= 1 << circuit.input_bits or block < 1:
        raise FormatError(f"start..stop must lie within 0..{1 << circuit.input_bits} and block be positive, not {start}..{end} and {block}")
    for first in range(start, end, block):
        yield first, _values(circuit, first, min(block, end - first))


def positions_of(circuit: Circuit) -> NDArray[np.int32]:
    """For each input bit its place in the lane number: the last bus has the lowest places."""
    places: list[int] = []
    high = circuit.input_bits
    for bus in circuit.inputs:
        high -= bus.width
        places.extend(range(high, high + bus.width))
    return np.array(places, np.int32)


def check_operand(circuit: Circuit, name: str, array: NDArray[np.generic], limits: tuple[int, int]) -> None:
    """FormatError unless `array` holds integers within `limits`."""
    if array.dtype.kind not in "iu":
        raise FormatError(f"operand {name} of {circuit.name} must hold integers, not {array.dtype}")
    low, high = limits
    if array.size and (int(array.min()) < low or int(array.max()) > high):
        raise FormatError(f"operand {name} of {circuit.name} must be {low}..{high}, not {int(array.min())}..{int(array.max())}")


def _values(circuit: Circuit, first: int, count: int) -> Values:
    module, positions = core(), positions_of(circuit)
    if module is None:
        start = first // 64 * 64
        planes = _numpy.run(program_of(circuit), _numpy.number_planes(positions, start, first - start + count))
        return _numpy.plane_values(planes, first - start + count, circuit.signed)[first - start :]
    out = np.empty(count, np.int64)
    module.circuit_values(compiled(circuit), positions, first, out, threads(), isa())
    return out


def _evaluate_patterns(circuit: Circuit, patterns: NDArray[np.uint64], count: int) -> Values:
    module = core()
    widths = [bus.width for bus in circuit.inputs]
    if module is None:
        planes = [_numpy.value_planes(row, width) for row, width in zip(patterns, widths, strict=True)]
        words = np.concatenate([np.zeros((0, (count + 63) // 64), np.uint64), *planes])
        return _numpy.plane_values(_numpy.run(program_of(circuit), words), count, circuit.signed)
    out = np.empty(count, np.int64)
    if count:
        module.circuit_evaluate(compiled(circuit), patterns, np.array(widths, np.int32), out, threads(), isa())
    return out
