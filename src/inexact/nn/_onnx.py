"""The workload of an ONNX file: shapes only, no weights are read and nothing is run."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from inexact.core.errors import DataError, MissingDependencyError
from inexact.core.workload import LayerWorkload, Workload

Shape = tuple[int, ...]

_FREE = """
    Relu Clip LeakyRelu PRelu ThresholdedRelu Identity Constant ConstantOfShape Shape Size Reshape Transpose Flatten Squeeze Unsqueeze
    Concat Split Slice Gather GatherElements GatherND Expand Tile Pad Cast CastLike Dropout Range Where Equal Less LessOrEqual Greater
    GreaterOrEqual Not And Or Xor Neg Abs Sign Floor Ceil Round QuantizeLinear DequantizeLinear DynamicQuantizeLinear Quant BipolarQuant
    Trunc ArgMax ArgMin TopK NonZero Resize Upsample DepthToSpace SpaceToDepth ScatterND ScatterElements OneHot Trilu Mod EyeLike
    RandomNormalLike CumSum Min Max IsNaN If
"""
FREE = frozenset(_FREE.split())
"""Operators that cost the array nothing: shapes, constants, selections, conversions, and clamps, which the requantiser does."""

_VECTOR = {
    "add": "Add Sub Sum QLinearAdd",
    "multiply": "Mul Div QLinearMul",
    "pool": "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool ReduceMean ReduceSum ReduceMax ReduceMin ReduceL2 "
    "QLinearAveragePool QLinearGlobalAveragePool",
    "normalisation": "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization RMSNormalization LRN "
    "SkipLayerNormalization LpNormalization MeanVarianceNormalization",
    "softmax": "Softmax LogSoftmax Hardmax QLinearSoftmax",
    "activation": "Sigmoid Tanh Gelu Erf Exp Log Sqrt Reciprocal Pow Elu Selu Celu Softplus Softsign HardSigmoid HardSwish Mish Swish Sin "
    "Cos QLinearSigmoid QuickGelu FastGelu BiasGelu",
}
VECTOR = {name: kind for kind, names in _VECTOR.items() for name in names.split()}
"""Operators of the vector unit -> kind of layer."""

CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "FusedConv": 1}
"""Operator -> place of the weights among its inputs."""

PRODUCTS = {"MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3, "Gemm": 1, "QGemm": 3, "FusedMatMul": 1}

PASSES = ("DequantizeLinear", "QuantizeLinear", "Transpose", "Identity", "Reshape", "Cast", "Quant", "BipolarQuant", "Squeeze", "Unsqueeze")
"""Operators through which weights are still weights."""


def workload_of_onnx(path: str | Path, input_shape: tuple[int, ...] | None = None, *, name: str | None = None) -> Workload:
    """The layers of an ONNX file for one input (a free batch counts as 1), exact arithmetic everywhere.

    input_shape: of one input without the batch, for files whose shapes are free. name: of the network (default: the file's).
    Raises MissingDependencyError without the package onnx; DataError for files that are not ONNX, shapes that stay unknown, and operators
    it does not know, with their node.
    """
    return Workload(network=name or Path(path).stem, layers=tuple(_Reader(_load(Path(path), input_shape)).layers()))


def _load(path: Path, input_shape: tuple[int, ...] | None) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise MissingDependencyError("reading ONNX needs the package onnx: pip install 'inexact[onnx]'") from error
    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise DataError(f"network {path} must be a readable file: {error.strerror or error}") from error
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        raise DataError(f"network {path} must be ONNX: {error}") from error
    if not model.graph.node:
        raise DataError(f"network {path} must be ONNX with at least one node")
    _fix_inputs(model, input_shape)
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise DataError(f"shapes of {path} cannot be inferred: {error}") from error


def _fix_inputs(model: Any, input_shape: tuple[int, ...] | None) -> None:
    """A free batch becomes 1, as do free sizes of further inputs; those of the first input are `input_shape`. Raises DataError without."""
    weights = {tensor.name for tensor in model.graph.initializer}
    for place, value in enumerate(item for item in model.graph.input if item.name not in weights):
        dims = value.type.tensor_type.shape.dim
        if input_shape is not None and place == 0 and len(dims) != len(input_shape) + 1:
            raise DataError(
                f"input_shape must have {len(dims) - 1} sizes, as input {value.name!r} without its batch, not {len(input_shape)}"
            )
        if input_shape is None and place == 0 and not all(dim.dim_value for dim in list(dims)[1:]):
            sizes = ", ".join(str(dim.dim_value or dim.dim_param or "?") for dim in list(dims)[1:])
            raise DataError(f"input {value.name!r} has free sizes ({sizes}), which must be given: as input_shape, such as 3,224,224")
        for axis, dim in enumerate(dims):
            if input_shape is not None and place == 0 and axis:
                dim.dim_value = input_shape[axis - 1]
            elif not dim.dim_value or axis == 0:
                dim.dim_value = 1


class _Reader:
    """Walks a graph whose shapes are known."""

    def __init__(self, model: Any) -> None:
        graph = model.graph
        self.nodes = list(graph.node)
        self.shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            sizes = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            if value.type.tensor_type.HasField("shape") and all(sizes):
                self.shapes[value.name] = sizes
        self.constant = {tensor.name for tensor in graph.initializer}
        self.names: set[str] = set()

    def layers(self) -> list[LayerWorkload]:
        found = []
        for node in self.nodes:
            if all(name in self.constant or not name for name in node.input) and node.input and node.op_type in PASSES:
                self.constant.update(node.output)
            if node.op_type == "Constant":
                self.constant.update(node.output)
            layer = self.layer(node)
            if layer is not None:
                found.append(layer)
        return found

    def layer(self, node: Any) -> LayerWorkload | None:
        kind = node.op_type
        if kind in FREE:
            return None
        if kind in CONVOLUTIONS:
            return self.convolution(node, CONVOLUTIONS[kind])
        if kind == "ConvTranspose":
            return self.transposed(node)
        if kind in PRODUCTS:
            return self.product(node, PRODUCTS[kind])
        if kind in VECTOR:
            return self.vector(node, VECTOR[kind])
        raise DataError(
            f"operator {kind} of node {node.name or node.output[0]!r} is not known: export the network with it taken apart "
            f"(torch.onnx.export(..., opset_version=18)), or replace the node; the docs list what is known"
        )

    def convolution(self, node: Any, place: int) -> LayerWorkload:
        x, w, y = self.shape(node, node.input[0]), self.shape(node, node.input[place]), self.shape(node, node.output[0])
        stride, dilation = self.pair(node, "strides"), self.pair(node, "dilations")
        batch, depth = x[0], 1
        if len(w) == 5:  # as a two-dimensional one for every output plane, over the planes under it
            batch, depth = x[0] * y[2], w[2]
        elif len(w) not in {3, 4}:
            raise DataError(f"node {node.name or node.output[0]!r} must convolve over one to three dimensions, not {len(w) - 2}")
        (in_h, in_w), (out_h, out_w), (kernel_h, kernel_w) = ((1, *shape[2:])[-2:] for shape in (x, y, w))
        return self.named(
            node,
            kind="conv",
            batch=batch,
            in_channels=x[1] * depth,
            out_channels=y[1],
            in_h=in_h,
            in_w=in_w,
            out_h=out_h,
            out_w=out_w,
            kernel_h=kernel_h,
            kernel_w=kernel_w,
            groups=self.attribute(node, "group", 1),
            stride_h=stride[0],
            stride_w=stride[1],
            dilation_h=dilation[0],
            dilation_w=dilation[1],
        )

    def transposed(self, node: Any) -> LayerWorkload:
        """A matrix product of its input pixels with all taps of the kernel."""
        x, w = self.shape(node, node.input[0]), self.shape(node, node.input[1])
        groups = self.attribute(node, "group", 1)
        height, width = (1, *x[2:])[-2:]
        taps = w[1] * groups * prod(w[2:])
        return self.named(
            node,
            kind="conv_transpose",
            batch=x[0],
            in_channels=x[1],
            out_channels=taps,
            in_h=height,
            in_w=width,
            out_h=height,
            out_w=width,
            groups=groups,
        )

    def product(self, node: Any, place: int) -> LayerWorkload:
        a, b, y = self.shape(node, node.input[0]), self.shape(node, node.input[place]), self.shape(node, node.output[0])
        if self.attribute(node, "transA", 0):
            a = (*a[:-2], a[-1], a[-2])
        depth, columns = a[-1], y[-1] if len(b) > 1 else 1
        if node.input[place] in self.constant and prod(b) == depth * columns:
            rows = prod(a) // depth
            return self.named(node, kind="linear", in_channels=depth, out_channels=columns, in_h=rows, out_h=rows)
        rows = y[-2] if len(y) > 1 else 1
        matrices = prod(y) // (rows * columns)
        channels = {"in_channels": matrices * depth, "out_channels": matrices * columns}
        return self.named(node, kind="product", in_h=rows, out_h=rows, groups=matrices, **channels)

    def vector(self, node: Any, kind: str) -> LayerWorkload | None:
        read = [self.shape(node, name) for name in node.input if name and name not in self.constant and name in self.shapes]
        binary = kind in {"add", "multiply"}
        large = [shape for shape in read if prod(shape) > 1]
        if not large or (binary and len(large) < 2):
            return None  # with a constant: folded into the requantiser
        source, target = max(large, key=prod), self.shape(node, node.output[0])
        sizes: dict[str, int] = {}
        for side, shape in (("in", source), ("out", target)):
            height, width = shape[-2:] if len(shape) >= 4 else (1, 1)
            sizes |= {f"{side}_channels": prod(shape) // (height * width), f"{side}_h": height, f"{side}_w": width}
        return self.named(node, kind=kind, operands=len(large) if binary else 1, **sizes)

    def named(self, node: Any, **fields: Any) -> LayerWorkload:
        name = base = node.name or f"{node.op_type}_{node.output[0]}"
        count = 1
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self.names.add(name)
        return LayerWorkload(name=name, **fields)

    def shape(self, node: Any, name: str) -> Shape:
        if name not in self.shapes:
            raise DataError(
                f"the shape of {name!r} at node {node.name or node.output[0]!r} ({node.op_type}) is not known: give input_shape, "
                "or export the network with fixed sizes"
            )
        return self.shapes[name]

    def attribute(self, node: Any, name: str, default: int) -> int:
        return next((int(found.i) for found in node.attribute if found.name == name), default)

    def pair(self, node: Any, name: str) -> tuple[int, int]:
        """Over rows and columns; 1 where the node gives none."""
        found = next((tuple(item.ints) for item in node.attribute if item.name == name), ())
        padded = (1, 1, *found)[-2:]
        return int(padded[0]), int(padded[1])
