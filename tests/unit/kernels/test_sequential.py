"""Accumulators on every engine: shapes, orders, overflow, messages, torch operators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
import numpy.typing as npt
import pytest
import torch

from inexact import kernels
from inexact.core.accumulation import Accumulation
from inexact.core.errors import FormatError, InexactError, MissingDependencyError, UnknownNameError
from inexact.kernels import _dispatch, _sequential_ops
from inexact.kernels._adders import known
from inexact.units import Accumulator, Adder, adders

RNG = np.random.default_rng(7)
LUT = RNG.integers(-40000, 40000, (256, 256), dtype=np.int32)

ADDERS = [
    "exact_adder",
    "trunc_adder(cut=5)",
    "loa(low=8)",
    "loa(low=1)",
    "loa(low=0)",
    "loa(low=6,carry=false)",
    "copy_adder(low=5)",
    "eta1(low=7)",
    "eta2(block=5)",
    "aca(window=6)",
    "aca(window=1)",
    "gear(r=3,p=5)",
    "gear(r=4,p=1)",
]
ORDERS = ["sequential", "tree(radix=4)", "tree(radix=32)", "systolic(rows=5)", "systolic(rows=64)"]


def each_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The instruction-set paths of this machine, each forced while it is the one at hand."""
    if not kernels.isas():
        pytest.skip("the compiled core is missing")
    for isa in kernels.isas():
        with monkeypatch.context() as patch:
            patch.setenv("INEXACT_ISA", isa)
            yield isa


def codes(*shape: int) -> npt.NDArray[np.uint8]:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def narrow(lut: npt.NDArray[np.int32], width: int) -> npt.NDArray[np.int32]:
    """A table whose products an accumulator of `width` bits holds, and that it overflows with."""
    half = 1 << (width - 1)
    return ((lut.astype(np.int64) + half) % (2 * half) - half).astype(np.int32)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("adder", ADDERS)
def test_every_engine_equals_the_definition(adder: str, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for width, overflow in ((12, "saturate"), (19, "wrap"), (32, "saturate")):
        accumulator = Accumulator(adder=adder, width=width, overflow=overflow, order=order)
        lut = narrow(LUT * (1 if width < 32 else 40000), width)
        a, b = codes(2, 35), codes(130, 35)
        wanted = accumulator.total(lut[a[:, None, :], b[None, :, :]])
        found = {engine: kernels.sequential_gemm(a, b, lut, accumulator, engine) for engine in ("reference", "torch", "auto")}
        found |= {isa: kernels.sequential_gemm(a, b, lut, accumulator, "sequential") for isa in each_path(monkeypatch)}
        for name, sums in found.items():
            assert sums.dtype == np.int32
            np.testing.assert_array_equal(sums, wanted, err_msg=f"{accumulator} {name}")


@pytest.mark.parametrize("width", [2, 17, 32])
def test_lower_parts_and_segments_may_take_the_whole_width(width: int, path: str) -> None:
    lut, a, b = narrow(LUT, width), codes(3, 20), codes(66, 20)
    for head in (
        "eta2(block={w})",
        "aca(window={w})",
        "gear(r={w},p=0)",
        "loa(low={w})",
        "copy_adder(low={w})",
        "eta1(low={w})",
        "trunc_adder(cut={w})",
    ):
        accumulator = Accumulator(adder=head.format(w=width), width=width, overflow="saturate")
        wanted = accumulator.total(lut[a[:, None, :], b[None, :, :]])
        for engine in ("reference", "sequential", "torch"):
            np.testing.assert_array_equal(
                kernels.sequential_gemm(a, b, lut, accumulator, engine), wanted, err_msg=f"{accumulator} {engine}"
            )


CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 3, 7, 9), (5, 3, 3, 3), {"padding": 1}),
    ((2, 4, 6, 5), (6, 2, 2, 3), {"padding": (0, 2), "stride": (2, 1), "groups": 2, "dilation": (1, 2)}),
    ((3, 6, 5, 5), (6, 1, 3, 3), {"groups": 6, "padding": (1, 0, 2, 1)}),
    ((1, 2, 40, 41), (3, 2, 3, 3), {"padding": 2}),
    ((1, 9, 1, 1), (200, 9, 1, 1), {}),
    ((1, 1, 5, 5), (1, 1, 5, 5), {}),
    ((2, 150, 2, 2), (2, 150, 2, 2), {"padding": 1}),
]


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize(("a_shape", "w_shape", "given"), CONVOLUTIONS)
def test_convolutions(
    a_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    given: dict[str, Any],
    threads: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INEXACT_THREADS", threads)
    a, w = codes(*a_shape), codes(*w_shape)
    for adder, overflow, order in (
        ("loa(low=8)", "wrap", "sequential"),
        ("copy_adder(low=7)", "saturate", "systolic(rows=16)"),
        ("gear(r=5,p=4)", "saturate", "tree(radix=8)"),
    ):
        accumulator = Accumulator(adder=adder, width=18, overflow=overflow, order=order)
        wanted = kernels.sequential_conv2d(a, w, LUT, accumulator, **given, pad_code=201, engine="reference")
        found = {"torch": kernels.sequential_conv2d(a, w, LUT, accumulator, **given, pad_code=201, engine="torch")}
        for isa in each_path(monkeypatch):
            found[isa] = kernels.sequential_conv2d(a, w, LUT, accumulator, **given, pad_code=201, engine="sequential")
            parts = [kernels.sequential_conv2d(a[i : i + 1], w, LUT, accumulator, **given, pad_code=201) for i in range(len(a))]
            found[f"{isa}, image by image"] = np.concatenate(parts)
        for name, sums in found.items():
            np.testing.assert_array_equal(sums, wanted, err_msg=f"{accumulator} {name}")


def test_the_order_of_a_window_is_channel_row_column() -> None:
    a, w = codes(1, 3, 4, 4), codes(32, 3, 2, 2)
    accumulator = Accumulator(width=17, overflow="saturate", order="systolic(rows=5)")
    found = kernels.sequential_conv2d(a, w, LUT, accumulator)
    window = a[0, :, 1:3, 2:4].reshape(-1)
    wanted = accumulator.total(LUT[window[None, :], w.reshape(32, -1)])
    np.testing.assert_array_equal(found[0, :, 1, 2], wanted)
    shuffled = accumulator.total(LUT[window[None, ::-1], w.reshape(32, -1)[:, ::-1]])
    assert not np.array_equal(shuffled, wanted)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 8192])
def test_deep_sums(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = codes(3, count), codes(130, count)
    for order in ("sequential", "tree(radix=16)", "systolic(rows=16)"):
        accumulator = Accumulator(adder="loa(low=8)", width=24, overflow="saturate", order=order)
        wanted = kernels.sequential_gemm(a, b, LUT, accumulator, "reference")
        for isa in each_path(monkeypatch):
            found = kernels.sequential_gemm(a, b, LUT, accumulator, "sequential")
            np.testing.assert_array_equal(found, wanted, err_msg=isa)
        if count < 100:
            np.testing.assert_array_equal(kernels.sequential_gemm(a, b, LUT, accumulator, "torch"), wanted)


@pytest.mark.parametrize("shape", [(16, 16), (4, 256), (256, 8)])
def test_tables_of_narrow_operands(shape: tuple[int, int], path: str) -> None:
    lut = RNG.integers(-900, 900, shape, dtype=np.int32)
    a, b = RNG.integers(0, shape[0], (9, 33), dtype=np.uint8), RNG.integers(0, shape[1], (140, 33), dtype=np.uint8)
    accumulator = Accumulator(adder="eta2(block=3)", width=11, overflow="saturate")
    wanted = accumulator.total(lut[a[:, None, :], b[None, :, :]])
    for engine in ("reference", "sequential", "torch"):
        np.testing.assert_array_equal(kernels.sequential_gemm(a, b, lut, accumulator, engine), wanted)


def test_nothing_to_add_is_zero() -> None:
    accumulator = Accumulator(adder="loa(low=8)", width=24)
    for engine in ("reference", "sequential", "torch"):
        assert (kernels.sequential_gemm(codes(3, 0), codes(2, 0), LUT, accumulator, engine) == 0).all()
        assert kernels.sequential_gemm(codes(0, 4), codes(2, 4), LUT, accumulator, engine).shape == (0, 2)


@final
@dataclass(frozen=True, kw_only=True)
class Larger(Adder):
    """An adder whose rule no engine knows: exact, but for its lowest bit."""

    width: tuple[int, int] = (20, 20)

    def sum(self, a, b):  # type: ignore[no-untyped-def]
        return np.where(a > b, a + b, a + b | 1)

    @classmethod
    def samples(cls):  # type: ignore[no-untyped-def]
        return [cls()]


@dataclass(frozen=True)
class Foreign:
    """An accumulator that no spec describes."""

    unit: Adder

    @property
    def accumulation(self) -> Accumulation:
        return Accumulation(rule=None, add=self.unit.approx, width=20, saturate=True, chained=True, group=4)


def test_an_adder_no_engine_knows_runs_as_its_function() -> None:
    a, w = codes(2, 3, 5, 5), codes(4, 3, 3, 3)
    found = kernels.sequential_conv2d(a, w, LUT, Foreign(Larger()), padding=1, pad_code=3)
    known_ones = Foreign(adders.get("loa(low=4,width=20)"))
    wanted = kernels.sequential_conv2d(
        a, w, LUT, Accumulator(adder="loa(low=4)", width=20, overflow="saturate", order="systolic(rows=4)"), padding=1, pad_code=3
    )
    np.testing.assert_array_equal(kernels.sequential_conv2d(a, w, LUT, known_ones, padding=1, pad_code=3), wanted)
    assert not np.array_equal(found, wanted)
    flat, rows = codes(3, 8), codes(5, 8)
    slow = np.zeros((3, 5), np.int64)
    mask = (1 << 20) - 1
    step = Accumulator(width=20)
    for start in (0, 4):
        column = np.zeros((3, 5), np.int64)
        for k in range(start, start + 4):
            bits = Larger()(column & mask, LUT[flat[:, None, k], rows[None, :, k]] & mask) & mask
            column = step.add(bits - ((bits >> 19) << 20), np.zeros((3, 5), np.int64))
        bits = Larger()(slow & mask, column & mask) & mask
        slow = bits - ((bits >> 19) << 20)
    assert np.abs(slow).max() < (1 << 19)  # far from overflow, so wrapping and saturation agree
    np.testing.assert_array_equal(kernels.sequential_gemm(flat, rows, LUT, Foreign(Larger())), slow)
    with pytest.raises(FormatError, match="an adder without a bit rule runs on engine 'torch', not on 'reference'"):
        kernels.sequential_gemm(flat, rows, LUT, Foreign(Larger()), "reference")


def test_bad_calls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    accumulator = Accumulator(adder="loa(low=8)", width=16)
    a, b = codes(2, 3), codes(4, 3)
    lut = np.full((256, 256), 32768, np.int32)
    with pytest.raises(
        FormatError,
        match=r"must hold every product of the table \(32768\.\.32768\), but 16 bits hold -32768\.\.32767: give it at least 17 bits",
    ):
        kernels.sequential_gemm(a, b, lut, accumulator)
    with pytest.raises(FormatError, match=r"but 16 bits hold -32768\.\.32767: give it at least 17 bits"):
        kernels.sequential_gemm(a, b, -lut - 1, accumulator)
    kernels.sequential_gemm(a, b, -lut, accumulator)
    with pytest.raises(FormatError, match="accumulator must be an Accumulator such as"):
        kernels.sequential_gemm(a, b, lut, cast("Accumulator", "loa"))
    with pytest.raises(UnknownNameError, match="an accumulator runs on engine auto, reference, sequential, torch, not on 'table'"):
        kernels.sequential_gemm(a, b, LUT, Accumulator(adder="loa(low=8)"), "table")
    with pytest.raises(FormatError, match="engine 'sequential' sums through an accumulator"):
        kernels.gemm(a, b, LUT, "sequential")
    with pytest.raises(FormatError, match=r"pad_code must be a code of the table \(0\.\.15\), not 16"):
        kernels.sequential_conv2d(
            codes(1, 1, 3, 3) % 16, codes(1, 1, 2, 2) % 16, LUT[:16, :16], Accumulator(adder="loa(low=8)"), pad_code=16
        )
    monkeypatch.setattr(_dispatch, "core", lambda: None)
    with pytest.raises(MissingDependencyError, match="engine 'sequential' needs the compiled core"):
        kernels.sequential_gemm(a, b, LUT, Accumulator(adder="loa(low=8)"), "sequential")
    assert kernels.sequential_gemm(a, b, LUT, Accumulator(adder="loa(low=8)")).shape == (2, 4)


@pytest.mark.parametrize("engine", ["auto", "torch", "reference"])
def test_operators_pass_opcheck(engine: str) -> None:
    accumulation = _sequential_ops.encoded(Accumulator(adder="gear(r=4,p=4)", width=20, overflow="saturate").accumulation)
    a, b, lut = (torch.from_numpy(x) for x in (codes(4, 6), codes(5, 6), LUT))
    torch.library.opcheck(torch.ops.inexact.sequential_gemm, (a, b, lut, accumulation, engine))
    x, w = torch.from_numpy(codes(1, 4, 6, 6)), torch.from_numpy(codes(6, 2, 3, 3))
    arguments = (x, w, lut, accumulation, [2, 1], [1, 1, 0, 0], [1, 1], 2, 9, engine)
    torch.library.opcheck(torch.ops.inexact.sequential_conv2d, arguments)


@pytest.mark.parametrize("name", list(adders))
def test_the_bit_rule_of_every_adder_is_its_sum(name: str) -> None:
    for unit in adders[name].samples():
        rule = unit.bit_rule()
        if rule is None:
            continue
        size = 1 << unit.width[0]
        a, b = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        found = known(rule, unit.width[0])(a, b) % size
        np.testing.assert_array_equal(found.numpy(), unit.table() % size, err_msg=unit.spec)


def test_unknown_adders_are_errors_of_the_package() -> None:
    with pytest.raises(InexactError, match="no adder is called 'geer'"):
        Accumulator(adder="geer(r=2)")
