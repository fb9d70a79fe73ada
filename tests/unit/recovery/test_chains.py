"""Chains of recoveries, what they refuse, and what they ask for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inexact.core.errors import DataError, PlanError, SpecError, UnknownNameError
from inexact.nn import ApproxLayer, Plan, Rule, approximate, planned_columns
from inexact.recovery import Chain, recover, recoveries

X = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, stride=2), nn.Flatten(), nn.Linear(54, 5)).eval()


def test_a_chain_is_a_spec() -> None:
    chain = recoveries.get("weight_tuning+ bias_correction(gain=true)")
    assert isinstance(chain, Chain)
    assert chain.spec == "weight_tuning + bias_correction(gain=true)"
    assert recoveries.get(chain.spec) == chain
    assert [stage.family_name for stage in chain.stages] == ["weight_tuning", "bias_correction"]
    assert recoveries.get("none").stages == (recoveries.get("none"),)


def test_later_stages_see_what_earlier_ones_did() -> None:
    net = approximate(network(), Plan(multiplier="trunc(cut=7)"), calibrate=X)
    chained = recover(net, "shared_column + bias_correction(gain=true)", data=X)
    whole = recover(net, "shared_column(gain=true)", data=X)
    with torch.no_grad():
        assert torch.equal(chained(X), whole(X))
    tuned = recover(net, "weight_tuning + bias_correction", data=X)
    first, original = tuned.layers()["0"], net.layers()["0"]
    assert isinstance(first, ApproxLayer)
    assert isinstance(original, ApproxLayer)
    assert not torch.equal(first.weight, original.weight)
    assert int(first.fold.abs().sum()) > 0


def test_stages_after_ranges_see_codes_under_the_new_ones() -> None:
    net = approximate(network(), Plan(multiplier="drum(k=3)"), calibrate=X - 0.5)
    alone = recover(net, "ranges(factors=(0.8,2.5,4.0))", data=X - 0.5)
    chained = recover(net, "ranges(factors=(0.8,2.5,4.0)) + bias_correction(gain=true,target=network)", data=X - 0.5)
    assert not torch.equal(alone.state_dict()["model.0.a_scale"], net.state_dict()["model.0.a_scale"])
    for name, value in alone.state_dict().items():
        assert torch.equal(value, chained.state_dict()[name]), name


def test_a_recovered_network_is_its_plan_and_its_state() -> None:
    net = approximate(network(), Plan({"0": Rule(multiplier="trunc(cut=7)"), "2": None, "4": "trunc(cut=6)"}), calibrate=X)
    fixed = recover(net, "weight_tuning + control_variate(columns=2)", data=X)
    fresh = approximate(network(), Plan.from_toml(fixed.plan.to_toml()))
    fresh.load_state_dict(fixed.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh(X), fixed(X))
    assert net.plan.rules["0"].recovery == "none"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("none + bias_correction", "none cannot be combined with another recovery: leave it out of 'none"),
        ("bias_correction + bias_correction", "bias_correction stands twice in .*: leave one out"),
        ("bias_correction + ranges", "ranges must come first in .*: what stands before it was found for other codes"),
        ("ranges + equalisation", "equalisation must come first in .*: what stands before it was found for other codes"),
        ("equalisation(alphas=(0.5,1.1))", r"alphas must be one or more numbers 0\.\.1, as in \(0.5,0.75\), not \(0.5, 1.1\)"),
        ("shared_column + control_variate", "shared_column and control_variate both set the correction columns: keep one in"),
        ("reconstruction + weight_tuning", "weight_tuning must come before reconstruction in .*: it maps the original weight codes"),
        ("bias_correction(target=net)", "target must be layer or network, not 'net'; did you mean 'network'"),
        ("bias_correction - none", "a spec must look like"),
        ("control_variate(columns=9)", "columns must be 1..8, not 9"),
        ("control_variate(bits=1)", "bits must be 2..16, not 1"),
        ("expected_error(histogram=chanel)", "histogram must be channel or layer, not 'chanel'; did you mean 'channel'"),
        ("ranges(rounds=5)", r"rounds must be 1\.\.4, not 5"),
        ("ranges(factors=(0.5,0))", r"factors must be one or more positive numbers, as in \(0.8,1.25\)"),
        ("reconstruction(reach=0)", "reach must be 1..255, not 0"),
    ],
)
def test_specs_that_are_refused(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        recoveries.get(spec)


def test_unknown_stages_suggest_a_near_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'reconstruction'"):
        recoveries.get("bias_correction + reconstrucion")


def test_data_that_are_needed() -> None:
    net = approximate(network(), "trunc(cut=7)", calibrate=X)
    with pytest.raises(DataError, match="bias_correction needs calibration inputs, at least 1: give data="):
        recover(net, "bias_correction")
    with pytest.raises(DataError, match="reconstruction needs at least 64 calibration inputs, but 40 came: give more"):
        recover(net, "bias_correction + reconstruction", data=X)
    with pytest.raises(DataError, match=r"the recovery of layer 0 needs calibration inputs: give data="):
        recover(net, "weight_tuning(weighted=true)")


def test_a_plan_without_emulated_layers_is_refused() -> None:
    net = approximate(network(), Plan({"0": None, "2": None, "4": None}), calibrate=X)
    with pytest.raises(
        PlanError, match="bias_correction needs a layer to correct, but the plan keeps every layer in float32: give one a rule"
    ):
        recover(net, "bias_correction", data=X)


def test_approximate_accumulators_refuse_reconstruction() -> None:
    plan = Plan(multiplier="trunc(cut=4)", accumulator="accumulator(adder=loa(low=4),width=24)")
    more = torch.cat([X, X])
    with pytest.raises(PlanError, match="reconstruction in layer 0 needs exact sums: leave the accumulator"):
        recover(approximate(network(), plan, calibrate=X), "reconstruction", data=more)


def test_planned_columns() -> None:
    assert planned_columns("none") == (False, 0, 0)
    assert planned_columns("ranges + shared_column(gain=true)") == (True, 0, 0)
    assert planned_columns("control_variate") == (False, 1, 8)
    assert planned_columns("control_variate(columns=3,bits=6) + bias_correction") == (False, 3, 6)


def test_a_single_factor_is_written_as_it_is_read() -> None:
    one = recoveries.get("ranges(factors=(4.0,))")
    assert one.spec == "ranges(factors=(4.0,))"
    assert recoveries.get(one.spec) == one
