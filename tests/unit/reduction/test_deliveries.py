"""Which deliveries of operands reductions leave, counted one by one, and what the account makes of them."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import HardwareError
from inexact.core.workload import LayerWorkload, Workload
from inexact.nn import ApproxLayer, ApproxModel, Plan, Rule, approximate
from inexact.nn._reduced import LayerView
from inexact.reduction import Work, reductions
from inexact.reduction._lanes import deliveries
from inexact.reduction.sign_termination import executed


def planned(model: nn.Module, images: Tensor, reduction: str, *layers: str, **rule: str) -> ApproxModel:
    chosen = Rule(coding="signed", reduction=reduction, **rule)
    return approximate(model, Plan({**dict.fromkeys(layers, chosen), "default": Rule(coding="signed")}), calibrate=images)


def seen(net: ApproxModel, name: str, x: Tensor) -> tuple[LayerView, Work]:
    """The layer's view of x, and its work on it."""
    layer = net.layers()[name]
    assert isinstance(layer, ApproxLayer)
    assert layer.reducer is not None
    view = LayerView.of(layer, x, layer(x))
    return view, layer.reducer.reduction.work(view, layer.reducer.threshold, layer.reducer.reduction.reduce(view, layer.reducer.threshold))


def test_an_operand_is_delivered_until_the_last_that_it_serves_ends() -> None:
    """5 windows of 3 channels, then of 1: lanes of 2, product by product."""
    generator = torch.Generator().manual_seed(2)
    groups = [torch.randint(0, 11, (5, channels), generator=generator) for channels in (3, 1)]
    wanted = {"a": 0.0, "b": 0.0}
    for group in groups:
        made = {"a": [0, 0], "b": [0, 0]}
        for name, counts in (("a", group), ("b", group.T)):  # an activation serves channels, a weight output positions
            for row, first, tap in itertools.product(counts, range(0, counts.shape[1], 2), range(10)):
                made[name][0] += any(tap < count for count in row[first : first + 2].tolist())
                made[name][1] += 1
            wanted[name] += made[name][0] / made[name][1] * group.numel() / 20
    found = deliveries([group.double() / 10 for group in groups], 2)
    assert found == pytest.approx((wanted["a"], wanted["b"]))


@torch.no_grad()
def test_terminated_windows_are_not_read(model: nn.Module, images: Tensor) -> None:
    view, work = seen(planned(model, images, "sign_termination(lanes=4)", "first"), "first", images[:3])
    ((channels, a),) = view.windows()
    done = executed(view, a, channels, 1)[0].double() / a.shape[1]
    assert work.a_reads == pytest.approx(float(done.reshape(len(a), 2, 4).amax(2).mean()))
    assert work.b_reads == pytest.approx(float(done.reshape(-1, 4, 8).amax(1).mean()))
    assert work.multiplications < min(work.a_reads, work.b_reads)


@torch.no_grad()
def test_zeros_are_not_delivered_when_lanes_skip_them(model: nn.Module, images: Tensor) -> None:
    for gate in ("true", "false"):
        view, work = seen(planned(model, images - 0.2, f"zero_skipping(operand=both,gate={gate})", "first"), "first", images - 0.2)
        ((channels, a),) = view.windows()
        a_live, b_live = float((a != 0).double().mean()), float((view.weights(channels) != 0).double().mean())
        wanted = (1.0, 1.0) if gate == "true" else (a_live * 12 / 8, b_live * 12 / 8)
        assert (work.a_reads, work.b_reads) == pytest.approx(wanted)
    _, only = seen(planned(model, images, "zero_skipping(gate=false)", "first"), "first", images)
    assert only.b_reads == 1


@torch.no_grad()
def test_bits_of_one_operand_are_left_out(model: nn.Module, images: Tensor) -> None:
    for operand, kept in (("activation", "b_reads"), ("weight", "a_reads")):
        _, work = seen(planned(model, images, f"bit_serial_termination(operand={operand})", "first"), "first", images)
        assert getattr(work, kept) == 1
        assert work.multiplications <= min(work.a_reads, work.b_reads) < 1


@torch.no_grad()
def test_outputs_that_are_not_computed(model: nn.Module, images: Tensor) -> None:
    view, work = seen(planned(model, images, "spatial_prediction(neighbours=3)", "first"), "first", images)
    shown = view.image(view.result)
    spatial = reductions.get("spatial_prediction(neighbours=3)")
    computed = ~spatial._zero(view)  # type: ignore[attr-defined]
    assert work.a_reads == pytest.approx(float(computed.any(1).double().mean()))  # 8 channels, one delivery
    rows = computed.transpose(0, 1).reshape(shown.shape[1], -1).reshape(shown.shape[1], -1, 16)
    assert work.b_reads == pytest.approx(float(rows.any(2).double().mean()))
    _, perforated = seen(planned(model, images, "output_perforation(every=3,pattern=both)", "first"), "first", images)
    assert (perforated.a_reads, perforated.b_reads) == pytest.approx((4 / 9, 4 / 9))
    wide = nn.Sequential(nn.Conv2d(3, 40, 1), nn.ReLU(), nn.Flatten(), nn.Linear(40 * 144, 2)).eval()
    _, pruned = seen(planned(wide, images, "filter_pruning(fraction=0.5)", "0"), "0", images)
    assert pruned.a_reads == pytest.approx(2 / 3)  # 20 filters take two deliveries of 16, 40 take three


def conv(**changes: Any) -> Workload:
    layer = LayerWorkload(
        name="one", kind="conv", in_channels=24, out_channels=40, in_h=14, in_w=14, out_h=14, out_w=14, kernel_h=3, kernel_w=3
    )
    return Workload(network="n", layers=(dataclasses.replace(layer, **changes),))


MACHINES = ["edge-16x16", "eyeriss-like", "stripes-like"]
SHARE = st.floats(0, 1)


@pytest.mark.parametrize("name", MACHINES)
def test_without_a_technique_the_account_is_that_of_the_plain_layer(name: str) -> None:
    machine = hardware.load(name)
    assert machine.evaluate(conv(a_reads=1.0, b_reads=1.0, kept_bits=0.0)) == machine.evaluate(conv())
    reduced = conv(a_reads=0.5, b_reads=0.5, kept_bits=9.0, executed=0.5)
    assert machine.evaluate(hardware.baseline(reduced)) == machine.evaluate(hardware.baseline(conv()))


@pytest.mark.parametrize("dataflow", ["weight_stationary", "output_stationary", "input_stationary"])
@settings(max_examples=20, deadline=None)
@given(a=SHARE, b=SHARE)
def test_only_operands_that_travel_are_saved(dataflow: str, a: float, b: float) -> None:
    """Buffers and registers fall by what is not delivered, and by nothing else."""
    machine = hardware.load("edge-16x16")
    machine = dataclasses.replace(machine, dataflows=(dataflow,))
    plain, found = machine.evaluate(conv()).layers[0], machine.evaluate(conv(a_reads=a, b_reads=b)).layers[0]
    mapping = plain.mapping
    assert mapping is not None
    assert mapping.dataflow == dataflow
    assert found.mapping == mapping
    saved = {name: plain.energy[name][0] - found.energy[name][0] for name in plain.energy}
    registers = 0.0
    for role, share in (("inputs", 1 - a), ("weights", 1 - b)):
        memory = machine.home(role)
        assert memory is not None
        bits = mapping.delivered.get(role, 0.0) * share
        assert saved.pop(memory.component) == pytest.approx(bits * memory.bank.read[0], abs=1e-6)
        if role in mapping.delivered:
            registers += plain.macs * 8 * share
    assert saved.pop("registers") == pytest.approx(registers * machine.rates.register_bit[0], abs=1e-6)
    assert all(value == pytest.approx(0, abs=1e-3) for name, value in saved.items() if not name.startswith(("leakage", "control")))


def test_what_is_kept_between_inputs_passes_the_dram() -> None:
    machine = hardware.load("edge-16x16")
    plain, found = machine.evaluate(conv()).layers[0], machine.evaluate(conv(kept_bits=64.0)).layers[0]
    assert found.energy["dram"][0] - plain.energy["dram"][0] == pytest.approx(14 * 14 * 40 * 64 * machine.rates.dram_bit[0])


def test_scratchpads_of_skipped_activations_are_not_read() -> None:
    machine = hardware.load("eyeriss-like")
    plain, found = machine.evaluate(conv()).layers[0], machine.evaluate(conv(a_reads=0.25)).layers[0]
    saved = plain.energy["scratchpads"][0] - found.energy["scratchpads"][0]
    assert saved == pytest.approx(plain.macs * 8 * 0.75 * machine.spad_bit_pj["input"] * machine.technology["sram_spread"].triple[0])
    assert found.energy["dram"] == plain.energy["dram"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a_reads": -0.1}, "a_reads of layer 'one' must be a finite number of at least 0, not -0.1"),
        ({"b_reads": float("inf")}, "b_reads of layer 'one' must be a finite number of at least 0, not inf"),
        ({"kept_bits": float("nan")}, "kept_bits of layer 'one' must be a finite number of at least 0, not nan"),
    ],
)
def test_shares_that_cannot_be_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        hardware.load("edge-16x16").evaluate(conv(**changes))
