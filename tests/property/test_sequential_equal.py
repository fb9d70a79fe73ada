"""Any adder, width, order and shape: every engine's accumulator gives the reference's answer, which is the definition's."""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inexact import kernels
from inexact.units import Accumulator


@st.composite
def accumulators(draw: st.DrawFn) -> Accumulator:
    width = draw(st.integers(2, 32))
    low, r = draw(st.integers(0, width)), draw(st.integers(1, width))
    heads = [
        "exact_adder",
        f"loa(low={low})",
        f"loa(low={low},carry=false)",
        f"trunc_adder(cut={low})",
        f"copy_adder(low={low})",
        f"eta1(low={low})",
        f"eta2(block={r})",
        f"aca(window={r})",
        f"gear(r={r},p={draw(st.integers(0, width - r))})",
    ]
    orders = ["sequential", f"tree(radix={2 ** draw(st.integers(0, 8))})", f"systolic(rows={draw(st.integers(1, 70))})"]
    return Accumulator(
        adder=draw(st.sampled_from(heads)),
        width=width,
        overflow=draw(st.sampled_from(["wrap", "saturate"])),
        order=draw(st.sampled_from(orders)),
    )


@given(accumulators(), st.integers(1, 6), st.integers(1, 140), st.integers(1, 90), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_products(accumulator: Accumulator, m: int, n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = accumulator.value_range
    lut = rng.integers(low, high + 1, (256, 256)).astype(np.int32)
    a, b = rng.integers(0, 256, (m, k), dtype=np.uint8), rng.integers(0, 256, (n, k), dtype=np.uint8)
    wanted = accumulator.total(lut[a[:, None, :], b[None, :, :]])
    for engine in ("reference", "torch", "auto"):
        np.testing.assert_array_equal(kernels.sequential_gemm(a, b, lut, accumulator, engine), wanted, err_msg=engine)
    for isa in kernels.isas():
        with mock.patch.dict(os.environ, {"INEXACT_ISA": isa}):
            np.testing.assert_array_equal(kernels.sequential_gemm(a, b, lut, accumulator, "sequential"), wanted, err_msg=isa)
            np.testing.assert_array_equal(kernels.sequential_gemm(b, a, lut.T, accumulator, "sequential"), wanted.T, err_msg=isa)


@given(accumulators(), st.data())
@settings(deadline=None, max_examples=40)
def test_convolutions(accumulator: Accumulator, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    low, high = accumulator.value_range
    lut = rng.integers(low, high + 1, (256, 256)).astype(np.int32)
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    groups, inputs, outputs = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    kernel, stride, dilation = data.draw(pair), data.draw(pair), data.draw(pair)
    padding = data.draw(st.tuples(*(st.integers(0, 2) for _ in range(4))))
    size = [data.draw(st.integers(dilation[i] * (kernel[i] - 1) + 1, dilation[i] * (kernel[i] - 1) + 9)) for i in range(2)]
    a = rng.integers(0, 256, (data.draw(st.integers(1, 3)), groups * inputs, *size), dtype=np.uint8)
    w = rng.integers(0, 256, (groups * outputs, inputs, *kernel), dtype=np.uint8)
    given_: dict[str, Any] = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "pad_code": data.draw(st.integers(0, 255)),
    }
    wanted = kernels.sequential_conv2d(a, w, lut, accumulator, **given_, engine="reference")
    for engine in ("torch", "auto"):
        np.testing.assert_array_equal(kernels.sequential_conv2d(a, w, lut, accumulator, **given_, engine=engine), wanted, err_msg=engine)
    for isa in kernels.isas():
        with mock.patch.dict(os.environ, {"INEXACT_ISA": isa}):
            found = kernels.sequential_conv2d(a, w, lut, accumulator, **given_, engine="sequential")
            np.testing.assert_array_equal(found, wanted, err_msg=isa)
