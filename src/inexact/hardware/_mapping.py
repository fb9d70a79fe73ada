"""One layer on the array: what a mapping says, the closed forms of systolic arrays, and which tensors stay on the chip between layers.

A layer is `groups` matrix products of M pixels x K window x N filters on an array of R x C processing elements (PEs).
The cycle counts are those of SCALE-Sim (Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016), which prints them minus 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from inexact.core.workload import LayerWorkload

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator

TABLE_BITS = 16
"""Width of one entry of a correction column's table f(a)."""


TRAVEL = {"output_stationary": ("inputs", "weights"), "weight_stationary": ("inputs",), "input_stationary": ("weights",)}
"""Dataflow -> operands that travel through a systolic array; the other is held by it."""


class Accesses(NamedTuple):
    """Array side traffic in elements: activations read, weights read, partial sums (or outputs) written."""

    inputs: int
    weights: int
    outputs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapping:
    """One layer on the array. cycles: of the array, without stalls. utilisation: MACs per PE and cycle, 0..1.

    tile: what the on-chip memories hold at a time (pixels, rows, channels, filters, …). order: loops over tiles, outermost first.
    The rest is bits moved: register writes in the array; (read, written) of every memory and of the PEs' scratchpads; DRAM.
    delivered: of the reads of memories, those of operands ("inputs", "weights") that travel through a systolic array as they are used.
    """

    dataflow: str
    cycles: int
    utilisation: float
    tile: dict[str, int]
    order: tuple[str, ...]
    register_bits: float
    memory: dict[str, tuple[float, float]]
    dram_reads: float
    dram_writes: float
    spads: dict[str, tuple[float, float]] = field(default_factory=dict)
    delivered: dict[str, float] = field(default_factory=dict)


def mapped_shape(layer: LayerWorkload) -> LayerWorkload:
    """The layer without what no mapping depends on, so that layers alike share one."""
    arithmetic = replace(layer.arithmetic, multiplier="exact", adder="exact", modes=())
    whole = {"executed": 1.0, "busy": 1.0, "a_reads": 1.0, "b_reads": 1.0, "reached": 1.0}
    none = {"checks": 0.0, "kept_bits": 0.0, "a_sparsity": 0.0, "b_sparsity": 0.0}
    shares: dict[str, Any] = {**whole, **none, "added": None, "serial": "", "a_histogram": None, "b_histogram": None}
    return replace(layer, name="", kind="conv", arithmetic=arithmetic, **shares)


def compute_cycles(dataflow: str, rows: int, columns: int, pixels: int, window: int, filters: int, *, tiles: int = 1) -> int:
    """Cycles of one M x K x N product on a systolic R x C array, without stalls.

    tiles: passes over the streamed dimension, each with its own fill (weight and input stationary).
    """
    if dataflow == "output_stationary":
        return (rows + columns + window - 2) * ceil(pixels / rows) * ceil(filters / columns)
    streamed, spread = (pixels, filters) if dataflow == "weight_stationary" else (filters, pixels)
    return (tiles * (2 * rows + columns - 2) + streamed) * ceil(window / rows) * ceil(spread / columns)


def array_accesses(dataflow: str, rows: int, columns: int, pixels: int, window: int, filters: int) -> Accesses:
    """Elements that cross the edge of a systolic array for one M x K x N product."""
    row_folds = ceil(window / rows)
    if dataflow == "output_stationary":
        return Accesses(pixels * window * ceil(filters / columns), window * filters * ceil(pixels / rows), pixels * filters)
    if dataflow == "weight_stationary":
        return Accesses(pixels * window * ceil(filters / columns), window * filters, pixels * filters * row_folds)
    return Accesses(pixels * window, window * filters * ceil(pixels / columns), pixels * filters * row_folds)


def register_bits(layer: LayerWorkload, dataflow: str, rows: int, reloads: float) -> float:
    """Bits through PE registers: every MAC moves its sum and each travelling operand; loads and drains shift through half the rows.

    reloads: how often the stationary operand is loaded (weight and input stationary).
    """
    (a, b), s = travelling_bits(layer), layer.arithmetic.accumulator_bits
    shift = (rows + 1) / 2 * layer.groups
    if dataflow == "weight_stationary":
        return layer.macs * (a + s) + layer.window * layer.filters * reloads * shift * b
    if dataflow == "input_stationary":
        return layer.macs * (b + s) + layer.window * layer.pixels * reloads * shift * a
    return layer.macs * (a + b + s) + layer.pixels * layer.filters * shift * s


def stored_bits(layer: LayerWorkload) -> float:
    """Bits of one activation in memory; outputs are stored as wide as the layer's own inputs."""
    held = layer.arithmetic
    if held.multiplier is None:
        return 32
    return held.a_bits if held.a_stored_bits is None else held.a_stored_bits


def weight_bits(layer: LayerWorkload) -> float:
    """Bits of one weight in memory."""
    held = layer.arithmetic
    return (held.b_bits if held.b_stored_bits is None else held.b_stored_bits) * layer.stored + held.mode_bits


def travelling_bits(layer: LayerWorkload) -> tuple[float, float]:
    """Bits of an activation and of a weight on their way to an element, on average over products."""
    held = layer.arithmetic
    if not held.parts:
        return held.a_bits + bool(held.shift), held.b_bits + bool(held.shift) + held.mode_bits  # which scale, or mode, it has
    return sum(part.share * part.a_bits for part in held.parts), sum(part.share * part.b_bits for part in held.parts)


def table_bits(layer: LayerWorkload) -> int:
    """Bits of the tables f(a) and coefficients of a layer's correction columns, which come from the DRAM with its weights."""
    held = layer.arithmetic
    return TABLE_BITS * (1 << held.a_bits) * held.columns + layer.out_channels * held.factors * held.coefficient_bits


def residency(layers: tuple[LayerWorkload, ...], machine: Accelerator) -> list[tuple[bool, bool]]:
    """(input resident, output resident) of each layer of a chain.

    A tensor stays on chip when its memory holds the inputs and outputs of both the layer that writes it and the one that reads it (half
    the memory, where sums or weights share it). The network's own input and output always cross the DRAM.
    """
    if machine.words["activations"] == "dram":
        return [(False, False)] * len(layers)
    inputs, outputs = machine.home("inputs"), machine.home("outputs")
    assert inputs is not None
    assert outputs is not None
    if inputs is not outputs:  # a tensor would have to move from the one memory to the other
        return [(False, False)] * len(layers)
    room = inputs.bits if set(inputs.holds) <= {"inputs", "outputs"} else inputs.bits / 2
    fits = [(layer.inputs * layer.operands + layer.outputs) * stored_bits(layer) <= room for layer in layers]
    kept = [False, *(before and after for before, after in pairwise(fits)), False]
    return list(pairwise(kept))
