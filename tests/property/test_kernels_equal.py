"""Any shape, any table, any batch split: engines, paths and fixed operands give the reference's answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inexact import kernels
from inexact.kernels import _lowrank, _table
from inexact.kernels._geometry import Geometry
from inexact.kernels._known import known_of

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    groups, inputs, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 40))
    kernel, stride, dilation = draw(PAIR), draw(PAIR), draw(PAIR)
    padding = draw(st.tuples(*[st.integers(0, 3)] * 4))
    least = [max(1, dilation[i] * (kernel[i] - 1) + 1 - padding[2 * i] - padding[2 * i + 1]) for i in range(2)]
    size = [draw(st.integers(least[i], least[i] + 24)) for i in range(2)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    low = draw(st.integers(-(2**21), 2**21))
    span = draw(st.sampled_from([1, 255, 256, 65535, 65536, 2**20]))
    return {
        "a": torch.from_numpy(rng.integers(0, 256, (draw(st.integers(1, 3)), groups * inputs, *size), dtype=np.uint8)),
        "w": torch.from_numpy(rng.integers(0, 256, (groups * outputs, inputs, *kernel), dtype=np.uint8)),
        "known": known_of(torch.from_numpy(rng.integers(low, low + span + 1, (256, 256), dtype=np.int32))),
        "geometry": Geometry(stride=stride, padding=padding, dilation=dilation, groups=groups),
        "pad_code": draw(st.integers(0, 255)),
    }


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_every_path_equals_the_reference(case: dict[str, Any]) -> None:
    wanted = _table.conv2d(**case, path="reference")
    for path in kernels.isas():
        for scheme in ("auto", "fix_weight", "fix_activation", "stack_activation"):
            assert torch.equal(_table.conv2d(**case, path=path, scheme=scheme), wanted), (path, scheme)
    g = case["geometry"]
    found = kernels.conv2d(
        case["a"], case["w"], torch.from_numpy(case["known"].values), g.stride, g.padding, g.dilation, g.groups, case["pad_code"], "torch"
    )
    assert torch.equal(found, wanted)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 600), st.integers(0, 2**32), st.sampled_from([200, 60000, 2**21]))
def test_products_do_not_depend_on_engine_or_batch_split(m: int, n: int, k: int, seed: int, top: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (torch.from_numpy(rng.integers(0, 256, (rows, k), dtype=np.uint8)) for rows in (m, n))
    lut = torch.from_numpy(rng.integers(-top, top + 1, (256, 256), dtype=np.int32))
    wanted = kernels.gemm(a, b, lut, "reference")
    for engine in ("table", "torch"):
        assert torch.equal(kernels.gemm(a, b, lut, engine), wanted)
        halves = [kernels.gemm(part, b, lut, engine) for part in (a[: m // 2], a[m // 2 :])]
        assert torch.equal(torch.cat(halves), wanted)
    for path in kernels.isas():
        for scheme in ("fix_weight", "fix_activation", "stack_activation", "stack_weight"):
            assert torch.equal(_table.gemm(a, b, known_of(lut), path, scheme), wanted), (path, scheme)


@settings(max_examples=40, deadline=None)
@given(convolutions(), st.integers(0, 4), st.sampled_from([3, 100, 400]), st.integers(0, 2**32))
def test_lowrank_equals_the_reference(case: dict[str, Any], rank: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(-size, size, (rank, 256)) for _ in range(2))
    lut = torch.from_numpy((left.T @ right + rng.integers(-1000, 1000, 256)).astype(np.int32))
    case["known"] = known_of(lut)
    wanted = _table.conv2d(**case, path="reference")
    for isa in _lowrank.isas():
        assert torch.equal(_lowrank.conv2d(**case, isa=isa), wanted), isa
    a, b = case["a"].reshape(-1, case["a"].shape[3]), case["a"].reshape(-1, case["a"].shape[3])[:33]
    for isa in _lowrank.isas():
        assert torch.equal(_lowrank.gemm(a, b, case["known"], isa), kernels.gemm(a, b, lut, "reference")), isa
