"""Elements around reconfigurable multipliers whose mode comes with the weight: their energy, area and control bits."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from inexact import hardware, units
from inexact.core.errors import HardwareError
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware import _modes, _pe
from inexact.hardware._mapping import travelling_bits, weight_bits

LVRM = tuple(unit.spec for unit in units.get("lvrm").modes().values())
PN = tuple(unit.spec for unit in units.get("pn").modes().values())


def workload(modes: tuple[tuple[str, float], ...], mode_bits: float = 2.0) -> Workload:
    arithmetic = Arithmetic(multiplier=modes[0][0], coding="sign_magnitude", modes=modes, mode_bits=mode_bits)
    layer = LayerWorkload.square("c", 8, in_channels=16, out_channels=32, kernel=3, arithmetic=arithmetic)
    return Workload(network="one", layers=(layer,))


def energies(cost: hardware.Cost) -> dict[str, float]:
    return {name: estimate.value for name, estimate in cost.energy_pj.by_component.items()}


def test_energy_is_that_of_the_modes_by_their_shares() -> None:
    edge = hardware.load("edge-16x16")
    pure = [energies(edge.evaluate(workload(((spec, 1.0),))))["multipliers"] for spec in LVRM]
    assert pure[0] > pure[1] > pure[2]
    mixed = energies(edge.evaluate(workload(((LVRM[0], 0.25), (LVRM[2], 0.75)))))["multipliers"]
    assert mixed == pytest.approx(0.25 * pure[0] + 0.75 * pure[2])


@pytest.mark.parametrize(("modes", "signs"), [(PN, True), (PN, False), (LVRM, True)])
def test_shipped_figures_are_those_of_the_whole_circuit(modes: tuple[str, ...], signs: bool) -> None:
    cost = _modes.switched_cost(((modes[0], 1.0),), signs=signs)
    exact = _pe.element_cost("exact", signs=signs)
    assert cost.verified
    assert "netlist of all modes with the mode set" in cost.source
    assert 1 < cost.multiplier.area / exact.multiplier.area < 1.07
    assert 1 < cost.multiplier.energy / exact.multiplier.energy < 1.25  # switches cost energy in the exact mode
    last = _modes.switched_cost(((modes[2], 1.0),), signs=signs)
    assert last.multiplier.energy < exact.multiplier.energy
    assert (last.multiplier.area, last.delay) == (cost.multiplier.area, cost.delay)


@pytest.mark.slow
def test_shipped_figures_are_what_synthesis_gives() -> None:
    pytest.importorskip("pyosys")
    for signs in (False, True):
        for spec in (PN[1], LVRM[2]):
            unit = units.get(spec)
            operands = functools.partial(_modes.mode_operands, unit, signs, "network_b_held")
            made = _pe.synthesised(unit, unit.switched_circuit(), operands, signs=signs, how="here")
            held = _modes.switched_cost(((spec, 1.0),), signs=signs, regime="network_b_held")
            assert made is not None
            assert held.multiplier.energy == pytest.approx(made.multiplier.energy, abs=1e-5)
            assert held.adder.energy == pytest.approx(made.adder.energy, abs=1e-5)
            assert held.multiplier.area == pytest.approx(made.multiplier.area, abs=1e-3)
            assert held.register_bit.energy == pytest.approx(made.register_bit.energy, abs=1e-6)


def test_control_bits_travel_and_are_stored_with_the_weights() -> None:
    edge = hardware.load("edge-16x16")
    (plain,), (with_modes,) = (workload(((LVRM[0], 1.0),), mode_bits=bits).layers for bits in (0.0, 2.0))
    assert weight_bits(with_modes) == weight_bits(plain) + 2
    assert travelling_bits(with_modes)[1] == travelling_bits(plain)[1] + 2
    without, beside, shared = (energies(edge.evaluate(workload(((LVRM[0], 1.0),), mode_bits=bits))) for bits in (0.0, 2.0, 2 / 144))
    assert beside["registers"] > shared["registers"] > without["registers"]
    weights = 16 * 32 * 9
    rate = edge.rates.dram_bit[0]
    assert beside["dram"] - without["dram"] == pytest.approx(2 * weights * rate)
    assert shared["dram"] - without["dram"] == pytest.approx(2 * 32 * rate)


def test_area_is_that_of_the_whole_circuit_and_of_registers_for_its_code() -> None:
    edge = hardware.load("edge-16x16")
    exact = Workload(
        network="one",
        layers=(
            dataclasses.replace(
                workload(((LVRM[0], 1.0),)).layers[0], arithmetic=Arithmetic(multiplier="exact(width=(8,8))", coding="sign_magnitude")
            ),
        ),
    )
    switched, plain = (edge.evaluate(load).area_um2.by_component for load in (workload(((LVRM[2], 1.0),)), exact))
    array = ("multipliers", "adders", "registers", "unit_selection")
    ratio = sum(switched[name].value for name in array) / sum(plain[name].value for name in array)
    assert 1.015 < ratio < 1.06
    assert switched["unit_selection"].value == 0
    assert switched["registers"].value / plain["registers"].value == pytest.approx(50 / 48)


def test_circuits_that_are_not_shipped_are_synthesised_or_else_modelled(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = tuple(unit.spec for unit in units.get("lvrm(first=1,second=2,width=(4,4))").modes().values())
    monkeypatch.setattr(_pe, "_can_synthesise", lambda: False)
    _modes._one_mode.cache_clear()
    _modes.switched_cost.cache_clear()
    found = _modes.switched_cost(((modes[2], 1.0),))
    assert not found.verified
    assert "switches of modes by the gate-count model" in found.source
    assert found.model[0] <= found.multiplier.energy <= found.model[1]
    with pytest.raises(HardwareError, match=r"energy of the modes of lvrm under the operands of a layer must be measured .* with Yosys"):
        _modes.switched_cost(((modes[2], 1.0),), histograms=((1.0,) * 16, (1.0,) * 64))
    monkeypatch.undo()
    _modes._one_mode.cache_clear()
    _modes.switched_cost.cache_clear()


def test_measured_operands_of_weights_with_modes() -> None:
    """Weights in mode 2 alone, then in the exact mode: the same operands, less energy."""
    pytest.importorskip("pyosys")
    unit = units.get("lvrm(first=2,second=3,width=(4,4))")
    spec = next(iter(unit.modes().values())).spec
    codes = tuple(1.0 + code % 3 for code in range(16))

    def energy(*blocks: float) -> float:
        joint = tuple(block * share for block in (*blocks, 0.0) for share in codes)
        return _modes.switched_cost(((spec, 1.0),), regime="network_b_held", histograms=(codes, joint)).multiplier.energy

    assert 0 < energy(0, 0, 1) < energy(0.5, 0, 0.5) < energy(1, 0, 0)
