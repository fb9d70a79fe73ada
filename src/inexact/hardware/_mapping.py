"""Layers on a systolic array: cycles, and how often each memory level is touched, in closed form.

A layer is `groups` matrix products of M pixels x K window x N filters on an array of R x C processing elements (PEs).
The cycle counts are those of SCALE-Sim (Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016), which prints them minus 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from inexact.core.workload import LayerWorkload

DATAFLOWS = ("weight_stationary", "output_stationary", "input_stationary")

TABLE_BITS = 16
"""Width of one entry of a correction column's table f(a)."""


class Sizes(NamedTuple):
    """What mapping needs to know of a machine. rows, columns in PEs; capacities in bits."""

    rows: int
    columns: int
    activation_bits: float
    weight_bits: float
    accumulator_bits: float


class Accesses(NamedTuple):
    """Array side traffic in elements: activations read, weights read, partial sums (or outputs) written."""

    inputs: int
    weights: int
    outputs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapping:
    """One layer on the array. cycles: without stalls. utilisation: MACs per PE and cycle, 0..1.

    The rest is bits moved: register writes in the array, reads and writes of each buffer, DRAM reads and writes.
    """

    dataflow: str
    cycles: int
    utilisation: float
    register_bits: float
    activation_reads: float
    activation_writes: float
    weight_reads: float
    weight_writes: float
    accumulator_reads: float
    accumulator_writes: float
    dram_reads: float
    dram_writes: float


def compute_cycles(dataflow: str, rows: int, columns: int, pixels: int, window: int, filters: int, *, tiles: int = 1) -> int:
    """Cycles of one M x K x N product on an R x C array, without stalls.

    tiles: passes over the streamed dimension, each with its own fill (weight and input stationary).
    """
    if dataflow == "output_stationary":
        return (rows + columns + window - 2) * ceil(pixels / rows) * ceil(filters / columns)
    streamed, spread = (pixels, filters) if dataflow == "weight_stationary" else (filters, pixels)
    return (tiles * (2 * rows + columns - 2) + streamed) * ceil(window / rows) * ceil(spread / columns)


def array_accesses(dataflow: str, rows: int, columns: int, pixels: int, window: int, filters: int) -> Accesses:
    """Elements that cross the edge of the array for one M x K x N product."""
    row_folds = ceil(window / rows)
    if dataflow == "output_stationary":
        return Accesses(pixels * window * ceil(filters / columns), window * filters * ceil(pixels / rows), pixels * filters)
    if dataflow == "weight_stationary":
        return Accesses(pixels * window * ceil(filters / columns), window * filters, pixels * filters * row_folds)
    return Accesses(pixels * window, window * filters * ceil(pixels / columns), pixels * filters * row_folds)


def tiles_of(dataflow: str, sizes: Sizes, layer: LayerWorkload) -> int:
    """Passes over the streamed dimension so that the partial sums of one column fold stay in the accumulator buffer.

    One where nothing waits there: output stationary, or a window that needs no second row fold.
    """
    filters = layer.out_channels // layer.groups
    if dataflow == "output_stationary" or layer.window <= sizes.rows:
        return 1
    streamed, spread = (layer.pixels, filters) if dataflow == "weight_stationary" else (filters, layer.pixels)
    waiting = streamed * min(sizes.columns, spread) * layer.arithmetic.accumulator_bits
    return min(streamed, ceil(waiting / sizes.accumulator_bits))


def map_layer(layer: LayerWorkload, sizes: Sizes, dataflow: str, *, input_resident: bool, output_resident: bool) -> Mapping:
    """Map one integer layer. resident: the tensor stays in the activation buffer between layers and never visits DRAM."""
    R, C = sizes.rows, sizes.columns
    M, K, N, groups = layer.pixels, layer.window, layer.out_channels // layer.groups, layer.groups
    a, b, s = layer.arithmetic.a_bits, layer.arithmetic.b_bits, layer.arithmetic.accumulator_bits
    tiles = tiles_of(dataflow, sizes, layer)
    cycles = groups * compute_cycles(dataflow, R, C, M, K, N, tiles=tiles)
    edge = array_accesses(dataflow, R, C, M, K, N)
    input_reads = groups * edge.inputs * (tiles if dataflow == "input_stationary" else 1)
    weight_reads = groups * edge.weights * (tiles if dataflow == "weight_stationary" else 1)
    input_passes, weight_passes = _dram_passes(layer, sizes, dataflow, tiles)
    dram_inputs = 0.0 if input_resident else _input_bits(layer) * input_passes
    # The table of a correction column is fetched with the weights.
    table = TABLE_BITS * 2**a if layer.arithmetic.correction_column else 0
    dram_weights = groups * K * N * b * weight_passes + table
    outputs = layer.pixels * layer.out_channels * a
    return Mapping(
        dataflow=dataflow,
        cycles=cycles,
        utilisation=layer.macs / (cycles * R * C),
        register_bits=_register_bits(layer, sizes, dataflow, tiles),
        activation_reads=input_reads * a + (0 if output_resident else outputs),
        activation_writes=outputs + dram_inputs,
        weight_reads=weight_reads * b,
        weight_writes=dram_weights - table,
        accumulator_reads=groups * edge.outputs * s,
        accumulator_writes=groups * edge.outputs * s,
        dram_reads=dram_inputs + dram_weights,
        dram_writes=0 if output_resident else outputs,
    )


def _input_bits(layer: LayerWorkload) -> int:
    return layer.batch * layer.in_channels * layer.in_h * layer.in_w * _stored_bits(layer)


def _stored_bits(layer: LayerWorkload) -> int:
    """Bits of one activation in memory; outputs are stored as wide as the layer's own inputs."""
    return 32 if layer.arithmetic.multiplier is None else layer.arithmetic.a_bits


def _dram_passes(layer: LayerWorkload, sizes: Sizes, dataflow: str, tiles: int) -> tuple[int, int]:
    """How often inputs and weights come from DRAM: once when the buffer holds what the array reads again, else each time."""
    M, K, N = layer.pixels, layer.window, layer.out_channels // layer.groups
    b = layer.arithmetic.b_bits
    inputs_fit = _input_bits(layer) <= sizes.activation_bits
    weights_fit = K * N * b <= sizes.weight_bits
    if dataflow == "weight_stationary":
        return (1 if inputs_fit else ceil(N / sizes.columns)), (1 if weights_fit else tiles)
    if dataflow == "input_stationary":
        return (1 if inputs_fit else tiles), (1 if weights_fit else ceil(M / sizes.columns))
    # Output stationary keeps one column fold of weights, with the next one arriving, while all pixels pass.
    fold_fits = 2 * K * min(sizes.columns, N) * b <= sizes.weight_bits
    return (1 if inputs_fit else ceil(N / sizes.columns)), (1 if weights_fit or fold_fits else ceil(M / sizes.rows))


def _register_bits(layer: LayerWorkload, sizes: Sizes, dataflow: str, tiles: int) -> float:
    """Bits through PE registers: every MAC moves its sum and each travelling operand; loads and drains shift through half the rows."""
    a, b, s = layer.arithmetic.a_bits, layer.arithmetic.b_bits, layer.arithmetic.accumulator_bits
    N = layer.out_channels // layer.groups
    shift = (sizes.rows + 1) / 2 * layer.groups
    if dataflow == "weight_stationary":
        return layer.macs * (a + s) + layer.window * N * tiles * shift * b
    if dataflow == "input_stationary":
        return layer.macs * (b + s) + layer.window * layer.pixels * tiles * shift * a
    return layer.macs * (a + b + s) + layer.pixels * N * shift * s


def residency(layers: tuple[LayerWorkload, ...], sizes: Sizes) -> list[tuple[bool, bool]]:
    """(input resident, output resident) of each layer of a chain.

    A tensor stays on chip when the buffer holds the inputs and outputs of both the layer that writes it and the one that reads it.
    The network's own input and output always cross the DRAM.
    """
    fits = [_input_bits(layer) + layer.pixels * layer.out_channels * _stored_bits(layer) <= sizes.activation_bits for layer in layers]
    kept = [False, *(before and after for before, after in pairwise(fits)), False]
    return list(pairwise(kept))
