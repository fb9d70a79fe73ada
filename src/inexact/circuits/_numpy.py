"""The specification of the simulator in numpy, 64 lanes a word: used where the compiled core is absent, and to test it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inexact.circuits._circuit import Op
from inexact.circuits._program import Program

Planes = NDArray[np.uint64]

_PATTERNS = np.array(
    [0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0, 0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000, 0xFFFFFFFF00000000], np.uint64
)
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def number_planes(positions: NDArray[np.int32], first: int, count: int) -> Planes:
    """Bits of the lane numbers first .. first + count, one row per input bit; `first` is a multiple of 64."""
    words = np.arange(first // 64, (first + count + 63) // 64, dtype=np.uint64)
    rows = [
        np.full(words.shape, _PATTERNS[p]) if p < 6 else np.where((words >> np.uint64(p - 6)) & np.uint64(1), _ONES, np.uint64(0))
        for p in positions.tolist()
    ]
    return np.array(rows, np.uint64).reshape(len(rows), len(words))


def value_planes(values: NDArray[np.uint64], width: int) -> Planes:
    """Bits of `values`, one row per bit."""
    bits = (values >> np.arange(width, dtype=np.uint64)[:, None]) & np.uint64(1)
    padded = np.zeros((width, (values.size + 63) // 64 * 64), np.uint8)
    padded[:, : values.size] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def run(program: Program, planes: Planes) -> Planes:
    """Output planes for input planes [input bits, words]."""
    slots = np.zeros((program.slots, planes.shape[1]), np.uint64)
    slots[1] = _ONES
    for slot, plane in zip(program.inputs.tolist(), planes, strict=True):
        if slot >= 0:
            slots[slot] = plane
    for op, x, y, z, out, carry in program.gates.tolist():
        results = _gate(Op(op), slots[x].copy(), slots[y].copy(), slots[z].copy())
        slots[out] = results[0]
        if len(results) > 1:
            slots[carry] = results[1]
    return slots[program.outputs]


def plane_values(planes: Planes, count: int, signed: bool) -> NDArray[np.int64]:
    """The first `count` lanes of output planes as numbers."""
    bits = np.unpackbits(planes.astype("<u8").view(np.uint8), axis=1, bitorder="little", count=count)
    out = np.zeros(count, np.int64)
    for position, plane in enumerate(bits):
        out |= plane.astype(np.int64) << position
    top = len(bits) - 1
    return np.where(bits[top], out | (np.int64(-1) << np.int64(top)), out) if signed else out


def _gate(op: Op, x: Planes, y: Planes, z: Planes) -> tuple[Planes, ...]:  # noqa: PLR0911  one line a kind
    match op:
        case Op.NOT:
            return (~x,)
        case Op.AND:
            return (x & y,)
        case Op.OR:
            return (x | y,)
        case Op.XOR:
            return (x ^ y,)
        case Op.NAND:
            return (~(x & y),)
        case Op.NOR:
            return (~(x | y),)
        case Op.XNOR:
            return (~(x ^ y),)
        case Op.MUX:
            return ((x & z) | (~x & y),)
        case Op.HALF:
            return x ^ y, x & y
        case Op.FULL:
            return x ^ y ^ z, (x & y) | (z & (x | y))
