"""Mapping a layer to a systolic array: every tiling and loop order within the memories is counted at once, the best one is kept.

On-chip memories hold one tile of pixels x channels x filters at a time (twice, so that the next one arrives meanwhile); the array folds
a tile as the dataflow says. Counts are exact, last tiles that are not full included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inexact.core.workload import LayerWorkload
from inexact.hardware._choice import Chosen, Found
from inexact.hardware._mapping import TRAVEL, Mapping, register_bits, stored_bits, table_bits, weight_bits

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator

Numbers = NDArray[np.float64]

NAMES = {"M": "pixels", "K": "channels", "N": "filters"}
ORDERS = tuple(permutations("MKN"))
MAX_SIZES = 9
"""Tile sizes tried in each dimension."""


@dataclass(frozen=True, slots=True)
class _Tiles:
    """Candidate tiles as flat arrays. pixels, window, filters: of a tile; batch, rows, columns, channels: how it is cut.

    footprint: input elements of one channel under a tile; swept: those that all tiles fetch, halos and the batch included.
    """

    batch: Numbers
    rows: Numbers
    columns: Numbers
    channels: Numbers
    filters: Numbers
    pixels: Numbers
    window: Numbers
    footprint: Numbers
    swept: Numbers


@dataclass(frozen=True, slots=True)
class _Array:
    """What the array does with the tiles, one group: folds, buffer traffic in elements, cycles."""

    cycles: Numbers
    input_reads: Numbers
    weight_reads: Numbers
    sums: Numbers
    waiting: Numbers
    reloads: Numbers


def search(machine: Accelerator, layer: LayerWorkload, dataflow: str, *, input_resident: bool, output_resident: bool) -> Mapping | None:
    """The best mapping under one dataflow, or None when no tile fits the memories."""
    tiles = _candidates(machine, layer)
    array = _on_array(machine, layer, dataflow, tiles)
    trips = _trips(layer, tiles)
    best: Found | None = None
    for loops in ORDERS:
        found = _ordered(machine, layer, dataflow, tiles, array, _Order(loops, trips), resident=(input_resident, output_resident))
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    return best[1] if best else None


@lru_cache(maxsize=4096)
def sizes(extent: int, multiple: int = 1) -> list[int]:
    """Tile sizes worth trying: the whole, and even parts of it, rounded up to a multiple; at most `MAX_SIZES`, the smallest among them."""
    parts = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024, 2048, 4096)
    found = {min(extent, -(-ceil(extent / part) // multiple) * multiple) for part in parts if part <= extent} | {min(extent, multiple)}
    ordered = sorted(found, reverse=True)
    return ordered if len(ordered) <= MAX_SIZES else [*ordered[: MAX_SIZES - 1], ordered[-1]]


@lru_cache(maxsize=4096)
def rows_fetched(outputs: int, tile: int, taps: int, stride: int, dilation: int, extent: int) -> tuple[int, int]:
    """(rows under the largest tile, rows all tiles fetch) of an axis cut into tiles of `tile` outputs; padding is not fetched."""
    reach = (taps - 1) * dilation + 1
    before = max(0, (outputs - 1) * stride + reach - extent) // 2
    first = np.arange(0, outputs, tile)
    count = np.minimum(tile, outputs - first)
    low = np.maximum(0, first * stride - before)
    high = np.minimum(extent, (first + count - 1) * stride - before + reach)
    covered = np.maximum(0, high - low)
    if stride > reach:  # rows between windows are skipped
        covered = np.minimum(covered, count * reach)
    return max(1, int(covered.max())), max(1, int(covered.sum()))


def _candidates(machine: Accelerator, layer: LayerWorkload) -> _Tiles:
    (step_h, step_w), P, Q, B = layer.steps, layer.out_h, layer.out_w, layer.batch
    cuts = [(batch, P, Q) for batch in sizes(B)] + [(1, rows, Q) for rows in sizes(P) if rows < P]
    cuts += [(1, 1, columns) for columns in sizes(Q) if columns < Q]
    table = []
    for batch, rows, columns in cuts:
        height, all_rows = rows_fetched(P, rows, layer.kernel_h, step_h, layer.dilation_h, layer.in_h)
        width, all_columns = rows_fetched(Q, columns, layer.kernel_w, step_w, layer.dilation_w, layer.in_w)
        table.append((batch, rows, columns, batch * rows * columns, batch * height * width, B * all_rows * all_columns))
    channels = sizes(layer.in_channels // layer.groups)
    filters = sizes(layer.filters, machine.columns)
    grid = np.array([(*cut, c, n) for cut in table for c in channels for n in filters], dtype=np.float64).T
    batch, rows, columns, pixels, footprint, swept, c, n = grid
    return _Tiles(batch, rows, columns, c, n, pixels, c * (layer.kernel_h * layer.kernel_w), footprint, swept)


def _parts(extent: float, tile: Numbers, inner: Numbers | float) -> Numbers:
    """Inner pieces of all tiles of an axis: tiles are cut into pieces of `inner`, the last tile and each last piece may be short."""
    whole = np.floor(extent / tile)
    return whole * np.ceil(tile / inner) + np.ceil((extent - whole * tile) / inner)


def _on_array(machine: Accelerator, layer: LayerWorkload, dataflow: str, tiles: _Tiles) -> _Array:
    R, C = machine.rows, machine.columns
    M, K, N = layer.pixels, layer.window, layer.filters
    beat, lanes = machine.pace(layer)
    s = layer.arithmetic.accumulator_bits
    row_folds = _parts(K, tiles.window, R * lanes)
    pieces = np.ceil(K / tiles.window)
    if dataflow == "output_stationary":
        m_folds, n_folds = _parts(M, tiles.pixels, R), _parts(N, tiles.filters, C)
        steps = _parts(K, tiles.window, lanes) * beat
        cycles = ((R + C - 2) * pieces + steps) * m_folds * n_folds
        return _Array(cycles, M * K * n_folds, K * N * m_folds, M * N * pieces, np.zeros_like(pieces), np.zeros_like(pieces))
    streamed, spread = (M, N) if dataflow == "weight_stationary" else (N, M)
    tile, across = (tiles.pixels, tiles.filters) if dataflow == "weight_stationary" else (tiles.filters, tiles.pixels)
    folds = _parts(spread, across, C)
    # Sums of one column fold wait for the next row fold: the streamed dimension is cut so that they fit their memory.
    held = np.minimum(across, C) * s
    room = machine.room("sums")
    strip = np.where(row_folds > 1, np.clip(np.floor(room / held), 1, tile), tile)
    passes = _parts(streamed, tile, strip)
    waiting = np.where(row_folds > 1, strip * held, 0.0)
    cycles = (passes * (2 * R + C - 2) + streamed * beat) * row_folds * folds
    if dataflow == "weight_stationary":
        return _Array(cycles, M * K * folds, K * N * passes, M * N * row_folds, waiting, passes)
    return _Array(cycles, M * K * passes, K * N * folds, M * N * row_folds, waiting, passes)


def _ordered(
    machine: Accelerator, layer: LayerWorkload, dataflow: str, tiles: _Tiles, array: _Array, order: _Order, *, resident: tuple[bool, bool]
) -> Found | None:
    """The best tiling with the loops over tiles in this order, or None when nothing fits. resident: whether inputs, outputs are."""
    moved = _movement(machine, layer, array, tiles, order, resident)
    fits = machine.fits(_held(layer, array, tiles, order, resident))
    if not np.any(fits):
        return None
    memory = machine.by_memory(moved.traffic)
    registers: Any = register_bits(layer, dataflow, machine.rows, 1.0)
    if dataflow != "output_stationary":
        registers = registers + (array.reloads - 1) * _reload(layer, dataflow, machine.rows)
    cycles = layer.groups * array.cycles
    chosen = Chosen.of(machine.score(cycles, registers, memory, {}, moved.dram_reads + moved.dram_writes), tiles.rows.shape, fits)
    at, total = chosen.at, round(chosen.at(cycles))
    return chosen.key, Mapping(
        dataflow=dataflow,
        cycles=total,
        utilisation=layer.macs / (total * machine.rows * machine.columns * machine.macs_per_cycle(layer)),
        tile={name: round(at(getattr(tiles, name))) for name in ("batch", "rows", "columns", "channels", "filters")},
        order=tuple(NAMES[name] for name in order.loops if at(order.trips[name]) > 1),
        register_bits=at(registers),
        memory=chosen.moved(memory),
        dram_reads=at(moved.dram_reads),
        dram_writes=at(moved.dram_writes),
        delivered={role: at(moved.traffic[role][0]) for role in TRAVEL[dataflow] if machine.home(role)},
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """The loops over tiles. loops: outermost first; trips: how often each runs."""

    loops: tuple[str, ...]
    trips: dict[str, Numbers]

    def again(self, loop: str) -> Numbers:
        """How often a tensor that this loop does not touch comes anew: once, unless one of its own loops runs inside."""
        inside = self.loops[self.loops.index(loop) + 1 :]
        moving = np.zeros(len(self.trips[loop]), bool)
        for name in inside:
            moving |= self.trips[name] > 1
        return np.where(moving, self.trips[loop], 1.0)


def _trips(layer: LayerWorkload, tiles: _Tiles) -> dict[str, Numbers]:
    return {
        "M": np.ceil(layer.batch / tiles.batch) * np.ceil(layer.out_h / tiles.rows) * np.ceil(layer.out_w / tiles.columns),
        "K": np.ceil(layer.in_channels // layer.groups / tiles.channels),
        "N": np.ceil(layer.filters / tiles.filters),
    }


@dataclass(frozen=True, slots=True)
class _Movement:
    """Bits. traffic: (read, written) of the memories, by role."""

    traffic: dict[str, tuple[Any, Any]]
    dram_reads: Any
    dram_writes: Any


def _movement(
    machine: Accelerator, layer: LayerWorkload, array: _Array, tiles: _Tiles, order: _Order, resident: tuple[bool, bool]
) -> _Movement:
    """What every tiling moves between array, memories and DRAM."""
    M, K, N, groups = layer.pixels, layer.window, layer.filters, layer.groups
    a, b, s = stored_bits(layer), weight_bits(layer), layer.arithmetic.accumulator_bits
    input_resident, output_resident = resident
    channels = layer.in_channels // groups
    dram_inputs = np.zeros(len(tiles.rows)) if input_resident else groups * tiles.swept * channels * order.again("N") * a
    weight_elements = K * N * order.again("M") if machine.home("weights") else array.weight_reads
    dram_weights = groups * weight_elements * b
    # Sums of a tile leave and come back for every further piece of the window but the first.
    spills = groups * M * N * (order.again("K") - 1) * s
    results = groups * M * N * a
    traffic = {
        "inputs": (groups * array.input_reads * a, dram_inputs),
        "weights": (groups * array.weight_reads * b, dram_weights),
        "sums": (groups * array.sums * s + spills, groups * array.sums * s + spills),
        "outputs": (np.float64(0 if output_resident else results), np.float64(results)),
    }
    return _Movement(traffic, dram_inputs + dram_weights + spills + table_bits(layer), spills + (0 if output_resident else results))


def _held(layer: LayerWorkload, array: _Array, tiles: _Tiles, order: _Order, resident: tuple[bool, bool]) -> dict[str, Any]:
    """Bits that the memories must hold, by role: a tile of everything twice, unless the whole tensor is there."""
    a, b, s = stored_bits(layer), weight_bits(layer), layer.arithmetic.accumulator_bits
    input_resident, output_resident = resident
    trips, alone = order.trips, layer.groups == 1

    def twice(first: str, second: str) -> Numbers:
        return np.where((trips[first] * trips[second] == 1) & alone, 1, 2)

    stays = (trips["K"] > 1) & (order.again("K") == 1)  # sums wait for the other pieces of the window
    return {
        "inputs": layer.inputs * a if input_resident else tiles.footprint * tiles.channels * a * twice("M", "K"),
        "weights": tiles.window * tiles.filters * b * twice("N", "K"),
        "outputs": layer.outputs * a if output_resident else tiles.pixels * tiles.filters * a * twice("M", "N"),
        "sums": np.where(stays, tiles.pixels * tiles.filters * s, array.waiting),
    }


def _reload(layer: LayerWorkload, dataflow: str, rows: int) -> float:
    """Register bits of loading the stationary operand once more."""
    return register_bits(layer, dataflow, rows, 1.0) - register_bits(layer, dataflow, rows, 0.0)
