"""Selective and approximate triple redundancy of a multiplier: which gates to have three times, and what voted replicas still lose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import FAN_OUT, Circuit, Op, stuck_at
from inexact.circuits.cells import library
from inexact.core.errors import FaultError
from inexact.core.estimate import Estimate
from inexact.hardware import element_cost
from inexact.metrics import Mean, PairedDifference, mean_of, paired_difference
from inexact.nn import ApproxModel, Data, correct_answers, sharing_copy
from inexact.reliability._broken import check_layer
from inexact.reliability.criticality import CriticalityMap
from inexact.units import Multiplier, multipliers
from inexact.units.stuck_at import netlist_of, product_word

CELLS = {
    Op.NOT: "INV_X1",
    Op.AND: "AND2_X1",
    Op.OR: "OR2_X1",
    Op.XOR: "XOR2_X1",
    Op.NAND: "NAND2_X1",
    Op.NOR: "NOR2_X1",
    Op.XNOR: "XNOR2_X1",
    Op.MUX: "MUX2_X1",
}
"""The library's cell of every kind of gate."""

Watch = Callable[[int, int], None]


def gate_area(op: Op) -> float:
    """Area of a gate in um2 by the project's cell library."""
    return library().cells[CELLS[op]].area


def voter_area() -> float:
    """Area of a majority voter of one bit: two ANDs and two ORs."""
    return 2 * gate_area(Op.AND) + 2 * gate_area(Op.OR)


@final
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Nets whose gates are there three times with a voter. expected: mean loss in points over all stuck-at faults of nets, with its 95 %
    interval; before: without the measure. area: um2 added to every multiplier; percent: of the gates that drive the nets of the map."""

    nets: tuple[str, ...]
    before: tuple[float, float, float]
    expected: tuple[float, float, float]
    area: Estimate
    percent: float


def selected(found: CriticalityMap, unit: Multiplier, counts: Sequence[int]) -> list[Selection]:
    """The best nets to triple by loss for area, for every count. found: a map by nets of this unit.

    Input bits have no gate to triple: their faults stay. Voters are taken to be free of faults. Raises FaultError for a unit without a
    netlist, or a map of something else.
    """
    circuit = netlist_of(unit)
    if circuit is None:
        raise FaultError(f"{unit.spec} has no netlist whose gates could be tripled")
    gates = np.array([_gate_area(circuit, name) for name in found.rows])
    areas, whole = np.where(gates > 0, 2 * gates + voter_area(), np.inf), float(gates.sum())
    worth = np.where(np.isfinite(areas), found.loss.clip(min=0).sum(1) / areas, -1.0)
    order = np.argsort(-worth, kind="stable")
    return [_selection(found, order[: min(count, int((worth >= 0).sum()))], areas, whole) for count in counts]


def _selection(found: CriticalityMap, chosen: NDArray[np.int64], areas: NDArray[np.float64], whole: float) -> Selection:
    kept = np.zeros(len(found.rows), bool)
    kept[chosen] = True
    area = float(areas[chosen].sum())
    source = f"cell areas of {library().label}, gates before mapping"
    return Selection(
        nets=tuple(found.rows[place] for place in chosen.tolist()),
        before=found.expected(),
        expected=found.expected(kept),
        area=Estimate(value=area, unit="um2", source=source, node=library().node),
        percent=100 * area / whole,
    )


def _gate_area(circuit: Circuit, name: str) -> float:
    """Of the gate that drives a net; 0 for an input."""
    fault = stuck_at.find(circuit, name, 0)
    for op, _, out in circuit.gates():
        if out <= fault.wire < out + FAN_OUT[op]:
            return gate_area(op)
    return 0.0


@final
@dataclass(frozen=True, kw_only=True)
class VotedLoss:
    """A voted multiplier under random stuck nets of its replicas, one replica broken in every multiplier of the network at a time.

    without: against the exact unit without redundancy, no fault. mean, worst: loss in points against that unit too, over `faults`; mean
    weighs replicas by their number of nets, its interval is over faults. area: um2 of one multiplier with its voter, percent: of the exact
    one's.
    """

    unit: str
    without: PairedDifference
    faults: int
    mean: Mean
    worst: float
    area: Estimate
    percent: float


def voted_losses(
    net: ApproxModel, data: Data, designs: Sequence[tuple[str, ...]], *, nets: int = 20, seed: int = 0, watch: Watch | None = None
) -> list[VotedLoss]:
    """Designs of one multiplier, or of three voted ones, in the place of the network's multiplier, under random stuck-at faults.

    designs: specs of the replicas, one or three. nets: random faults of each design, drawn from the nets of all its replicas together.
    Raises FaultError for designs of two, and for replicas without netlists.
    """
    healthy = correct_answers(_with(net, (designs[0][0],)), data)
    drawn = [_drawn(design, nets, seed) for design in designs]
    found, done, total = [], 0, sum(len(faults) for faults in drawn)
    for design, faults in zip(designs, drawn, strict=True):
        losses = []
        for place, fault in faults:
            broken = tuple(fault if index == place else spec for index, spec in enumerate(design))
            losses.append(healthy.astype(np.int8) - correct_answers(_with(net, broken), data))
            done += 1
            if watch is not None:
                watch(done, total)
        found.append(_loss(design, np.array(losses), paired_difference(healthy, correct_answers(_with(net, design), data)), designs[0][0]))
    return found


def _with(net: ApproxModel, design: tuple[str, ...]) -> ApproxModel:
    unit = design[0] if len(design) == 1 else f"voted(first={design[0]},second={design[1]},third={design[2]})"
    found = sharing_copy(net)
    for layer in found.layers().values():
        checked = check_layer(layer)
        checked.restate(checked.rule.but(multiplier=unit))
    return found


def _drawn(design: tuple[str, ...], count: int, seed: int) -> list[tuple[int, str]]:
    """(replica, spec of the broken one) of random faults: every stuck-at fault of every replica is as likely."""
    if len(design) not in {1, 3}:
        raise FaultError(f"a design must be one multiplier or three voted ones, not {len(design)}")
    every = []
    for place, spec in enumerate(design):
        circuit = netlist_of(multipliers.get(spec))
        if circuit is None:
            raise FaultError(f"{spec} has no netlist whose nets could be stuck; take replicas with netlists")
        for fault in stuck_at.faults(circuit, branches=False):
            every.append((place, f"stuck_at(multiplier={spec},net='{stuck_at.name_of(circuit, fault)}',value={fault.value})"))
    picked = np.random.default_rng(seed).choice(len(every), min(count, len(every)), replace=False)
    return [every[place] for place in sorted(picked.tolist())]


def _loss(design: tuple[str, ...], lost: NDArray[np.int8], without: PairedDifference, exact: str) -> VotedLoss:
    of_fault = 100 * lost.mean(1)
    area = sum(element_cost(spec).multiplier.area for spec in design)
    if len(design) == 3:
        area += voter_area() * product_word(multipliers.get(design[0]))[0]
    cost = element_cost(design[0])
    return VotedLoss(
        unit=" + ".join(design),
        without=without,
        faults=len(of_fault),
        mean=mean_of(of_fault),
        worst=float(of_fault.max()),
        area=Estimate(value=area, unit="um2", source=f"{cost.source}; voter by cell areas of {library().label}", node="45 nm"),
        percent=100 * area / element_cost(exact).multiplier.area,
    )
