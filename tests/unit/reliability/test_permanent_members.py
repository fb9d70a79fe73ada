"""The permanent faults as members of the family: specs, populations, sites, networks, refusals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import inexact as ix
from inexact.circuits import stuck_at
from inexact.core.errors import FaultError, SpecError
from inexact.reliability import ChipFault, Subject, faults
from inexact.reliability._broken import ElementFault, placements, with_broken_element, with_stuck_unit
from inexact.units.stuck_at import netlist_of


def subject(multiplier: str = "trunc(cut=4,signed=true)", *, second: str = "") -> tuple[Subject, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(3, 2, 6, 6)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    rule = ix.nn.Rule(multiplier=multiplier, coding="signed")
    plan = ix.Plan({"0": rule, "3": rule.but(multiplier=second)} if second else {"0": rule, "3": rule})
    net = ix.approximate(model, plan, calibrate=[(x, torch.zeros(3))])
    return Subject.of(net, x), x


def member(spec: str) -> ChipFault:
    found = faults.get(spec)
    assert isinstance(found, ChipFault)
    assert found.persistence == "permanent"
    assert faults.get(found.spec) == found
    return found


def test_specs() -> None:
    assert member("pe_stuck_at(bits=7,element=(0,0))").spec == "pe_stuck_at(register=product,bits=(7,),element=0)"
    assert member("pe_stuck_at(register=sum,values=1)").spec == "pe_stuck_at(register=sum,values=(1,))"
    assert member("unit_stuck_at(nets='y[3]',layers='0')").spec == "unit_stuck_at(nets=('y[3]',),layers=('0',))"


@pytest.mark.parametrize(
    ("register", "tensor", "bits"), [("product", "product", 16), ("sum", "accumulator", 32), ("weight", "register", 8)]
)
def test_registers_of_all_elements(register: str, tensor: str, bits: int) -> None:
    found, _ = subject()
    population = member(f"pe_stuck_at(register={register})").population(found)
    assert len(population) == 2 * bits
    assert {stratum.size for stratum in population} == {256}
    assert {stratum.tensor for stratum in population} == {tensor}
    assert sorted({stratum.bit for stratum in population if stratum.bit is not None}) == list(range(bits))


def test_a_site_of_a_register() -> None:
    found, x = subject()
    fault = member("pe_stuck_at(bits=13,values=1,layers='0',dataflow=weight_stationary)")
    (stratum,) = fault.population(found)
    site = fault.site(found, stratum, 33)
    assert (site.index, site.bit, site.kind, site.tensor, site.layer, site.persistence) == (
        (2, 1),
        13,
        "stuck1",
        "product",
        "",
        "permanent",
    )
    where = placements(found.net, "edge-16x16", ["0"], dataflow="weight_stationary")
    expected = with_broken_element(found.net, where, ElementFault(row=2, column=1, value=1, bit=13))
    assert torch.equal(fault.faulty(found, site)(x), expected(x))
    assert not torch.equal(expected(x), found.net(x))
    one = member("pe_stuck_at(bits=13,values=1,element=(2,1))")
    assert [stratum.size for stratum in one.population(found)] == [1]
    assert one.site(found, one.population(found)[0], 0).index == (2, 1)


def test_nets_of_all_multipliers() -> None:
    found, x = subject()
    fault = member("unit_stuck_at")
    circuit = netlist_of(ix.units.get("trunc(cut=4,signed=true)"))
    assert circuit is not None
    listed = stuck_at.faults(circuit, branches=False)
    zero, one = fault.population(found)
    assert (zero.size, one.size) == tuple(sum(f.value == value for f in listed) for value in (0, 1))
    site = fault.site(found, one, 100)
    name = stuck_at.name_of(circuit, [f for f in listed if f.value == 1][100])
    assert torch.equal(fault.faulty(found, site)(x), with_stuck_unit(found.net, ["0", "3"], name, 1)(x))
    assert member("unit_stuck_at(branches=true)").population(found)[0].size > zero.size


def test_a_net_of_one_element() -> None:
    found, x = subject()
    fault = member("unit_stuck_at(nets='y[12]',values=0,element=(1,2),dataflow=output_stationary)")
    (stratum,) = fault.population(found)
    where = placements(found.net, "edge-16x16", ["0", "3"], dataflow="output_stationary")
    expected = with_broken_element(found.net, where, ElementFault(row=1, column=2, value=0, bit=12))
    assert torch.equal(fault.faulty(found, fault.site(found, stratum, 0))(x), expected(x))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pe_stuck_at(register=carry)", r"register must be one of product, sum, activation, weight, not 'carry'"),
        ("pe_stuck_at(values=2)", r"values must be 0, 1 or both, as in \(0,1\), not 2"),
        ("pe_stuck_at(element=(1,2,3))", r"element must be a row and a column, as in \(0,3\), not \(1, 2, 3\)"),
        ("pe_stuck_at(bits=-1)", "bits must be different bit numbers"),
        ("unit_stuck_at(nets=7)", "nets must be names"),
    ],
)
def test_specs_that_mean_nothing(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        faults.get(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pe_stuck_at(bits=16)", r"bits of a product register must be 0\.\.15, as it has 16 bits, not 16"),
        ("pe_stuck_at(element=(16,0))", r"rows 0\.\.15 and columns 0\.\.15 of the array, not at \(16, 0\)"),
        ("pe_stuck_at(dataflow=input_stationary)", "dataflow must be one that edge-16x16 runs"),
        ("unit_stuck_at(element=(0,99))", r"not at \(0, 99\)"),
        ("unit_stuck_at(layers='7')", "none is called '7'"),
    ],
)
def test_faults_that_a_network_cannot_have(spec: str, message: str) -> None:
    found, _ = subject()
    with pytest.raises(FaultError, match=message):
        member(spec).population(found)


def test_nets_that_are_not_there() -> None:
    found, _ = subject()
    fault = member("unit_stuck_at(nets='n9999',values=1)")
    with pytest.raises(FaultError, match="has no net 'n9999'"):
        fault.faulty(found, fault.site(found, fault.population(found)[0], 0))
    table = ix.units.from_table(ix.units.get("exact(signed=true)").table(), signed=True)
    with pytest.raises(FaultError, match="has no netlist whose nets could be stuck; name bits"):
        member("unit_stuck_at").population(subject(table.spec)[0])
    with pytest.raises(FaultError, match="nets belong to one multiplier, but these layers have"):
        member("unit_stuck_at").population(subject(second="exact(signed=true)")[0])
