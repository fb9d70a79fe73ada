"""One broken element of a row stationary array: layers against loops over the mapping's own schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from inexact import hardware
from inexact.core.errors import FaultError
from inexact.core.workload import LayerWorkload
from inexact.nn import workload
from inexact.reliability._array import place
from inexact.reliability._broken import ElementFault, placements, with_broken_element

from .test_broken_element import Array, expected, network, plainly

Cell = tuple[int, int]


@dataclass(frozen=True)
class Sets:
    """An array and a tiling of it."""

    rows: int
    columns: int
    set_rows: int
    pe_filters: int
    pe_channels: int
    channel_sets: int
    filter_sets: int

    def tile(self) -> dict[str, int]:
        names = ("set_rows", "pe_filters", "pe_channels", "channel_sets", "filter_sets")
        return {name: getattr(self, name) for name in names} | {"batch": 1, "rows": 3, "channels": 4, "filters": 6}

    def anchors(self, taps: int) -> list[dict[Cell, Cell]]:
        """(kernel row, output row) -> element, of every set that has room, in the order in which sets are placed."""
        found, free = [], {(row, column) for row in range(self.rows) for column in range(self.columns)}
        for left in range(self.columns):
            for top in range(0, self.rows, taps):
                cells = {
                    (tap, place): (top + place // self.columns * taps + tap, left + place % self.columns)
                    for tap in range(taps)
                    for place in range(self.set_rows)
                }
                wraps = self.set_rows > self.columns
                if set(cells.values()) <= free and not (wraps and left):
                    free -= set(cells.values())
                    found.append(cells)
        return found

    def schedule(self, shape: LayerWorkload) -> dict[tuple[int, int, int, int], Cell]:
        """(filter, channel, kernel row, output row) -> the element that forms its products: loops of the mapping, outermost first."""
        taps = min(shape.kernel_h, self.rows)
        anchors, found = self.anchors(taps), {}
        channels = shape.in_channels // shape.groups
        for ir, it in np.ndindex(self.channel_sets, self.filter_sets):
            cells = anchors[it * self.channel_sets + ir]
            filters = [f for start in range(it * self.pe_filters, shape.filters, self.pe_filters * self.filter_sets)
                       for f in range(start, min(start + self.pe_filters, shape.filters))]  # fmt: skip
            inputs = [c for start in range(ir * self.pe_channels, channels, self.pe_channels * self.channel_sets)
                      for c in range(start, min(start + self.pe_channels, channels))]  # fmt: skip
            for f in filters:
                for c in inputs:
                    for tap, first in np.ndindex(taps, self.set_rows):
                        for ky in range(tap, shape.kernel_h, taps):
                            for oy in range(first, shape.out_h, self.set_rows):
                                assert (f, c, ky, oy) not in found
                                found[f, c, ky, oy] = cells[tap, first]
        assert len(found) == shape.filters * channels * shape.kernel_h * shape.out_h
        return found


@dataclass(frozen=True)
class RowArray(Array):
    """Elements get operands by multicast; what an element forms follows from the schedule."""

    where: Any = None
    shape: Any = None

    def sums(self, flow: str, a: Any, b: Any) -> Any:
        out = np.zeros((len(a), len(b)), np.int64)
        size = self.shape.kernel_h * self.shape.kernel_w
        for m, n, k in np.ndindex(len(a), len(b), a.shape[1]):
            at = self.where[n, k // size, k % size // self.shape.kernel_w, m // self.shape.out_w]
            out[m, n] += self.product(self.held("activation", int(a[m, k]), at), self.held("weight", int(b[n, k]), at), at)
        return out


CASES = [
    Sets(rows=4, columns=3, set_rows=1, pe_filters=1, pe_channels=2, channel_sets=2, filter_sets=3),
    Sets(rows=4, columns=3, set_rows=3, pe_filters=2, pe_channels=1, channel_sets=2, filter_sets=1),
    Sets(rows=4, columns=2, set_rows=3, pe_filters=6, pe_channels=3, channel_sets=1, filter_sets=1),
    Sets(rows=1, columns=5, set_rows=2, pe_filters=4, pe_channels=4, channel_sets=1, filter_sets=2),
    Sets(rows=5, columns=4, set_rows=2, pe_filters=1, pe_channels=1, channel_sets=1, filter_sets=4),
]


def mapped(tile: dict[str, int]) -> hardware.Mapping:
    return hardware.Mapping(
        dataflow="row_stationary", cycles=1, utilisation=1, tile=tile, order=(), register_bits=0, memory={}, dram_reads=0, dram_writes=0
    )


@pytest.mark.parametrize(
    ("case", "register", "bit", "value"),
    [*((case, "product", 14, 0) for case in CASES), (CASES[0], "activation", 7, 1), (CASES[1], "weight", 5, 0)],
)
def test_convolution_on_the_schedule_of_sets(case: Sets, register: Any, bit: int, value: int) -> None:
    net, x = network()
    (shape,) = workload(net).layers
    where = {"0": place(shape, mapped(case.tile()), case.rows, case.columns)}
    table, schedule = net.layers()["0"].rule.unit.table().astype(np.int64), case.schedule(shape)  # type: ignore[union-attr]
    changed = 0
    for at in sorted(set(schedule.values()))[:: max(1, case.rows * case.columns // 2)]:
        fault = ElementFault(row=at[0], column=at[1], register=register, bit=bit, value=value)
        found = with_broken_element(net, where, fault)(x)
        array = RowArray(table, fault, 16, plainly(32), where=schedule, shape=shape)
        assert torch.equal(found, expected(net, x, array, "row_stationary"))
        changed += not torch.equal(found, net(x))
    assert changed
    for row, column in np.ndindex(case.rows, case.columns):
        if (row, column) not in schedule.values():
            idle = with_broken_element(net, where, ElementFault(row=row, column=column, bit=15, value=1))
            assert torch.equal(idle(x), net(x))


def test_every_product_of_a_mapped_layer_has_one_element() -> None:
    net, _ = network()
    (placement,) = placements(net, "eyeriss-like", ["0"]).values()
    assert placement.dataflow == "row_stationary"
    sets = placement.sets
    assert sets is not None
    rows, columns = placement.rows, placement.columns
    held = [sets.held(row, column, rows=rows, columns=columns) for row, column in np.ndindex(rows, columns)]
    used = [one for one in held if one is not None]
    assert len(set(used)) == len(used) == sets.taps * sets.set_rows * sets.channel_sets * sets.filter_sets


def test_accumulators_of_row_stationary_layers_are_refused() -> None:
    net, _ = network(accumulator="accumulator(width=20)")
    where = placements(net, "eyeriss-like", ["0"])
    with pytest.raises(FaultError, match="must have exact sums where it runs row stationary, not"):
        with_broken_element(net, where, ElementFault(row=0, column=0, value=1))
