"""The split engine equals the reference: an exact product of any coding beside random errors of one byte."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch

from inexact import kernels
from inexact.core.errors import FormatError, MissingDependencyError
from inexact.kernels import _dispatch, _lowrank
from inexact.kernels._known import known_of

Lut = npt.NDArray[np.int32]
SHAPES = {
    "odd": ((3, 5, 7, 9), (7, 5, 3, 3), {"padding": 1}),
    "dilation and stride": ((1, 3, 16, 14), (70, 3, 3, 2), {"dilation": (3, 2), "stride": (2, 3), "padding": (3, 1)}),
    "groups": ((2, 6, 8, 8), (9, 2, 3, 3), {"groups": 3, "padding": 1}),
    "depthwise": ((2, 19, 10, 11), (19, 1, 3, 3), {"groups": 19, "padding": 1}),
    "many sums of bytes": ((1, 300, 12, 12), (65, 300, 3, 3), {"padding": 1}),
}
CODINGS = list(itertools.product((False, True), repeat=2))


def codes(*shape: int, top: int = 256, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng([seed, *shape]).integers(0, top, shape, dtype=np.uint8)


def values(size: int, signed: bool) -> npt.NDArray[np.int64]:
    return np.array([code - size if signed and code >= size // 2 else code for code in range(size)])


def near_exact(signed: tuple[bool, bool], shape: tuple[int, int] = (256, 256)) -> Lut:
    """Products of the codes' values plus errors that span exactly one byte, elsewhere for each weight."""
    rng = np.random.default_rng(5)
    base = rng.integers(-1000, 1000, shape[1])
    error = rng.integers(0, 256, shape)
    error[0], error[1] = 0, 255
    return (np.multiply.outer(*(values(size, s) for size, s in zip(shape, signed, strict=True))) + base + error).astype(np.int32)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("signed", CODINGS)
@pytest.mark.parametrize("name", SHAPES)
def test_convolution_equals_reference(name: str, signed: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    shape_a, shape_w, options = SHAPES[name]
    a, w, lut = codes(*shape_a), codes(*shape_w, seed=1), near_exact(signed)
    wanted = kernels.conv2d(a, w, lut, pad_code=211, engine="reference", **options)  # type: ignore[arg-type]
    for threads in ("1", "3"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        found = kernels.conv2d(a, w, lut, pad_code=211, engine="split", **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("shape", [(256, 256), (64, 256), (256, 64), (32, 100)])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (7, 9, 31), (63, 65, 257), (300, 70, 33), (3, 4, 2000)])
def test_product_equals_reference(m: int, n: int, k: int, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, lut = codes(m, k, top=shape[0]), codes(n, k, top=shape[1], seed=1), near_exact((False, False), shape)
    wanted = kernels.gemm(a, b, lut, "reference")
    for threads in ("1", "3"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        np.testing.assert_array_equal(kernels.gemm(a, b, lut, "split"), wanted)


def test_both_ends_of_the_errors() -> None:
    lut = near_exact((False, True))
    for code in (0, 1):  # the least and the greatest error of every weight, 5,000 times
        a, b = np.full((70, 5000), code, np.uint8), codes(70, 5000)
        np.testing.assert_array_equal(kernels.gemm(a, b, lut, "split"), kernels.gemm(a, b, lut, "reference"))


@pytest.mark.parametrize("signed", CODINGS)
def test_an_error_of_more_than_a_byte_is_refused(signed: tuple[bool, bool]) -> None:
    lut = near_exact(signed)
    known = known_of(torch.from_numpy(lut)).split
    assert known is not None
    assert len(known.product.terms) == 1
    assert np.ptp(known.error, axis=0).max() == 255
    lut[7, 9] = lut[:, 9].max() + 300
    assert known_of(torch.from_numpy(lut)).split is None
    with pytest.raises(
        FormatError, match=r"engine 'split' needs a table whose errors with one weight span less than 256, and whose products"
    ):
        kernels.gemm(codes(2, 3), codes(2, 3), lut, "split")


def test_a_table_of_bytes_needs_no_split() -> None:
    lut = np.random.default_rng(0).integers(-3, 253, (256, 256), dtype=np.int32)
    assert known_of(torch.from_numpy(lut)).split is None


def test_choice_names_the_split() -> None:
    choice = kernels.choice_for(near_exact((False, False)), (8, 256, 14, 14))
    assert set(choice.rates) == {"table", "split"}
    assert choice.why.startswith("its error fits 8 bits beside one exact product; predicted per core: table ")
    if kernels.isas()[0] == "avx512" and "avx512" in _lowrank.isas():
        assert choice.engine == "split"


def test_the_compiled_core_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dispatch, "core", lambda: None)
    with pytest.raises(MissingDependencyError, match=r"engine 'split' needs the compiled core, which this installation lacks"):
        kernels.gemm(codes(2, 3), codes(2, 3), near_exact((False, False)), "split")
