"""Which processing element forms which product of a layer, and which products and sums a broken register of one element reaches.

The conventions are derived in docs/derivations/array_faults.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FaultError
from inexact.core.workload import LayerWorkload
from inexact.hardware import Mapping
from inexact.reliability._row_sets import RowSets

Register = Literal["product", "sum", "activation", "weight"]
REGISTERS: tuple[Register, ...] = ("product", "sum", "activation", "weight")

Places = NDArray[np.int64]
Chosen = NDArray[np.bool_]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Where on an array of `rows` x `columns` elements a layer's products are formed, for one group and one input.

    row_of_tap [K], column_of_filter [N], row_of_pixel, column_of_pixel [P]: the element's row or column, -1 where the dataflow does not
    bind it. fold [K]: which pass of the array's rows a tap belongs to, where sums run down a column; 0 where they stay in an element.
    """

    dataflow: str
    rows: int
    columns: int
    row_of_tap: Places
    fold: Places
    column_of_filter: Places
    row_of_pixel: Places
    column_of_pixel: Places
    sets: RowSets | None = None
    """Of a row stationary array, whose rows and columns are bound set by set."""

    @property
    def sums_travel(self) -> bool:
        """Whether a sum runs down a column of elements, one product each; else it stays in one element for all products."""
        return self.dataflow in {"weight_stationary", "input_stationary"}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """What a broken register meets: the products of these taps [K], filters [N] and pixels [P], each with each; of sums, these outputs.

    drained [P]: pixels whose finished sums pass the broken register on their way out.
    """

    taps: Chosen
    filters: Chosen
    pixels: Chosen
    drained: Chosen

    @property
    def empty(self) -> bool:
        """Whether the layer never uses the register."""
        return not (self.taps.any() and self.filters.any() and (self.pixels.any() or self.drained.any()))


def place(layer: LayerWorkload, mapping: Mapping, rows: int, columns: int) -> Placement:
    """The placement under a mapping, tiles included: folds begin anew in every tile.

    Raises FaultError for output stationary layers whose window is cut in parts.
    """
    flow, tile = mapping.dataflow, mapping.tile
    if flow == "row_stationary":
        return _in_sets(layer, tile, rows, columns)
    tap, window = np.arange(layer.window), max(1, tile["channels"]) * layer.kernel_h * layer.kernel_w
    inside = tap % window
    pixel = _inside_tile(layer, tile)
    free_taps, free_pixels = np.full(layer.window, -1), np.full(layer.out_h * layer.out_w, -1)
    filters = np.arange(layer.filters) % max(1, tile["filters"]) % columns
    if flow == "output_stationary":
        _require_whole_sums(layer, window)
        return Placement(
            dataflow=flow,
            rows=rows,
            columns=columns,
            row_of_tap=free_taps,
            fold=np.zeros_like(tap),
            column_of_filter=filters,
            row_of_pixel=pixel % rows,
            column_of_pixel=free_pixels,
        )
    folds = -(-window // rows)
    held = flow == "weight_stationary"
    return Placement(
        dataflow=flow,
        rows=rows,
        columns=columns,
        row_of_tap=inside % rows,
        fold=tap // window * folds + inside // rows,
        column_of_filter=filters if held else np.full(layer.filters, -1),
        row_of_pixel=free_pixels,
        column_of_pixel=free_pixels if held else pixel % columns,
    )


def _require_whole_sums(layer: LayerWorkload, window: int) -> None:
    if window < layer.window:
        raise FaultError(
            f"layer {layer.name} must keep a sum in its element until it is whole, but output_stationary on this accelerator cuts its "
            f"window in {-(-layer.window // window)} parts; enlarge the memories or take another dataflow"
        )


def _in_sets(layer: LayerWorkload, tile: dict[str, int], rows: int, columns: int) -> Placement:
    taps, pixels = np.full(layer.window, -1), np.full(layer.out_h * layer.out_w, -1)
    return Placement(
        dataflow="row_stationary",
        rows=rows,
        columns=columns,
        row_of_tap=taps,
        fold=np.zeros(layer.window, np.int64),
        column_of_filter=np.full(layer.filters, -1),
        row_of_pixel=pixels,
        column_of_pixel=pixels,
        sets=RowSets.of(layer, tile, rows),
    )


def _inside_tile(layer: LayerWorkload, tile: dict[str, int]) -> Places:
    """Number of every output position inside its tile, row by row."""
    across = min(tile["columns"], layer.out_w)
    row, column = np.divmod(np.arange(layer.out_h * layer.out_w), layer.out_w)
    return np.asarray(row % max(1, tile["rows"]) * across + column % across)


def reach(placement: Placement, register: Register, row: int, column: int) -> Reach:
    """What the register of element (row, column) meets.

    Products and sums: those of the element. Operands that travel along a row or down a column come from its first element, so that a
    broken register changes them for the elements behind it too; operands that are held are shifted in along the columns from the first
    row, so that those of rows behind it have passed it. Finished sums of an output stationary array leave down the columns. Elements of
    a row stationary array get their operands by multicast, past each other.
    """
    if placement.sets is not None:
        return _reach_in_sets(placement, placement.sets, row, column)
    everything = [np.ones(len(places), bool) for places in (placement.row_of_tap, placement.column_of_filter, placement.row_of_pixel)]
    taps, filters, pixels = everything
    nowhere = np.zeros_like(pixels)
    flow = placement.dataflow
    if flow == "output_stationary":
        below, right = register == "weight", register == "activation"
        filters = _from(placement.column_of_filter, column, onwards=right)
        drained = placement.row_of_pixel < row if register == "sum" else nowhere
        return Reach(taps=taps, filters=filters, pixels=_from(placement.row_of_pixel, row, onwards=below), drained=drained)
    held, travelling = ("weight", "activation") if flow == "weight_stationary" else ("activation", "weight")
    if register != "sum":
        taps = _from(placement.row_of_tap, row, onwards=register == held)
    if flow == "weight_stationary":
        filters = _from(placement.column_of_filter, column, onwards=register == travelling)
    else:
        pixels = _from(placement.column_of_pixel, column, onwards=register == travelling)
    return Reach(taps=taps, filters=filters, pixels=pixels, drained=nowhere)


def _reach_in_sets(placement: Placement, sets: RowSets, row: int, column: int) -> Reach:
    held = sets.held(row, column, rows=placement.rows, columns=placement.columns)
    taps, filters, nowhere = (np.zeros(len(places), bool) for places in (sets.kernel_row, sets.filter_set, sets.output_row))
    if held is None:
        return Reach(taps=taps, filters=filters, pixels=nowhere, drained=nowhere)
    return Reach(
        taps=(sets.kernel_row == held.kernel_row) & (sets.channel_set == held.channel_set),
        filters=sets.filter_set == held.filter_set,
        pixels=sets.output_row == held.output_row,
        drained=nowhere,
    )


def _from(places: Places, here: int, *, onwards: bool) -> Chosen:
    return np.asarray(places >= here if onwards else places == here)
