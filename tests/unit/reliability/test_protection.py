"""Measures against a broken element: what they compute, and what they are charged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import inexact as ix
from inexact.nn import ApproxModel, correct_answers
from inexact.reliability import ElementFault, placements, protection, with_broken_element

Batches = list[tuple[Tensor, Tensor]]
FLOW = "weight_stationary"


def network(filters: int = 20) -> tuple[ApproxModel, Batches, Tensor]:
    torch.manual_seed(4)
    x = torch.randn(48, 2, 5, 5)
    model = nn.Sequential(nn.Conv2d(2, filters, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9 * filters, 4))
    labels = model(x).argmax(1)
    return ix.approximate(model, ix.Plan(coding="signed"), calibrate=[(x, labels)]), [(x, labels)], x


def test_an_element_that_is_off_leaves_its_products_out() -> None:
    net, _, x = network()
    where = placements(net, "edge-16x16", ["0"], dataflow=FLOW)
    off = ElementFault(row=5, column=3, value=1, register="sum", bit=30, switched_off=True)
    found = with_broken_element(net, where, off)(x)
    layer = net.layers()["0"]
    weight = torch.as_tensor(layer.weight).detach().clone()
    flat = weight.view(20, -1)
    flat[3::16, 5::16] = 0  # signed codes: weight 0 gives product 0
    model = ix.nn.sharing_copy(net)
    other = model.layers()["0"]
    other.weight = nn.Parameter(weight)
    assert torch.equal(found, model(x))
    assert not torch.equal(found, net(x))


def test_filters_leave_the_broken_column_where_there_is_room() -> None:
    net, _, x = network()
    fault = ElementFault(row=0, column=2, value=1, bit=14)
    where = placements(net, "edge-16x16", net.layers(), dataflow=FLOW)
    moved = protection.remapped(net, where, fault, x[:16])
    # 20 filters on 16 columns in two passes: 30 places are free of the fault, and the last layer has 4 filters
    assert not (moved["0"].column_of_filter == 2).any()
    assert not (moved["3"].column_of_filter == 2).any()
    assert np.bincount(moved["0"].column_of_filter).max() == 2
    assert torch.equal(with_broken_element(net, moved, fault)(x), net(x))


def test_the_least_harmed_filter_takes_a_place_that_must_be_used() -> None:
    net, _, x = network(filters=32)
    fault = ElementFault(row=4, column=2, value=1, bit=14)
    where = placements(net, "edge-16x16", ["0"], dataflow=FLOW)
    moved = protection.remapped(net, where, fault, x[:16])
    chosen = np.flatnonzero(moved["0"].column_of_filter == 2)
    assert len(chosen) == 2

    @torch.no_grad()
    def harm(filters: list[int]) -> float:
        column = np.where(np.isin(np.arange(32), filters), 2, 3)
        broken = with_broken_element(net, {"0": replace(where["0"], column_of_filter=column)}, fault)
        whole, seen = net.model[0](x[:16]), broken.model[0](x[:16])  # type: ignore[index]
        return float((whole - seen).square().sum())

    harms = [harm([filter_]) for filter_ in range(32)]
    assert sorted(chosen.tolist()) == sorted(np.argsort(harms, kind="stable")[:2].tolist())


def test_measures_and_their_costs() -> None:
    net, data, x = network(filters=32)
    fault = ElementFault(row=4, column=2, value=1, bit=14)
    found = {one.measure: one for one in protection.protect(net, data, fault, calibration=x[:16], dataflow=FLOW)}
    assert list(found) == ["none", "bypass", "mapping", "bypass+mapping", "triple elements"]
    where = placements(net, "edge-16x16", net.layers(), dataflow=FLOW)
    healthy, broken = correct_answers(net, data), correct_answers(with_broken_element(net, where, fault), data)
    assert found["none"].loss.drop == pytest.approx(healthy.mean() - broken.mean())
    assert found["none"].loss.drop > 0.1
    assert found["none"].gained.drop == found["triple elements"].loss.drop == 0
    assert found["bypass"].loss.drop < found["none"].loss.drop
    assert found["bypass"].gained.drop == pytest.approx(found["none"].loss.drop - found["bypass"].loss.drop)
    assert found["mapping"].charge.area.value == found["none"].charge.area.value == 0
    bypass, triple = found["bypass"].charge, found["triple elements"].charge
    assert bypass.note == "a multiplexer of 48 bits an element"
    assert 0 < bypass.area_percent < 10 < triple.area_percent
    assert 0 < bypass.energy_percent < triple.energy_percent
    cost = ix.estimate(net)
    parts = sum(cost.area[name][0] for name in ("multipliers", "adders", "registers"))
    assert triple.area.value > 2 * parts
    assert bypass.area_percent == pytest.approx(100 * bypass.area.value / cost.area_um2.total.value)
