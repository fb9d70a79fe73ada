"""Engines that emulate approximate arithmetic: sums of table look-ups, bit-exact and identical on every engine.

>>> import numpy as np
>>> lut = np.multiply.outer(np.arange(256), np.arange(256)).astype(np.int32)
>>> gemm(np.array([[3, 4]], np.uint8), np.array([[10, 1]], np.uint8), lut)
array([[34]], dtype=int32)
"""

from inexact.kernels._adders import addition
from inexact.kernels._batched import exact_matmul, matmul
from inexact.kernels._choice import Choice, choice_for, engine_for
from inexact.kernels._dispatch import engines, isa, isas, threads
from inexact.kernels._exact import exact_conv2d, exact_gemm
from inexact.kernels._face import conv2d, gemm
from inexact.kernels._factors import Factors
from inexact.kernels._geometry import Geometry
from inexact.kernels._layer import Surroundings, compiled_layer_serves, conv2d_layer, linear_layer
from inexact.kernels._memory_format import channels_last
from inexact.kernels._sequential import sequential_conv2d, sequential_gemm
from inexact.kernels._slopes import slope_conv2d, slope_gemm
from inexact.kernels._steps import inside, restored

__all__ = [
    "Choice",
    "Factors",
    "Geometry",
    "Surroundings",
    "addition",
    "channels_last",
    "choice_for",
    "compiled_layer_serves",
    "conv2d",
    "conv2d_layer",
    "engine_for",
    "engines",
    "exact_conv2d",
    "exact_gemm",
    "exact_matmul",
    "gemm",
    "inside",
    "isa",
    "isas",
    "linear_layer",
    "matmul",
    "restored",
    "sequential_conv2d",
    "sequential_gemm",
    "slope_conv2d",
    "slope_gemm",
    "threads",
]
