"""What callers see: kinds in and out, empty inputs, choices by environment, and one clear sentence for each mistake."""

from __future__ import annotations

import multiprocessing
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from inexact import kernels
from inexact.core.errors import FormatError, MissingDependencyError, UnknownNameError
from inexact.kernels import _dispatch, _ops, _sequential_ops, _slopes

LUT = np.random.default_rng(3).integers(-65025, 65026, (256, 256), dtype=np.int32)


def codes(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


def test_numpy_gives_numpy_and_torch_gives_torch() -> None:
    a, b = codes(4, 6), codes(5, 6)
    found = kernels.gemm(a, b, LUT)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.int32
    tensor = kernels.gemm(torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(LUT))
    assert isinstance(tensor, Tensor)
    np.testing.assert_array_equal(tensor.numpy(), found)


@pytest.mark.parametrize("engine", ["reference", "table", "torch"])
def test_strided_and_read_only_arrays_are_served(engine: str) -> None:
    a, w = codes(2, 4, 9, 9), codes(3, 4, 3, 3)
    wanted = kernels.conv2d(a, w, LUT, engine=engine)
    strided = np.asfortranarray(a)
    strided.flags.writeable = False
    lut = LUT.copy()
    lut.flags.writeable = False
    np.testing.assert_array_equal(kernels.conv2d(strided, w, lut, engine=engine), wanted)
    tensor = torch.from_numpy(a).to(memory_format=torch.channels_last)
    np.testing.assert_array_equal(kernels.conv2d(tensor, torch.from_numpy(w), torch.from_numpy(LUT), engine=engine).numpy(), wanted)
    transposed = np.ascontiguousarray(LUT.T).T
    np.testing.assert_array_equal(kernels.conv2d(a, w, transposed, engine=engine), wanted)


@pytest.mark.parametrize("engine", ["auto", "reference", "table", "torch"])
def test_empty_batches_give_empty_results(engine: str) -> None:
    assert kernels.gemm(codes(0, 5), codes(3, 5), LUT, engine).shape == (0, 3)
    assert kernels.gemm(codes(4, 5), codes(0, 5), LUT, engine).shape == (4, 0)
    assert kernels.conv2d(codes(0, 2, 8, 8), codes(3, 2, 3, 3), LUT, engine=engine).shape == (0, 3, 6, 6)
    np.testing.assert_array_equal(kernels.gemm(codes(2, 0), codes(3, 0), LUT, engine), np.zeros((2, 3)))


def test_int64_tables_are_taken_when_their_products_fit() -> None:
    a, b = codes(3, 4), codes(2, 4)
    wide: Any = LUT.astype(np.int64)
    np.testing.assert_array_equal(kernels.gemm(a, b, wide), kernels.gemm(a, b, LUT))
    wide[0, 0] = 2**31
    with pytest.raises(FormatError, match=r"products of a table must fit int32, but they reach -\d+\.\.2147483648"):
        kernels.gemm(a, b, wide)


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "dtype": ({"a": codes(1, 2, 5, 5).astype(np.int64)}, "codes a must be uint8, not int64"),
    "weights dtype": ({"w": torch.zeros(3, 2, 3, 3)}, "codes b must be uint8, not float32"),
    "list": ({"a": [[1]]}, "codes a must be a numpy array or a torch tensor, not list"),
    "float table": ({"lut": LUT.astype(np.float32)}, "a table must be an int32 array or tensor, not float32"),
    "float table tensor": ({"lut": torch.from_numpy(LUT).float()}, "a table must hold int32 products, not float32"),
    "flat table": ({"lut": LUT.reshape(-1)}, r"a table must be \[2\*\*width_a, 2\*\*width_b\] .* not of shape \[65536\]"),
    "large table": ({"lut": np.zeros((512, 256), np.int32)}, "at most 256 codes each"),
    "dimensions": ({"a": codes(2, 5, 5)}, r"needs activations \[N, C, H, W\]"),
    "groups": ({"groups": 3}, "groups=3 does not divide 2 inputs and 3 outputs"),
    "no groups": ({"groups": 0}, "groups must be an integer of at least 1, not 0"),
    "channels": ({"w": codes(3, 1, 3, 3)}, "the input must have 1 channels, which the weights take, not 2"),
    "padding": ({"padding": -1}, "padding must be at least 0, not -1"),
    "one of four paddings": ({"padding": (0, 1, -2, 0)}, r"padding must be at least 0, not \(-2, 0\)"),
    "three paddings": ({"padding": (1, 1, 1)}, r"an integer, \(vertical, horizontal\) or \(top, bottom, left, right\), not \(1, 1, 1\)"),
    "stride": ({"stride": (1, 0)}, r"stride must be at least 1, not \(1, 0\)"),
    "dilation": ({"dilation": 1.5}, "dilation must be an integer or a pair of integers"),
    "triple": ({"stride": (1, 1, 1)}, "stride must be an integer or a pair of integers"),
    "too small": ({"dilation": 3}, "spans 7 and the input 5 along axis H"),
    "pad_code": ({"pad_code": 256}, r"pad_code must be a code of the table \(0..255\), not 256"),
    "code range": ({"lut": np.zeros((16, 256), np.int32)}, "codes a must be 0..15 for this table, but 2"),
    "overflow": ({"lut": np.full((256, 256), 2**27, np.int32)}, r"K \* max\|lut\| must stay below 2\*\*31"),
}


@pytest.mark.parametrize(("change", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_in_a_convolution(change: dict[str, Any], message: str) -> None:
    call: dict[str, Any] = {"a": codes(1, 2, 5, 5), "w": codes(3, 2, 3, 3), "lut": LUT} | change
    with pytest.raises(FormatError, match=message):
        kernels.conv2d(**call)


def test_mistakes_in_a_product() -> None:
    with pytest.raises(FormatError, match=r"codes a \[M, K\] and b \[N, K\] of equal K, not shapes \[2, 3\] and \[2, 4\]"):
        kernels.gemm(codes(2, 3), codes(2, 4), LUT)
    with pytest.raises(FormatError, match=r"split the layer along K"):
        kernels.gemm(codes(1, 33100), codes(1, 33100), np.full((256, 256), -65025, np.int32))


def test_unknown_engine_suggests_near_names() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no engine is called 'tabel'; did you mean 'table'\? Known: auto, reference, table, lowrank, split, torch"
    ):
        kernels.gemm(codes(1, 1), codes(1, 1), LUT, "tabel")


def test_forced_isa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INEXACT_ISA", "scalar")
    assert kernels.isa() == "scalar"
    monkeypatch.setenv("INEXACT_ISA", "scaler")
    with pytest.raises(
        UnknownNameError, match=r"INEXACT_ISA must name a path of this machine \(.*scalar\), not 'scaler'; did you mean 'scalar'\?"
    ):
        kernels.gemm(codes(1, 1), codes(1, 1), LUT)


def test_threads_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INEXACT_THREADS", "3")
    assert kernels.threads() == 3
    monkeypatch.setenv("INEXACT_THREADS", "many")
    with pytest.raises(FormatError, match=r"INEXACT_THREADS must be a number of threads in 1..4096, not 'many'"):
        kernels.threads()
    monkeypatch.delenv("INEXACT_THREADS")
    assert kernels.threads() == torch.get_num_threads()


def test_without_the_core_table_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dispatch, "core", lambda: None)
    with pytest.raises(MissingDependencyError, match=r"needs the compiled core.*install a C\+\+ compiler and reinstall inexact"):
        kernels.gemm(codes(1, 1), codes(1, 1), LUT, "table")


def test_engine_for() -> None:
    assert kernels.engine_for(LUT, (1, 3, 8, 8)) == "table"
    assert kernels.engine_for(LUT, device="cuda") == "torch"
    with pytest.raises(FormatError, match=r"engine 'table' needs tensors on the CPU, not on 'cuda'"):
        _dispatch.require("table", "cuda")

    class Wide:
        width = (16, 16)

    with pytest.raises(FormatError, match=r"at most 8 bits wide to go through a table, not 16x16"):
        kernels.engine_for(Wide())


@pytest.mark.parametrize("engine", ["table", "torch"])
def test_operators_pass_opcheck(engine: str) -> None:
    a, b, lut = (torch.from_numpy(x) for x in (codes(4, 6), codes(5, 6), LUT))
    torch.library.opcheck(torch.ops.inexact.table_gemm, (a, b, lut, engine))
    x, w = torch.from_numpy(codes(1, 4, 6, 6)), torch.from_numpy(codes(6, 2, 3, 3))
    torch.library.opcheck(torch.ops.inexact.table_conv2d, (x, w, lut, [2, 1], [1, 0], [1, 1], 2, 9, engine))


def test_an_emulated_layer_exports() -> None:
    class Layer(torch.nn.Module):
        def forward(self, a: Tensor, w: Tensor, lut: Tensor) -> Tensor:
            return kernels.conv2d(a, w, lut, padding=1)

    a, w, lut = (torch.from_numpy(x) for x in (codes(1, 2, 6, 6), codes(3, 2, 3, 3), LUT))
    exported = torch.export.export(Layer(), (a, w, lut)).module()
    assert torch.equal(exported(a, w, lut), kernels.conv2d(a, w, lut, padding=1))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_a_forked_child_computes_with_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INEXACT_THREADS", "2")
    a, b = codes(400, 60), codes(90, 60)
    wanted = kernels.gemm(a, b, LUT, "table")  # the parent's threads exist now
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    child = context.Process(target=lambda: answers.put(kernels.gemm(a, b, LUT, "table").tobytes()))
    child.start()
    found = np.frombuffer(answers.get(timeout=60), np.int32).reshape(400, 90)
    child.join(60)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "operator",
    [_ops.table_gemm, _ops.table_conv2d, _sequential_ops.sequential_gemm, _sequential_ops.sequential_conv2d, _slopes.slope_gemm],
)
def test_operators_do_not_load_the_compiler_of_torch(operator: object) -> None:
    assert not isinstance(operator, torch._library.custom_ops.CustomOpDef)  # whose first call does
    assert isinstance(operator, torch._ops.OpOverload)
