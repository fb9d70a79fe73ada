"""The lowrank engine equals the reference on every unit's table; factors are proven before use; what has none is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from inexact import kernels
from inexact.core.errors import FormatError
from inexact.kernels import _bytes, _dispatch, _factors, _lowrank
from inexact.kernels._cost import Layer
from inexact.kernels._geometry import Geometry
from inexact.kernels._known import known_of
from inexact.units import Multiplier, multipliers

Lut = npt.NDArray[np.int32]

UNITS = [unit for _, cls in multipliers.items() for unit in cls.samples() if max(unit.width) <= 8]
SIGN_MAGNITUDE = ["drum(k=4)", "kulkarni", "roba", "trunc(cut=4)", "ssm(m=5)", "perforation(start=0,count=3)", "ilm(blocks=0)"]

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "one of everything": ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    "odd": ((3, 5, 7, 9), (7, 5, 3, 3), {"padding": 1}),
    "stride": ((2, 6, 11, 12), (15, 6, 3, 3), {"stride": 2, "padding": 1}),
    "dilation and stride": ((1, 3, 16, 14), (40, 3, 3, 2), {"dilation": (3, 2), "stride": (2, 3), "padding": (3, 1)}),
    "groups": ((2, 9, 8, 8), (9, 3, 3, 3), {"groups": 3, "padding": 1}),
    "depthwise": ((2, 19, 10, 11), (19, 1, 3, 3), {"groups": 19, "padding": 1}),
    "depthwise, two outputs a channel": ((1, 7, 9, 9), (14, 1, 5, 5), {"groups": 7, "padding": 2, "stride": 2}),
    "depthwise, spread": ((1, 5, 40, 41), (5, 1, 3, 3), {"groups": 5, "padding": 9, "stride": (3, 1), "dilation": (1, 9)}),
    "depthwise, wide": ((1, 3, 5, 150), (3, 1, 2, 7), {"groups": 3, "padding": (1, 0, 2, 3)}),
    "depthwise, far": ((1, 2, 30, 90), (2, 1, 2, 3), {"groups": 2, "padding": 20, "stride": (1, 5), "dilation": (7, 40)}),
    "four paddings": ((2, 3, 8, 7), (5, 3, 3, 3), {"padding": (0, 2, 3, 1)}),
    "many outputs, few pixels": ((2, 17, 4, 4), (130, 17, 3, 3), {"padding": 1}),
    "several tiles": ((2, 4, 17, 33), (33, 4, 3, 3), {"padding": 1}),
    "image smaller than the padding": ((1, 2, 1, 2), (3, 2, 5, 5), {"padding": 4, "stride": 2}),
}
PRODUCTS = [(1, 1, 1), (1, 300, 33), (300, 1, 33), (7, 9, 31), (63, 65, 257), (15, 33, 64), (3, 4, 2000)]


def codes(*shape: int, top: int = 256, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng([seed, *shape]).integers(0, top, shape, dtype=np.uint8)


def random_factors(rank: int, seed: int, size: int = 300, shape: tuple[int, int] = (256, 256)) -> Lut:
    """A table of a given rank whose factors need one or two bytes."""
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(-size, size, (rank, codes)) for codes in shape)
    return (left.T @ right).astype(np.int32)


@pytest.fixture(params=["avx512", "scalar"])
def isa(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in _lowrank.isas():
        pytest.skip(f"this machine has no {name} path")
    return name


def _some(members: Sequence[Multiplier]) -> list[Any]:
    """Of evolved units, which are tables of one kind, every eighth; the others with --slow."""
    evolved = [unit for unit in members if unit.family_name == "evolved"][1::8]
    return [
        pytest.param(unit, id=unit.spec, marks=[] if unit.family_name != "evolved" or unit in evolved else pytest.mark.slow)
        for unit in members
    ]


@pytest.mark.parametrize("unit", _some(UNITS))
def test_proven_factors_of_every_unit_give_its_sums(unit: Multiplier) -> None:
    table = unit.table()
    factors = known_of(torch.from_numpy(table.copy())).factors
    a, b = codes(9, 37, top=table.shape[0]), codes(21, 37, top=table.shape[1], seed=1)
    if factors is None:
        assert kernels.choice_for(unit).engine in {"table", "split"}
        with pytest.raises(FormatError, match=r"engine 'lowrank' needs a table of rank at most 10"):
            kernels.gemm(a, b, table, "lowrank")
        return
    assert factors.rank <= len(factors.terms)
    assert factors.sha256 == unit.sha256
    np.testing.assert_array_equal(kernels.gemm(a, b, table, "lowrank"), kernels.gemm(a, b, table, "reference"))
    x, w = codes(2, 5, 9, 8, top=table.shape[0]), codes(6, 5, 3, 3, top=table.shape[1])
    for pad_code in (0, table.shape[0] - 1):
        found, wanted = (kernels.conv2d(x, w, table, 1, 1, pad_code=pad_code, engine=engine) for engine in ("lowrank", "reference"))
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("spec", "terms"),
    [
        ("exact", 1),
        ("exact(signed=true)", 1),
        ("drum(k=4)", 1),
        ("dsm(m=4)", 1),
        ("ssm(m=5)", 1),
        ("operand_trunc(cut_a=2,cut_b=2)", 1),
        ("perforation(start=0,count=3)", 1),
        ("perforation(start=0,count=2,signed=true)", 1),
        ("kulkarni", 2),
        ("roba", 2),
        ("ilm(blocks=0)", 2),
        ("trunc(cut=2)", 3),
        ("trunc(cut=4)", 5),
        ("trunc(cut=4,signed=true)", 5),
    ],
)
def test_structured_units_need_one_byte_product_a_rank(spec: str, terms: int) -> None:
    factors = known_of(torch.from_numpy(multipliers.get(spec).table().copy())).factors
    assert factors is not None
    assert (factors.rank, len(factors.terms)) == (terms, terms)


@pytest.mark.parametrize("spec", SIGN_MAGNITUDE)
def test_sign_magnitude_tables(spec: str, isa: str) -> None:
    lut = _sign_magnitude(spec)
    a, b = torch.from_numpy(codes(30, 70)), torch.from_numpy(codes(40, 70, seed=1))
    factors = known_of(lut).factors
    plain = known_of(torch.from_numpy(multipliers.get(spec).table().copy())).factors
    assert factors is not None
    assert plain is not None
    assert len(factors.terms) <= len(plain.terms)
    assert torch.equal(_lowrank.gemm(a, b, known_of(lut), isa), kernels.gemm(a, b, lut, "reference"))


def _sign_magnitude(spec: str) -> torch.Tensor:
    """lut[a, b] = sign(b) * unit(a, |b|), b two's complement."""
    table = multipliers.get(spec).table()
    b = np.arange(256) - 256 * (np.arange(256) > 127)
    return torch.from_numpy((table[:, np.minimum(np.abs(b), 127)] * np.sign(b)).astype(np.int32))


@pytest.mark.parametrize("rank", [1, 2, 5])
@pytest.mark.parametrize("name", SHAPES)
def test_convolution_equals_reference(name: str, rank: int, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape_a, shape_w, options = SHAPES[name]
    a, w, lut = codes(*shape_a), codes(*shape_w, seed=1), random_factors(rank, rank)
    wanted = kernels.conv2d(a, w, lut, pad_code=211, engine="reference", **options)
    given = (options.get(key, default) for key, default in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)))
    geometry = Geometry.of(*given)
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        found = _lowrank.conv2d(torch.from_numpy(a), torch.from_numpy(w), known_of(torch.from_numpy(lut)), geometry, 211, isa)
        np.testing.assert_array_equal(found.numpy(), wanted)


@pytest.mark.parametrize("rank", [0, 1, 2, 5])
@pytest.mark.parametrize(("m", "n", "k"), PRODUCTS)
def test_product_equals_reference(m: int, n: int, k: int, rank: int, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, lut = codes(m, k), codes(n, k, seed=1), random_factors(rank, rank)
    wanted = kernels.gemm(a, b, lut, "reference")
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        found = _lowrank.gemm(torch.from_numpy(a), torch.from_numpy(b), known_of(torch.from_numpy(lut)), isa)
        np.testing.assert_array_equal(found.numpy(), wanted)


@pytest.mark.parametrize("name", SHAPES)
def test_torch_operators_give_the_same_without_the_core(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape_a, shape_w, options = SHAPES[name]
    a, w, lut = codes(*shape_a), codes(*shape_w, seed=1), random_factors(2, 2)
    wanted = kernels.conv2d(a, w, lut, pad_code=3, engine="reference", **options)
    product = kernels.gemm(a.reshape(len(a), -1), a.reshape(len(a), -1), lut, "reference")
    monkeypatch.setattr(_dispatch, "core", lambda: None)
    assert kernels.engine_for(lut) == "lowrank"
    for engine in ("auto", "lowrank"):
        np.testing.assert_array_equal(kernels.conv2d(a, w, lut, pad_code=3, engine=engine, **options), wanted)
        np.testing.assert_array_equal(kernels.gemm(a.reshape(len(a), -1), a.reshape(len(a), -1), lut, engine), product)


@pytest.mark.parametrize("shape", [(16, 16), (256, 16), (16, 256), (4, 4), (2, 8), (1, 1)])
def test_smaller_tables(shape: tuple[int, int], isa: str) -> None:
    lut = torch.from_numpy(random_factors(2, 0, shape=shape))
    a, b = torch.from_numpy(codes(30, 12, top=shape[0])), torch.from_numpy(codes(20, 12, top=shape[1]))
    assert torch.equal(_lowrank.gemm(a, b, known_of(lut), isa), kernels.gemm(a, b, lut, "reference"))


def test_both_ends_of_the_accumulator(isa: str) -> None:
    left, right = np.zeros(256, np.int64), np.full(256, 2**10)
    left[0], left[255] = -(2**10), 2**10
    lut = torch.from_numpy(np.multiply.outer(left, right).astype(np.int32))
    k = 2**11 - 1
    for code, product in ((0, -(2**20)), (255, 2**20)):
        a = torch.full((3, k), code, dtype=torch.uint8)
        assert torch.equal(_lowrank.gemm(a, a, known_of(lut), isa), torch.full((3, 3), k * product, dtype=torch.int32))


def test_deep_sums(isa: str) -> None:
    lut = torch.from_numpy(multipliers.get("kulkarni").table().copy())
    a, b = torch.from_numpy(codes(5, 8192)), torch.from_numpy(codes(6, 8192, seed=1))
    assert torch.equal(_lowrank.gemm(a, b, known_of(lut), isa), kernels.gemm(a, b, lut, "reference"))


def test_random_tables_are_left_to_the_table_engine() -> None:
    lut = np.random.default_rng(0).integers(0, 65026, (256, 256), dtype=np.int32)
    choice = kernels.choice_for(lut)
    assert (choice.engine, choice.rank, choice.terms) == ("table", None, None)
    assert choice.why == "its rank is above 10, too many matrix products to beat looking products up"


def test_choice_names_rank_products_and_rates() -> None:
    choice = kernels.choice_for(multipliers.get("roba"), (8, 64, 56, 56))
    assert (choice.rank, choice.terms) == (2, 2)
    assert choice.engine == max(choice.rates, key=lambda engine: choice.rates[engine])
    if "avx512" in _lowrank.isas():
        assert choice.engine == "lowrank"
    if choice.engine == "lowrank":
        assert choice.why.startswith("2 8-bit matrix products (rank 2) give its sums exactly; predicted per core: table ")
    with pytest.raises(FormatError, match=r"a layer's shape must be \(M, N, K\).*not \(3, 4\)"):
        kernels.choice_for(multipliers.get("roba"), (3, 4))


def test_layers_of_every_way_to_write_a_shape() -> None:
    assert Layer.of((4, 5, 6)) == Layer(positions=4, outputs=5, inputs=6, matrix=True)
    assert Layer.of((2, 3, 4, 5)) == Layer(positions=40, outputs=3, inputs=3, taps=9)
    assert Layer.of((2, 8, 4, 5, 16, 1, 2)) == Layer(positions=40, outputs=16, inputs=8, taps=2)
    assert Layer.of((2, 8, 4, 5, 16, 3, 3, 8)) == Layer(positions=40, outputs=2, inputs=1, taps=9, groups=8)


def test_a_table_changed_in_place_is_factorised_anew() -> None:
    lut = multipliers.get("roba").table().copy()
    a, b = codes(4, 9), codes(4, 9, seed=1)
    kernels.gemm(a, b, lut, "lowrank")
    lut[a[0, 0], b[0, 0]] += 1
    np.testing.assert_array_equal(kernels.gemm(a, b, lut, "lowrank"), kernels.gemm(a, b, lut, "reference"))


def test_wrong_factors_are_not_used() -> None:
    table = multipliers.get("roba").table()
    codes_ = np.arange(256)
    exact = _factors.Factors(left=codes_[None], right=codes_[None], offset=np.zeros(256, np.int64))
    assert _bytes.ByteFactors.prove(table.astype(np.int64), exact, "") is None


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the processor is asked through /proc/cpuinfo")
def test_every_path_of_this_processor_is_built_and_listed() -> None:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
    needed = {"avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512_vnni"}
    assert set(_lowrank.isas()) == {"scalar"} | ({"avx512"} if flags >= needed else set())
