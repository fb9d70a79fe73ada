"""Runs the compiled core on arrays that touch unreadable pages: a stray access ends the process, so test_guard_pages.py starts its own."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from inexact.kernels import _table

Array = npt.NDArray[Any]
PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_core = _table.compiled()
SCHEMES = ("auto", "fix_weight", "fix_activation", "stack_activation", "stack_weight")


def guarded(like: Array, side: str) -> Array:
    """A copy of `like` that ends where an unreadable page begins (side "after"), or begins where one ends ("before")."""
    pages = -(-max(like.nbytes, 1) // PAGE)
    start = libc.mmap(None, (pages + 2) * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    for page in (0, pages + 1):
        if libc.mprotect(start + page * PAGE, PAGE, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    inside = start + PAGE + (pages * PAGE - like.nbytes if side == "after" else 0)
    array: Array = np.ctypeslib.as_array((ctypes.c_uint8 * like.nbytes).from_address(inside)).view(like.dtype).reshape(like.shape)
    array[...] = like
    return array


def check(isa: str, side: str, seed: int) -> None:
    """One random convolution and one random product on `isa`, every scheme, against the reference."""
    rng = np.random.default_rng(seed)
    codes = [int(c) for c in rng.choice([2, 16, 100, 256], 2)]
    groups, inputs, outputs, batch = (int(v) for v in rng.integers(1, [4, 5, 70, 4]))
    kernel, stride, dilation = (tuple(int(v) for v in rng.integers(1, 4, 2)) for _ in range(3))
    padding = tuple(int(v) for v in rng.integers(0, 3, 4)) if seed % 2 else (0, 0, 0, 0)  # without padding the input is read where it lies
    reach = [dilation[i] * (kernel[i] - 1) + 1 - padding[2 * i] - padding[2 * i + 1] for i in range(2)]
    size = [max(1, reach[i]) + int(rng.integers(0, 70)) for i in range(2)]
    shape = [(size[i] - reach[i]) // stride[i] + 1 for i in range(2)]
    span = int(rng.choice([100, 20000, 2**20]))  # rows of bytes, of words, of 32 bits
    lut = guarded(rng.integers(-span, span, codes, dtype=np.int32), side)
    a = guarded(rng.integers(0, codes[0], (batch, groups * inputs, *size), dtype=np.uint8), side)
    w = guarded(rng.integers(0, codes[1], (groups * outputs, inputs, *kernel), dtype=np.uint8), side)
    out = guarded(np.zeros((batch, len(w), *shape), np.int32), side)
    options = (stride, padding, dilation, groups, 1, 2)
    wanted = np.empty_like(out)
    table = _core.Table(lut)
    _core.conv2d(a, w, table, wanted, *options, "reference")
    for scheme in SCHEMES[:-1]:
        out[...] = 0
        _core.conv2d(a, w, table, out, *options, isa, scheme)
        np.testing.assert_array_equal(out, wanted, err_msg=f"{isa} {scheme} {seed}")
    m, n, k = (int(v) for v in rng.integers(1, 150, 3))
    left, right = (guarded(rng.integers(0, codes[i], (rows, k), dtype=np.uint8), side) for i, rows in enumerate((m, n)))
    product = guarded(np.zeros((m, n), np.int32), side)
    expected = np.empty_like(product)
    _core.gemm(left, right, table, expected, 2, "reference")
    for scheme in SCHEMES:
        product[...] = 0
        _core.gemm(left, right, table, product, 2, isa, scheme)
        np.testing.assert_array_equal(product, expected, err_msg=f"{isa} {scheme} {seed}")
    if seed % 3 == 0:
        check_split(isa, (a, w, out, options), (left, right, product), lut)


def check_split(
    isa: str, convolution: tuple[Array, Array, Array, tuple[Any, ...]], matrices: tuple[Array, Array, Array], lut: Array
) -> None:
    """The same sums with a product of two terms added to the table: codes of a times 200 times signed codes of b."""
    codes = np.arange(256)
    signed = codes - 256 * (codes >= 128)
    a_map = np.tile(codes.astype(np.uint8), (2, 1))
    hundreds = 200 * signed
    b_map = np.stack([hundreds >> 8, (hundreds & 255) - 128]).astype(np.uint8)  # 256 * high + low, the low one less 128
    factors = _core.Factors(a_map, b_map, [False, False], [8, 0], np.zeros(256, np.int32))
    added = np.multiply.outer(codes, 256 * (hundreds >> 8) + (hundreds & 255) - 128)[: len(lut), : lut.shape[1]]
    table, error = _core.Table((lut + added).astype(np.int32)), _core.Table(lut)
    a, w, out, options = convolution
    wanted = np.empty_like(out)
    _core.conv2d(a, w, table, wanted, *options, "reference")
    out[...] = 0
    _core.split_conv2d(a, w, factors, error, out, *options, isa)
    np.testing.assert_array_equal(out, wanted, err_msg=f"{isa} split")
    left, right, product = matrices
    expected = np.empty_like(product)
    _core.gemm(left, right, table, expected, 2, "reference")
    product[...] = 0
    _core.split_gemm(left, right, factors, error, product, 2, isa)
    np.testing.assert_array_equal(product, expected, err_msg=f"{isa} split")


def told(action: Callable[[], None]) -> str:
    """How a process of its own ends that does this: "" well, else the signal or the message."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            action()
        except BaseException as error:
            os.write(write, repr(error).encode()[:4000])
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read, "rb") as pipe:
        message = pipe.read().decode()
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else message


def stray(side: str) -> None:
    """Proves that the pages do what they are for."""
    edge = guarded(np.zeros(8, np.uint8), side)
    ctypes.string_at(edge.ctypes.data + (8 if side == "after" else -1), 1)


def checks(isa: str, side: str, count: int) -> None:
    """Some of them."""
    for number in range(count):
        check(isa, side, number)


if __name__ == "__main__":
    sides, count = ("after", "before"), int(sys.argv[1])
    found = {f"{isa} {side}": told(partial(checks, isa, side, count)) for isa in sys.argv[2:] for side in sides}
    sys.stdout.write(json.dumps(found | {f"stray {side}": told(partial(stray, side)) for side in sides}))
