"""Elements for numbers that are not integers, and for blocks: what is asked for, what it costs, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from inexact import hardware
from inexact.circuits.synthesis import Yosys
from inexact.core.errors import HardwareError, InexactError
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware._layer import layer_energy
from inexact.hardware._pe import element_cost
from inexact.nn import Plan, approximate, workload


def synthesises() -> bool:
    try:
        with Yosys():
            return True
    except InexactError:
        return False


needs_yosys = pytest.mark.skipif(not synthesises(), reason="elements are synthesised with Yosys")

E2M1 = "float_mantissa(format=e2m1,multiplier=exact(width=2))"


def layer(arithmetic: Arithmetic) -> LayerWorkload:
    shape = {"in_channels": 48, "out_channels": 8, "in_h": 6, "in_w": 6, "out_h": 4, "out_w": 4, "kernel_h": 3, "kernel_w": 3}
    return LayerWorkload(name="conv", kind="conv", arithmetic=arithmetic, **shape)  # type: ignore[arg-type]


def planned(precision: str) -> LayerWorkload:
    network, x = nn.Sequential(nn.Conv2d(48, 8, 3)).eval(), torch.randn(2, 48, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (found,) = workload(approximate(network, Plan(precision=precision), calibrate=x)).multiplying
    return found


def test_sums_are_as_wide_as_they_can_become() -> None:
    # e4m3: products of 2 x 18 bits, 432 of them, a sign
    assert planned("e4m3").arithmetic.accumulator_bits == 36 + 9 + 1
    assert planned("e2m1").arithmetic.accumulator_bits == 8 + 9 + 1
    assert planned("int8").arithmetic.accumulator_bits == 32


def test_blocks_store_their_scales_and_keep_float_sums() -> None:
    found = planned("mxfp4_e2m1").arithmetic
    # 48 channels: a block of 32 and one of 16
    assert (found.a_stored_bits, found.b_stored_bits) == (4 + 16 / 48, 4 + 16 / 48)
    assert (found.system, found.block, found.accumulator_bits, found.a_bits) == ("e2m1", 32, 32, 4)
    assert planned("mxint8").arithmetic == replace(
        found, multiplier="exact(signed=true)", a_bits=8, b_bits=8, system="", a_stored_bits=8 + 1 / 3, b_stored_bits=8 + 1 / 3
    )


def test_blocks_are_added_in_float32() -> None:
    machine = hardware.load("edge-16x16")
    plain = Arithmetic(multiplier="exact(signed=true)", coding="signed")
    energies = [
        layer_energy(machine, layer(a), input_resident=False, output_resident=False).energy for a in (plain, replace(plain, block=32))
    ]
    blocks = 4 * 4 * 8 * 9 * 2
    more = energies[1]["adders"][0] - energies[0]["adders"][0]
    assert more == pytest.approx(blocks * (machine.rates.float_add[0] + 8 * machine.rates.add_bit[0]))
    assert all(energies[0][name] == energies[1][name] for name in energies[0] if name != "adders")


@needs_yosys
def test_elements_of_numbers_are_synthesised_with_the_adder_they_need() -> None:
    own, exact = element_cost(E2M1, regime="uniform"), element_cost("exact(signed=true,width=4)", regime="uniform")
    assert own.verified
    assert own.accumulator_bits == 9 + 12
    assert 0 < own.multiplier.area < 3 * exact.multiplier.area
    machine = hardware.load("edge-16x16")
    asked = Arithmetic(multiplier=E2M1, a_bits=4, b_bits=4, accumulator_bits=18, coding="signed", system="e2m1")
    found = layer_energy(machine, layer(asked), input_resident=False, output_resident=False)
    macs = layer(asked).macs
    held = element_cost(
        E2M1, regime="network_b_held" if found.mapping is not None and found.mapping.dataflow == "weight_stationary" else "network"
    )
    assert found.energy["multipliers"][0] == pytest.approx(macs * held.multiplier.energy * machine.rates.scale.multiplier[0])
    assert found.energy["adders"][0] == pytest.approx(macs * held.adder.energy * 18 / 21 * machine.rates.scale.adder[0])
    assert found.energy["zero_points"] == (0, 0, 0)


def test_sums_too_wide_to_build_are_refused() -> None:
    machine = hardware.load("edge-16x16")
    for precision in ("e5m2", "posit8_2", "mxfp8_e5m2"):
        with pytest.raises(HardwareError, match=r"the element of float_mantissa.* must be synthesised here.*at most 52 bits"):
            machine.evaluate(Workload(network="one", layers=(planned(precision),)))


def test_serial_elements_take_no_floats() -> None:
    with pytest.raises(HardwareError, match="have no place for float_mantissa"):
        hardware.load("stripes-like").evaluate(Workload(network="one", layers=(planned("e2m1"),)))
