"""Every engine, instruction-set path, fixed operand and thread count equals the reference bit for bit, on asymmetric random tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from inexact import kernels
from inexact.kernels import _dispatch, _reference, _table
from inexact.kernels._geometry import Geometry
from inexact.kernels._known import known_of

Codes = npt.NDArray[np.uint8]
Lut = npt.NDArray[np.int32]

CONVOLUTION_SCHEMES = ("auto", "fix_weight", "fix_activation", "stack_activation")
SCHEMES = (*CONVOLUTION_SCHEMES, "stack_weight")

RANGES = {"one plane": (-3, 253), "two planes": (0, 65026), "sign-magnitude": (-65025, 65026), "far from zero": (2**24, 2**24 + 60000)}
"""Products of a table: chosen so that rows need one, two and three bytes, with and without a large common offset."""

CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "one of everything": ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    "odd": ((3, 5, 7, 9), (7, 5, 3, 3), {"padding": 1}),
    "2^k - 1": ((1, 3, 15, 31), (15, 3, 3, 3), {"padding": 1}),
    "2^k + 1": ((2, 4, 17, 33), (33, 4, 3, 3), {"padding": 1}),
    "exactly 64 pixels wide": ((1, 2, 3, 64), (5, 2, 1, 1), {}),
    "stride 2": ((2, 4, 9, 12), (6, 4, 3, 3), {"stride": 2, "padding": 1}),
    "stride 3, kernel 2": ((1, 3, 11, 10), (4, 3, 2, 2), {"stride": 3}),
    "uneven stride": ((1, 2, 12, 13), (3, 2, 3, 5), {"stride": (1, 4), "padding": (2, 0)}),
    "dilation": ((1, 3, 13, 12), (4, 3, 3, 3), {"dilation": 2, "padding": 2}),
    "dilation and stride": ((1, 3, 16, 14), (4, 3, 3, 2), {"dilation": (3, 2), "stride": (2, 3), "padding": (3, 1)}),
    "groups": ((2, 6, 8, 8), (9, 2, 3, 3), {"groups": 3, "padding": 1}),
    "depthwise": ((2, 19, 10, 11), (19, 1, 3, 3), {"groups": 19, "padding": 1}),
    "depthwise, two outputs a channel": ((1, 7, 9, 9), (14, 1, 5, 5), {"groups": 7, "padding": 2, "stride": 2}),
    "deep": ((1, 300, 3, 3), (3, 300, 3, 3), {"padding": 1}),
    "8,192 products a sum": ((1, 2048, 2, 3), (3, 2048, 2, 2), {}),
    "narrow": ((1, 1, 200, 1), (2, 1, 7, 1), {"padding": (3, 0)}),
    "many outputs, few pixels": ((2, 17, 4, 4), (130, 17, 3, 3), {"padding": 1}),
    "padding beyond the kernel": ((1, 2, 3, 3), (3, 2, 1, 1), {"padding": 3}),
    "image smaller than the padding": ((1, 2, 1, 2), (3, 2, 5, 5), {"padding": 4, "stride": 2}),
    "four paddings": ((2, 3, 8, 7), (5, 3, 3, 3), {"padding": (0, 2, 3, 1)}),
    "padding below and right only": ((1, 3, 11, 70), (4, 3, 3, 3), {"padding": (0, 1, 0, 1), "stride": 2}),
    "padding above and left only": ((3, 2, 5, 5), (40, 2, 3, 3), {"padding": (2, 0, 1, 0)}),
    "rows left over": ((1, 2, 10, 10), (3, 2, 2, 2), {"stride": 4}),
}
PRODUCTS = [
    (1, 1, 1),
    (1, 300, 33),
    (300, 1, 33),
    (7, 9, 31),
    (63, 65, 257),
    (129, 127, 64),
    (65, 300, 9),
    (3, 4, 2000),
    (5, 6, 8192),
    (260, 10, 100),
]


def codes(*shape: int, top: int = 256, seed: int = 0) -> Codes:
    return np.random.default_rng([seed, *shape]).integers(0, top, shape, dtype=np.uint8)


def table(span: tuple[int, int], shape: tuple[int, int] = (256, 256)) -> Lut:
    return np.random.default_rng(7).integers(*span, shape, dtype=np.int32)


def within(span: tuple[int, int], window: int) -> tuple[int, int]:
    """`span`, moved towards zero until `window` products of it fit the accumulator."""
    excess = max(0, span[1] - (2**31 - 1) // window)
    return span[0] - excess, span[1] - excess


def same(found: torch.Tensor, wanted: npt.NDArray[np.int32]) -> None:
    assert found.dtype == torch.int32
    np.testing.assert_array_equal(found.numpy(), wanted)


@pytest.mark.parametrize("span", RANGES.values(), ids=RANGES.keys())
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_compiled_convolution_equals_reference(name: str, span: tuple[int, int], path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape_a, shape_w, options = CONVOLUTIONS[name]
    a, w, lut = codes(*shape_a), codes(*shape_w, seed=1), table(within(span, int(np.prod(shape_w[1:]))))
    wanted = kernels.conv2d(a, w, lut, pad_code=211, engine="reference", **options)
    given = {key: options.get(key, default) for key, default in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))}
    x, y, z = (torch.from_numpy(array) for array in (a, w, lut))
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        for scheme in CONVOLUTION_SCHEMES:
            same(_table.conv2d(x, y, known_of(z), Geometry.of(**given), 211, path, scheme), wanted)


@pytest.mark.parametrize("span", RANGES.values(), ids=RANGES.keys())
@pytest.mark.parametrize(("m", "n", "k"), PRODUCTS)
def test_compiled_product_equals_reference(
    m: int, n: int, k: int, span: tuple[int, int], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, lut = codes(m, k), codes(n, k, seed=1), table(within(span, k))
    wanted = kernels.gemm(a, b, lut, "reference")
    x, y, z = (torch.from_numpy(array) for array in (a, b, lut))
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        for scheme in SCHEMES:
            same(_table.gemm(x, y, known_of(z), path, scheme), wanted)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_torch_convolution_equals_reference(name: str) -> None:
    shape_a, shape_w, options = CONVOLUTIONS[name]
    a, w, lut = codes(*shape_a), codes(*shape_w, seed=1), table(RANGES["sign-magnitude"])
    wanted = kernels.conv2d(a, w, lut, pad_code=3, engine="reference", **options)
    np.testing.assert_array_equal(kernels.conv2d(a, w, lut, pad_code=3, engine="torch", **options), wanted)


@pytest.mark.parametrize(("m", "n", "k"), PRODUCTS)
@pytest.mark.parametrize("top", [300, 65026, 900_000])
def test_torch_product_equals_reference(m: int, n: int, k: int, top: int) -> None:
    most = min(top, (2**31 - 1) // k)
    a, b, lut = codes(m, k), codes(n, k, seed=1), table((-most, most))
    np.testing.assert_array_equal(kernels.gemm(a, b, lut, "torch"), kernels.gemm(a, b, lut, "reference"))


def test_torch_product_of_large_entries_is_not_rounded() -> None:
    a, b = codes(200, 20), codes(5, 20, seed=1)
    lut = np.random.default_rng(0).integers(2**26, 2**26 + 1000, (256, 256), dtype=np.int32)
    np.testing.assert_array_equal(kernels.gemm(a, b, lut, "torch"), kernels.gemm(a, b, lut, "reference"))


@pytest.mark.parametrize("engine", ["reference", "table", "torch"])
@pytest.mark.parametrize("shape", [(16, 16), (256, 16), (16, 256), (4, 4), (2, 8)])
def test_smaller_tables(engine: str, shape: tuple[int, int]) -> None:
    lut = table((-5000, 5000), shape)
    a, w = codes(2, 3, 9, 9, top=shape[0]), codes(40, 3, 3, 3, top=shape[1])
    found = kernels.conv2d(a, w, lut, padding=1, pad_code=1, engine=engine)
    np.testing.assert_array_equal(found, _reference.conv2d(a, w, lut, Geometry.of(1, 1, 1, 1), 1))
    rows, columns = codes(30, 12, top=shape[0]), codes(20, 12, top=shape[1])
    np.testing.assert_array_equal(kernels.gemm(rows, columns, lut, engine), _reference.gemm(rows, columns, lut))


@pytest.mark.parametrize("name", ["dilation and stride", "groups", "image smaller than the padding", "uneven stride"])
def test_compiled_reference_equals_the_numpy_specification(name: str) -> None:
    shape_a, shape_w, options = CONVOLUTIONS[name]
    a, w, lut = codes(*shape_a), codes(*shape_w, seed=1), table((-65025, 65026))
    given = {key: options.get(key, default) for key, default in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))}
    wanted = _reference.conv2d(a, w, lut, Geometry.of(**given), 99)
    np.testing.assert_array_equal(kernels.conv2d(a, w, lut, pad_code=99, engine="reference", **options), wanted)


def test_numpy_reference_serves_where_no_core_is(monkeypatch: pytest.MonkeyPatch) -> None:
    a, w, lut = codes(1, 2, 5, 5), codes(3, 2, 3, 3), table((-65025, 65026))
    wanted = kernels.conv2d(a, w, lut), kernels.gemm(a[0, 0], w[:, 0, 0].repeat(2, axis=1)[:, :5], lut)
    monkeypatch.setattr(_dispatch, "core", lambda: None)
    assert kernels.engines() == {"reference": True, "table": False, "lowrank": True, "split": False, "torch": True, "sequential": False}
    assert (kernels.isa(), kernels.isas(), kernels.engine_for(lut)) == ("none", (), "torch")
    for engine in ("auto", "torch", "reference"):
        np.testing.assert_array_equal(kernels.conv2d(a, w, lut, engine=engine), wanted[0])
        np.testing.assert_array_equal(kernels.gemm(a[0, 0], w[:, 0, 0].repeat(2, axis=1)[:, :5], lut, engine), wanted[1])


def test_operand_order_is_activation_then_weight() -> None:
    lut = np.arange(256, dtype=np.int32)[:, None] * 1000 + np.zeros(256, np.int32)
    a, b = np.full((1, 1), 5, np.uint8), np.full((1, 1), 7, np.uint8)
    for engine in ("reference", "table", "torch"):
        assert kernels.gemm(a, b, lut, engine)[0, 0] == 5000
        assert kernels.conv2d(a[None, None], b[None, None], lut, engine=engine)[0, 0, 0, 0] == 5000


def test_both_ends_of_the_accumulator() -> None:
    lut = table((-65025, 65026))
    lut[0, 0], lut[255, 255] = -(2**20), 2**20
    k = 2**11 - 1
    for code, product in ((0, -(2**20)), (255, 2**20)):
        a = np.full((3, k), code, np.uint8)
        for engine in ("reference", "table", "torch"):
            np.testing.assert_array_equal(kernels.gemm(a, a, lut, engine), np.full((3, 3), k * product))


def test_every_path_of_this_processor_is_built_and_listed(supported_paths: set[str]) -> None:
    """The parametrised tests skip absent paths; this fails when the processor has one that the build left out."""
    assert set(kernels.isas()) == supported_paths
