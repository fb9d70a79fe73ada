"""Sweeps of a supply: accuracy over chips, energies of what is lowered, costs of policies."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inexact import hardware
from inexact.core.errors import FaultError
from inexact.nn import ApproxModel, Plan, approximate, workload
from inexact.reliability import ArraySettings, array_sweep, faults, memory_sweep
from inexact.reliability.sram_voltage import SramVoltage

MACHINE = hardware.load("edge-16x16")


def subject(plan: Plan) -> tuple[ApproxModel, list[tuple[torch.Tensor, torch.Tensor]]]:
    torch.manual_seed(5)
    x = torch.rand(40, 2, 6, 6, generator=torch.Generator().manual_seed(6))
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).eval()
    return approximate(net, plan, calibrate=x), [(x, net(x).argmax(1))]


def fault(spec: str) -> SramVoltage:
    found = faults.get(spec)
    assert isinstance(found, SramVoltage)
    return found


def test_memories_lose_accuracy_and_the_square_of_their_voltage() -> None:
    net, data = subject(Plan(precision="int8"))
    points = memory_sweep(
        net,
        data,
        data,
        MACHINE,
        workload(net),
        [fault("sram_voltage(voltage=1)"), fault("sram_voltage(voltage=0.8,memory=both)")],
        chips=4,
    )
    cost = MACHINE.evaluate(workload(net))
    weights, inputs = (cost.components[name][0] for name in ("weight_buffer", "activation_buffer"))
    assert points[0].drop.mean == points[0].drop.low == 0.0
    assert points[1].drop.mean > 3.0
    assert points[0].energy["lowered"].value == pytest.approx(weights)
    assert points[1].energy["lowered"].value == pytest.approx(0.64 * (weights + inputs))
    saved = 0.36 * (weights + inputs)
    assert points[1].energy["with_dram"].value == pytest.approx(cost.energy_pj.total.value - saved)
    assert points[1].saved["with_dram"].value == pytest.approx(100 * saved / cost.energy_pj.total.value)
    assert points[1].saved["array"].value == 0.0
    assert points[1].to_json()["top1"]["chips"] == 4


def test_too_few_chips_are_refused() -> None:
    net, data = subject(Plan(precision="int8"))
    with pytest.raises(FaultError, match=r"needs at least 2 of them, not 1"):
        memory_sweep(net, data, data, MACHINE, workload(net), [fault("sram_voltage")], chips=1)


PLAN = Plan(precision="int(a_bits=4,b_bits=4)", multiplier="exact(width=4)")


def sweep(policy: str, **values: object) -> list[dict[str, object]]:
    net, data = subject(PLAN)
    settings = ArraySettings(voltages=(1.1, 0.75), layers=values.pop("layers", {}), policy=policy, **values)  # type: ignore[arg-type]
    return [point.to_json() for point in array_sweep(net, data, MACHINE, workload(net), settings)]


def array_energy(point: dict[str, object]) -> float:
    return float(point["energy_pj"]["lowered"]["value"])  # type: ignore[index]


def test_the_array_costs_the_square_of_its_voltage_and_what_the_policy_spends() -> None:
    plain, dropping, boosted = (sweep(policy) for policy in ("none", "te_drop", "boost"))
    assert plain[0]["late_share"] == 0.0
    late = plain[1]["late_share"]
    assert isinstance(late, float)
    assert 0 < late < 0.2
    # switching falls by (0.75 / 1.1)^2 = 0.465, leakage by 0.68
    assert 0.465 * array_energy(plain[0]) < array_energy(plain[1]) < 0.68 * array_energy(plain[0])
    assert array_energy(dropping[1]) == pytest.approx(1.03 * array_energy(plain[1]))
    per_layer = plain[1]["late_share_by_layer"]
    assert isinstance(per_layer, dict)
    assert array_energy(plain[1]) < array_energy(boosted[1]) < array_energy(plain[1]) * (1 + max(per_layer.values()) * 1.16)
    assert boosted[1]["drop_int8"] == 0.0
    assert boosted[1]["energy_pj"]["lowered"]["verified"] is False  # type: ignore[index]
    assert dropping[1]["dropped_share"] > 0  # type: ignore[operator]


def test_layers_may_keep_a_voltage_of_their_own() -> None:
    (_, whole), (_, kept) = sweep("none"), sweep("none", layers={"0": 1.1})
    assert kept["voltages"] == {"0": 1.1, "3": 0.75}
    assert kept["late_share_by_layer"]["0"] == 0.0  # type: ignore[index]
    assert kept["late_share_by_layer"]["3"] == whole["late_share_by_layer"]["3"] or kept["late_share_by_layer"]["3"] > 0  # type: ignore[index]
    assert array_energy(kept) > array_energy(whole)
    with pytest.raises(FaultError, match=r"a layer with a voltage of its own must be one of 0, 3, not 'conv\*'"):
        sweep("none", layers={"conv*": 1.0})
