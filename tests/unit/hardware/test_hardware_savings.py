from __future__ import annotations

import dataclasses
import itertools

import pytest

from inexact import hardware, units
from inexact.core.workload import CODINGS, Arithmetic, Workload
from inexact.hardware._savings import _extreme_ratio
from inexact.units.cost import relative_cost

ORDER = ("multiplier", "array", "on_chip", "with_dram")


def with_multiplier(network: Workload, spec: str) -> Workload:
    arithmetic = Arithmetic(multiplier=spec, coding="signed")
    return dataclasses.replace(network, layers=tuple(dataclasses.replace(layer, arithmetic=arithmetic) for layer in network.layers))


@pytest.mark.usefixtures("fake_units")
def test_savings_shrink_from_the_multiplier_to_the_whole_system(edge: hardware.Accelerator, network: Workload) -> None:
    found = hardware.savings(edge.evaluate(with_multiplier(network, "half")), edge.evaluate(hardware.baseline(network)))
    assert tuple(found) == ORDER
    values = [found[name].value for name in ORDER]
    assert values[0] == pytest.approx(50)
    assert values == sorted(values, reverse=True)
    for saving in found.values():
        assert saving.unit == "%"
        assert saving.verified is False
        assert "fake" not in saving.source
        assert "declared model for " in saving.source
        assert "multipliers" in saving.source
        assert saving.spread is not None
        assert saving.spread[0] <= saving.value <= saving.spread[1]


@pytest.mark.usefixtures("fake_units")
def test_the_spread_of_a_unit_widens_the_saving(edge: hardware.Accelerator, network: Workload) -> None:
    cost = edge.evaluate(with_multiplier(network, "half"))
    found = hardware.savings(cost, edge.evaluate(hardware.baseline(network)))
    # The fake unit costs 0.4 to 0.6 of the exact one; the constant of the exact one cancels at this boundary.
    assert found["multiplier"].spread == pytest.approx((40, 60))
    multipliers = cost.energy_pj.by_component["multipliers"]
    assert multipliers.spread is not None
    scale, half = edge.rates.scale.multiplier, multipliers.value
    assert multipliers.spread[0] == pytest.approx(half * scale[1] / scale[0] * 0.8)
    assert multipliers.spread[1] == pytest.approx(half * scale[2] / scale[0] * 1.2)
    assert "fake model" in multipliers.source


@pytest.mark.usefixtures("fake_units")
def test_a_free_multiplier_reaches_the_ceiling_and_nothing_passes_it(edge: hardware.Accelerator, network: Workload) -> None:
    reference = edge.evaluate(hardware.baseline(network))
    ceiling = hardware.ceiling(reference)
    free = hardware.savings(edge.evaluate(with_multiplier(network, "free")), reference)
    half = hardware.savings(edge.evaluate(with_multiplier(network, "half")), reference)
    assert ceiling["multiplier"].value == 100
    for name in ORDER[1:]:
        assert free[name].value == pytest.approx(ceiling[name].value)
        assert half[name].value < ceiling[name].value


def test_the_baseline_is_the_leanest_exact_design(edge: hardware.Accelerator, network: Workload) -> None:
    costs = {coding: edge.evaluate(hardware.baseline(network, coding=coding)).energy_pj.total.value for coding in CODINGS}
    leanest = hardware.leanest_baseline(edge, network)
    assert edge.evaluate(leanest).energy_pj.total.value == min(costs.values())
    assert leanest.layers[0].arithmetic.coding == min(costs, key=costs.__getitem__)
    assert {layer.arithmetic.multiplier for layer in leanest.layers} == {"exact"}


def test_extreme_ratios_equal_the_search_over_all_corners() -> None:
    choices = [[(1.0, 2.0), (0.2, 0.4), (3.0, 6.0)], [(4.0, 4.0), (1.0, 1.0), (9.0, 9.0)], [(0.0, 1.0), (0.0, 0.1), (0.0, 5.0)]]
    corners = [sum(e for e, _ in corner) / sum(b for _, b in corner) for corner in itertools.product(*choices)]
    assert _extreme_ratio(choices, largest=True) == pytest.approx(max(corners))
    assert _extreme_ratio(choices, largest=False) == pytest.approx(min(corners))


def test_a_baseline_keeps_shapes_and_drops_every_choice(network: Workload) -> None:
    column = Arithmetic(multiplier=None, a_bits=4, b_bits=2, accumulator_bits=16, coding="unsigned", correction_column=True)
    planned = dataclasses.replace(network, layers=tuple(dataclasses.replace(layer, arithmetic=column) for layer in network.layers))
    assert hardware.baseline(planned) == hardware.baseline(network) == network


def test_a_unit_without_a_netlist_is_charged_by_the_gate_count_model(edge: hardware.Accelerator, network: Workload) -> None:
    relative = relative_cost(units.get("voted")).energy
    planned = dataclasses.replace(
        network,
        layers=tuple(
            dataclasses.replace(layer, arithmetic=Arithmetic(multiplier="voted", coding="sign_magnitude")) for layer in network.layers
        ),
    )
    cost, reference = edge.evaluate(planned), edge.evaluate(hardware.baseline(network, coding="sign_magnitude"))
    multipliers = cost.energy_pj.by_component["multipliers"]
    assert multipliers.verified is False
    assert "gate-count model" in multipliers.source
    assert relative.value > 0
    assert hardware.savings(cost, reference)["with_dram"].verified is False


def test_the_signed_exact_unit_is_the_reference_too(edge: hardware.Accelerator, network: Workload) -> None:
    cost = edge.evaluate(with_multiplier(network, "exact(signed=true)"))
    assert cost.energy_pj == edge.evaluate(hardware.baseline(network)).energy_pj
    assert cost.energy_pj.total.verified is True
