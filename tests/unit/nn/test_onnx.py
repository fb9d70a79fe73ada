"""Workloads of ONNX files written here node by node, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inexact.core.errors import DataError
from inexact.core.workload import LayerWorkload
from inexact.nn import Plan, planned_workload, workload_of_onnx

onnx = pytest.importorskip("onnx")


def saved(
    folder: Path, nodes: list[Any], inputs: dict[str, list[Any]], weights: dict[str, list[int]], output: str, name: str = "net.onnx"
) -> Path:
    """A file with these nodes; weights are zeros of the given shapes."""
    import numpy as np

    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(key, floats, shape) for key, shape in inputs.items()],
        [helper.make_tensor_value_info(output, floats, None)],
        [onnx.numpy_helper.from_array(np.zeros(shape, np.float32), key) for key, shape in weights.items()],
    )
    path = folder / name
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, inputs.split(), [output], name=output, **attributes)


@pytest.fixture
def convolutional(tmp_path: Path) -> Path:
    nodes = [
        node("Conv", "x w1", "stem", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", "stem", "relu"),
        node("Conv", "relu w2", "depthwise", group=8, pads=[1, 1, 1, 1]),
        node("Add", "depthwise relu", "branch"),
        node("Sigmoid", "branch", "gate"),
        node("Mul", "branch gate", "scaled"),
        node("GlobalAveragePool", "scaled", "mean"),
        node("Flatten", "mean", "flat"),
        node("Gemm", "flat w3", "logits", transB=1),
        node("Softmax", "logits", "y"),
    ]
    weights = {"w1": [8, 3, 3, 3], "w2": [8, 1, 3, 3], "w3": [10, 8]}
    return saved(tmp_path, nodes, {"x": ["batch", 3, 16, 16]}, weights, "y")


def test_a_convolutional_network(convolutional: Path) -> None:
    found = workload_of_onnx(convolutional)
    assert found.network == "net"
    layers = {layer.name: layer for layer in found.layers}
    assert [(name, layer.kind) for name, layer in layers.items()] == [
        ("stem", "conv"),
        ("depthwise", "conv"),
        ("branch", "add"),
        ("gate", "activation"),
        ("scaled", "multiply"),
        ("mean", "pool"),
        ("logits", "linear"),
        ("y", "softmax"),
    ]
    assert layers["stem"].macs == 8 * 8 * 8 * 27
    assert layers["stem"].steps == (2, 2)
    assert layers["depthwise"].groups == 8
    assert layers["depthwise"].macs == 8 * 8 * 8 * 9
    assert layers["branch"].operands == 2
    assert layers["mean"].macs == 0
    assert layers["logits"].macs == 80


def test_attention_is_products_of_activations(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x wq", "q"),
        node("MatMul", "x wk", "k"),
        node("Transpose", "k", "kt", perm=[0, 2, 1]),
        node("MatMul", "q kt", "scores"),
        node("Softmax", "scores", "shares"),
        node("LayerNormalization", "x scale", "normed"),
        node("MatMul", "shares normed", "y"),
    ]
    path = saved(tmp_path, nodes, {"x": [1, 5, 8]}, {"wq": [8, 8], "wk": [8, 8], "scale": [8]}, "y")
    layers = {layer.name: layer for layer in workload_of_onnx(path).layers}
    assert (layers["q"].kind, layers["q"].macs) == ("linear", 5 * 8 * 8)
    assert (layers["scores"].kind, layers["scores"].macs) == ("product", 5 * 8 * 5)
    assert (layers["y"].kind, layers["y"].macs) == ("product", 5 * 5 * 8)
    assert layers["normed"].kind == "normalisation"


def test_quantised_operators_are_their_float_ones(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x scale", "xq"),
        node("DequantizeLinear", "xq scale", "xd"),
        node("DequantizeLinear", "wq scale", "w"),
        node("Conv", "xd w", "y"),
    ]
    import numpy as np

    helper, types = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", types.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", types.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.float32(0.1), "scale"), onnx.numpy_helper.from_array(np.zeros((4, 3, 3, 3), np.uint8), "wq")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "q.onnx")
    (layer,) = workload_of_onnx(tmp_path / "q.onnx").layers
    assert (layer.kind, layer.macs) == ("conv", 4 * 36 * 27)


def test_a_plan_is_charged_without_the_network(convolutional: Path) -> None:
    exact = workload_of_onnx(convolutional)
    planned = planned_workload(exact, Plan({"type:Conv2d": "trunc(cut=6)", "logits": None}))
    by_name: dict[str, LayerWorkload] = {layer.name: layer for layer in planned.layers}
    assert by_name["stem"].arithmetic.multiplier == "trunc(cut=6)"
    assert by_name["logits"].arithmetic.multiplier is None
    assert by_name["branch"].arithmetic == by_name["depthwise"].arithmetic


def test_free_sizes_take_the_given_shape(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("Conv", "x w", "y")], {"x": ["n", 3, "h", "w"]}, {"w": [4, 3, 3, 3]}, "y")
    (layer,) = workload_of_onnx(path, (3, 10, 12)).layers
    assert (layer.out_h, layer.out_w) == (8, 10)
    with pytest.raises(DataError, match=r"input_shape must have 3 sizes, as input 'x' without its batch, not 2"):
        workload_of_onnx(path, (10, 12))
    with pytest.raises(DataError, match=r"input 'x' has free sizes \(3, h, w\), which must be given: as input_shape, such as 3,224,224"):
        workload_of_onnx(path)


def test_what_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("Det", "x", "y")], {"x": [1, 4, 4]}, {}, "y")
    with pytest.raises(DataError, match=r"operator Det of node 'y' is not known: export the network with it taken apart"):
        workload_of_onnx(path)
    with pytest.raises(DataError, match=r"network .*nowhere\.onnx must be a readable file: No such file"):
        workload_of_onnx(tmp_path / "nowhere.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no protobuf at all \xff\xff")
    with pytest.raises(DataError, match=r"network .*bad\.onnx must be ONNX"):
        workload_of_onnx(tmp_path / "bad.onnx")
