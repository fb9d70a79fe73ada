"""Which nets, bits, elements and layers matter: accuracy lost under every fault of a grid, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from inexact import hardware
from inexact.circuits import stuck_at
from inexact.core.errors import FaultError
from inexact.metrics import mean_of, paired_difference
from inexact.nn import ApproxModel, Data, correct_answers
from inexact.reliability._broken import ElementFault, check_layer, placements, with_broken_element, with_stuck_unit
from inexact.reliability._stuck_tables import register_bits
from inexact.units import Multiplier
from inexact.units.stuck_at import netlist_of

Watch = Callable[[int, int], None]
Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class CriticalityMap:
    """Accuracy lost under one fault a cell, in points against the same network without a fault, on the same images.

    rows, columns: what the cells stand for; row_name, column_name: in words. loss, low, high [rows, columns]: with 95 % intervals, of each
    cell alone. lost: int8 [rows, columns, images], right without the fault minus right with it. top1: percent without a fault.
    """

    title: str
    row_name: str
    column_name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    loss: Floats
    low: Floats
    high: Floats
    lost: NDArray[np.int8]
    top1: float

    @property
    def images(self) -> int:
        """Of which every cell is judged."""
        return int(self.lost.shape[2])

    def expected(self, kept: NDArray[np.bool_] | None = None) -> tuple[float, float, float]:
        """Mean loss in points over all faults of the map, each as likely, with its 95 % interval over images. kept: bool [rows], rows whose
        faults cost nothing, as they are protected."""
        lost = self.lost if kept is None else np.where(kept[:, None, None], 0, self.lost)
        found = mean_of(100 * lost.mean((0, 1)))
        return found.mean, found.low, found.high

    def to_json(self) -> dict[str, Any]:
        """Plain lists, rounded to a hundredth of a point."""
        grids = {name: np.round(getattr(self, name), 2).tolist() for name in ("loss", "low", "high")}
        names = {name: getattr(self, name) for name in ("title", "row_name", "column_name", "top1", "images")}
        names["expected"] = [round(value, 3) for value in self.expected()]
        return names | {"rows": list(self.rows), "columns": list(self.columns)} | grids

    def worst(self, count: int) -> list[tuple[str, str, float]]:
        """(row, column, loss) of the cells that cost most."""
        order = np.argsort(-self.loss, axis=None, kind="stable")[:count]
        places = np.unravel_index(order, self.loss.shape)
        return [(self.rows[i], self.columns[j], float(self.loss[i, j])) for i, j in zip(*places, strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Grid:
    title: str
    row_name: str
    column_name: str
    rows: Sequence[str]
    columns: Sequence[str]


def _measure(net: ApproxModel, data: Data, grid: _Grid, broken: Iterable[nn.Module], watch: Watch | None) -> CriticalityMap:
    """The map of networks in the order of its cells, row by row."""
    healthy = correct_answers(net, data)
    found = np.zeros((3, len(grid.rows) * len(grid.columns)))
    lost = np.zeros((found.shape[1], len(healthy)), np.int8)
    for place, faulty in enumerate(broken):
        right = correct_answers(faulty, data)
        difference = paired_difference(healthy, right)
        found[:, place] = 100 * difference.drop, 100 * difference.low, 100 * difference.high
        lost[place] = healthy.astype(np.int8) - right
        if watch is not None:
            watch(place + 1, found.shape[1])
    loss, low, high = found.reshape(3, len(grid.rows), len(grid.columns))
    return CriticalityMap(
        title=grid.title,
        row_name=grid.row_name,
        column_name=grid.column_name,
        rows=tuple(grid.rows),
        columns=tuple(grid.columns),
        loss=loss,
        low=low,
        high=high,
        lost=lost.reshape(len(grid.rows), len(grid.columns), -1),
        top1=100 * float(healthy.mean()),
    )


def of_bits(net: ApproxModel, data: Data, *, value: int, watch: Watch | None = None) -> CriticalityMap:
    """A product bit stuck in all multipliers of one layer: layers by bits. Layers need product registers of one width."""
    layers = {name: check_layer(layer) for name, layer in net.layers().items()}
    widths = {register_bits(layer.rule, "product") for layer in layers.values()}
    if len(widths) != 1:
        raise FaultError(f"a map by bits needs product registers of one width, but these have {', '.join(map(str, sorted(widths)))} bits")
    bits = [str(bit) for bit in range(widths.pop())]
    grid = _Grid(
        title=f"product bit stuck at {value} in all multipliers of a layer",
        row_name="layer",
        column_name="bit",
        rows=[*layers],
        columns=bits,
    )
    return _measure(net, data, grid, (with_stuck_unit(net, [name], f"y[{bit}]", value) for name in layers for bit in bits), watch)


def of_elements(
    net: ApproxModel, data: Data, fault: ElementFault, *, accelerator: str, dataflow: str = "", step: int = 1, watch: Watch | None = None
) -> CriticalityMap:
    """The same bit in every element of the array: rows by columns. fault: of which row and column are not looked at. step: every how many
    rows and columns."""
    machine = hardware.load(accelerator)
    where = placements(net, machine, net.layers(), dataflow=dataflow)
    rows, columns = range(0, machine.rows, step), range(0, machine.columns, step)
    flows = sorted({placement.dataflow.replace("_", " ") for placement in where.values()})
    grid = _Grid(
        title=f"{fault.register} bit {fault.bit} of one element stuck at {fault.value}, {' or '.join(flows)}, {machine.name}",
        row_name="row",
        column_name="column",
        rows=[str(row) for row in rows],
        columns=[str(column) for column in columns],
    )

    def at(row: int, column: int) -> ElementFault:
        return ElementFault(row=row, column=column, value=fault.value, register=fault.register, bit=fault.bit, net=fault.net)

    broken = (with_broken_element(net, where, at(row, column)) for row in rows for column in columns)
    return _measure(net, data, grid, broken, watch)


def of_nets(net: ApproxModel, data: Data, *, limit: int | None = None, seed: int = 0, watch: Watch | None = None) -> CriticalityMap:
    """Every net stuck in all multipliers of the network: nets by value. limit: only so many nets, at random."""
    units = {check_layer(layer).rule.unit.spec: check_layer(layer).rule.unit for layer in net.layers().values()}
    unit = next(iter(units.values()))
    circuit = netlist_of(unit) if isinstance(unit, Multiplier) and len(units) == 1 else None
    if circuit is None:
        raise FaultError(f"a map by nets needs one multiplier with a netlist in all layers, not {', '.join(units)}; map bits instead")
    names = [stuck_at.name_of(circuit, fault) for fault in stuck_at.faults(circuit, branches=False, collapse=False) if not fault.value]
    if limit is not None and limit < len(names):
        chosen = np.random.default_rng(seed).choice(len(names), limit, replace=False)
        names = [names[place] for place in sorted(chosen.tolist())]
    grid = _Grid(
        title=f"net of {unit.spec} stuck in all multipliers", row_name="net", column_name="stuck at", rows=names, columns=["0", "1"]
    )
    broken = (with_stuck_unit(net, net.layers(), name, value) for name in names for value in (0, 1))
    return _measure(net, data, grid, broken, watch)
