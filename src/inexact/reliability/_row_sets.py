"""Where the sets of a row stationary array lie, and what one element of them computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.core.workload import LayerWorkload

Places = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True)
class Held:
    """What an element has: a kernel row of a pass, the set's part of channels and of filters, an output row of a pass."""

    kernel_row: int
    channel_set: int
    filter_set: int
    output_row: int


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class RowSets:
    """Sets of `taps` x `set_rows` elements on an array: kernel rows downwards, output rows to the right.

    kernel_row, channel_set [K], filter_set [N], output_row [P]: which of them a tap, a filter and an output position belong to, by the
    loops of the mapping. channel_sets, filter_sets: how many sets take other channels and filters. Sets are numbered channels first and
    fill the array band by band (`taps` rows) downwards, then to the right, so that sums can go on from set to set; a set wider than the
    array goes on in the bands below.

    Reference: Y.-H. Chen, J. Emer, V. Sze, Eyeriss: a spatial architecture for energy-efficient dataflow for convolutional neural networks,
    ISCA 2016, doi:10.1109/ISCA.2016.40 (sets, replication and folding; the order of sets is this project's)
    """

    taps: int
    set_rows: int
    channel_sets: int
    filter_sets: int
    kernel_row: Places
    channel_set: Places
    filter_set: Places
    output_row: Places

    @classmethod
    def of(cls, layer: LayerWorkload, tile: dict[str, int], rows: int) -> RowSets:
        """Of a mapping's tile: within a pass an element has `pe_channels` channels and `pe_filters` filters in a row."""
        taps = min(layer.kernel_h, rows)
        channel, inside = np.divmod(np.arange(layer.window), layer.kernel_h * layer.kernel_w)
        return cls(
            taps=taps,
            set_rows=tile["set_rows"],
            channel_sets=tile["channel_sets"],
            filter_sets=tile["filter_sets"],
            kernel_row=inside // layer.kernel_w % taps,
            channel_set=channel // tile["pe_channels"] % tile["channel_sets"],
            filter_set=np.arange(layer.filters) // tile["pe_filters"] % tile["filter_sets"],
            output_row=np.arange(layer.out_h * layer.out_w) // layer.out_w % tile["set_rows"],
        )

    def held(self, row: int, column: int, *, rows: int, columns: int) -> Held | None:
        """What element (row, column) of an array of rows x columns has; None when it stands idle."""
        band, kernel_row = divmod(row, self.taps)
        high = -(-self.set_rows // columns)
        stacked = rows // self.taps // high
        if high == 1:
            across, output_row = divmod(column, self.set_rows)
            fits = across < columns // self.set_rows
        else:
            across, output_row = 0, band % high * columns + column
            fits = output_row < self.set_rows
        down = band // high
        filter_set, channel_set = divmod(across * stacked + down, self.channel_sets)
        if not fits or down >= stacked or filter_set >= self.filter_sets:
            return None
        return Held(kernel_row=kernel_row, channel_set=channel_set, filter_set=filter_set, output_row=output_row)
