"""Criticality maps, what is chosen by them, and redundant multipliers, on a small network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import inexact as ix
from inexact import units
from inexact.core.errors import FaultError, SpecError
from inexact.nn import ApproxModel, correct_answers
from inexact.reliability import ElementFault, criticality, placements, redundancy, with_broken_element, with_stuck_unit
from inexact.units.stuck_at import netlist_of

EXACT = "exact(signed=true)"
Batches = list[tuple[Tensor, Tensor]]


def network(multiplier: str = EXACT, *, precision: str = "int8") -> tuple[ApproxModel, Batches]:
    torch.manual_seed(2)
    x = torch.randn(40, 1, 5, 5)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4))
    labels = model(x).argmax(1)
    net = ix.approximate(model, ix.Plan(multiplier=multiplier, precision=precision, coding="signed"), calibrate=[(x, labels)])
    return net, [(x, labels)]


def test_bits_of_layers() -> None:
    net, data = network("exact", precision="int4")
    found = criticality.of_bits(net, data, value=1)
    assert (found.rows, len(found.columns), found.images) == (("0", "3"), 8, 40)
    healthy = correct_answers(net, data)
    for layer, bit in (("0", 5), ("3", 7)):
        broken = correct_answers(with_stuck_unit(net, [layer], f"y[{bit}]", 1), data)
        row = found.rows.index(layer)
        assert found.loss[row, bit] == pytest.approx(100 * (healthy.mean() - broken.mean()))
        assert found.low[row, bit] <= found.loss[row, bit] <= found.high[row, bit]
    assert found.worst(1)[0][2] == found.loss.max() > 0
    mean, low, high = found.expected()
    assert mean == pytest.approx(found.loss.mean())
    assert low < mean < high
    assert found.expected(np.array([True, True])) == (0, 0, 0)
    assert found.expected(np.array([True, False]))[0] == pytest.approx(found.loss[1].sum() / 16)


def test_elements() -> None:
    net, data = network()
    fault = ElementFault(row=0, column=0, value=1, bit=14)
    seen: list[tuple[int, int]] = []
    found = criticality.of_elements(
        net, data, fault, accelerator="edge-16x16", dataflow="weight_stationary", step=8, watch=lambda *at: seen.append(at)
    )
    assert (found.rows, found.columns, seen[-1]) == (("0", "8"), ("0", "8"), (4, 4))
    where = placements(net, "edge-16x16", net.layers(), dataflow="weight_stationary")
    broken = with_broken_element(net, where, ElementFault(row=8, column=0, value=1, bit=14))
    assert found.loss[1, 0] == pytest.approx(100 * (correct_answers(net, data).mean() - correct_answers(broken, data).mean()))
    assert found.loss[:, 1].tolist() == [0, 0]  # no layer has nine filters
    assert found.to_json()["rows"] == ["0", "8"]


def test_nets_and_the_gates_worth_having_three_times() -> None:
    net, data = network()
    found = criticality.of_nets(net, data, limit=8, seed=3)
    assert found.columns == ("0", "1")
    assert len(found.rows) == 8
    unit = units.get(EXACT)
    none, few, more = redundancy.selected(found, unit, [0, 2, 4])
    assert none.expected == none.before == found.expected()
    assert none.area.value == 0
    assert more.expected[0] <= few.expected[0] < none.expected[0]
    assert few.nets == more.nets[:2]
    circuit = netlist_of(unit)
    assert circuit is not None
    driven = {out: op for op, _, out in circuit.gates()}
    own = sum(2 * redundancy.gate_area(driven[int(name[1:])]) + redundancy.voter_area() for name in few.nets)
    assert few.area.value == pytest.approx(own)
    kept = np.isin(found.rows, few.nets)
    assert few.expected[0] == pytest.approx(float(found.loss[~kept].sum()) / 16)


def test_voted_multipliers() -> None:
    net, data = network()
    alone, triple, approximate = redundancy.voted_losses(
        net, data, [(EXACT,), (EXACT,) * 3, (EXACT, "trunc(cut=2,signed=true)", "trunc(cut=2,signed=true)")], nets=4
    )
    assert alone.without.drop == triple.without.drop == triple.mean.mean == triple.worst == 0
    assert alone.worst > 0
    assert (alone.percent, alone.faults) == (100, 4)
    assert triple.percent > 300
    assert approximate.percent < triple.percent


def test_votes_are_majorities_of_bits() -> None:
    a, b = np.arange(256)[:, None], np.arange(256)[None, :]
    first, second, third = (units.get(spec) for spec in ("exact", "trunc(cut=5)", "bam(hbl=0,vbl=7)"))
    voted = units.get("voted(first=exact,second=trunc(cut=5),third=bam(hbl=0,vbl=7))")
    x, y, z = (unit(a, b) for unit in (first, second, third))
    for bit in range(16):
        votes = (x >> bit & 1) + (y >> bit & 1) + (z >> bit & 1)
        np.testing.assert_array_equal(voted(a, b) >> bit & 1, votes >= 2)
    masked = units.get("voted(first=stuck_at(multiplier=exact,net=n100,value=1),second=exact,third=exact)")
    assert masked.sha256 == units.get("exact").sha256
    assert voted.circuit() is None


def test_refusals() -> None:
    net, data = network()
    with pytest.raises(FaultError, match="one multiplier or three voted ones, not 2"):
        redundancy.voted_losses(net, data, [(EXACT, EXACT)], nets=1)
    table = units.from_table(units.get(EXACT).table(), signed=True)
    with pytest.raises(FaultError, match="has no netlist whose nets could be stuck; take replicas with netlists"):
        redundancy.voted_losses(net, data, [(table.spec,)], nets=1)
    plain, _ = network(table.spec)
    with pytest.raises(FaultError, match="a map by nets needs one multiplier with a netlist in all layers"):
        criticality.of_nets(plain, data)
    with pytest.raises(SpecError, match="replicas must have one width, sign and product register"):
        units.get("voted(second=exact(width=4))")
    with pytest.raises(FaultError, match="no netlist whose gates could be tripled"):
        redundancy.selected(criticality.of_nets(net, data, limit=1), table, [1])
    mixed = ix.nn.sharing_copy(net)
    layer = mixed.layers()["0"]
    layer.restate(layer.rule.but(multiplier=units.from_table(np.full((256, 256), 1 << 20), signed=True)))
    with pytest.raises(FaultError, match="product registers of one width, but these have 16, 22 bits"):
        criticality.of_bits(mixed, data, value=0)
