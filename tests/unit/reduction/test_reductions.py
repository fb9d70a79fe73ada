"""Reductions in emulated layers: what they change, what they leave, and what they may not be combined with."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import FormatError, HardwareError, PlanError, SpecError, UnknownNameError
from inexact.nn import ApproxLayer, ApproxModel, Plan, Rule, approximate, workload
from inexact.nn._reduced import LayerView
from inexact.recovery import recover
from inexact.reduction import Prediction, Work, reductions
from inexact.reduction.bit_serial_termination import BitSerialTermination
from inexact.reduction.sign_termination import executed


def planned(model: nn.Module, images: Tensor, reduction: str, *layers: str, **rule: str) -> ApproxModel:
    chosen = Rule(reduction=reduction, **rule)
    return approximate(model, Plan({**dict.fromkeys(layers, chosen), "default": Rule(**rule)}), calibrate=images)


def plain(model: nn.Module, images: Tensor, **rule: str) -> ApproxModel:
    return approximate(model, Plan({"default": Rule(**rule)}), calibrate=images)


def layer_of(net: ApproxModel, name: str) -> ApproxLayer:
    layer = net.layers()[name]
    assert isinstance(layer, ApproxLayer)
    return layer


def measured(net: ApproxModel, name: str) -> Work:
    reducer = layer_of(net, name).reducer
    assert reducer is not None
    return reducer.measured


def codes(net: ApproxModel, name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Values of activation windows [P, groups, K] and weights [O, K] of a layer that sees x, in codes without zero points."""
    layer = layer_of(net, name)
    a = layer.a_quantiser().quantise(layer.padded(x)) - layer.a_zero
    b = (layer.b_quantiser().quantise(layer.weight) - layer.b_zero).reshape(layer.weight.shape[0], -1)
    return layer.unrolled(a), b


LOSSLESS = [
    "zero_skipping",
    "zero_skipping(operand=both,gate=false)",
    "weight_reuse",
    "sign_termination",
    "sign_termination(interval=4)",
    "bit_serial_termination",
    "bit_serial_termination(operand=activation)",
    "bound_termination(band=0)",
]


@pytest.mark.parametrize("reduction", LOSSLESS)
@torch.no_grad()
def test_exact_reductions_lose_nothing(model: nn.Module, images: Tensor, reduction: str) -> None:
    for coding in ("signed", "sign_magnitude"):
        net = planned(model, images, reduction, "first", "grouped", coding=coding)
        assert torch.equal(net(images), plain(model, images, coding=coding)(images))
        for name in ("first", "grouped"):
            assert 0 < measured(net, name).multiplications < 1
            assert measured(net, name).lost == 0


@torch.no_grad()
def test_skipped_zeros_are_counted_one_by_one(model: nn.Module, images: Tensor) -> None:
    net = planned(model, images, "zero_skipping(operand=both)", "first", coding="signed")
    a, b = codes(net, "first", images)
    live = (a[:, :1, :] != 0) & (b != 0)
    assert measured(net, "first").multiplications == pytest.approx(float(live.double().mean()))
    only = planned(model, images, "zero_skipping", "first", coding="signed")
    assert measured(only, "first").multiplications == pytest.approx(float((a != 0).double().mean()))
    lanes = planned(model, images, "zero_skipping(gate=false,lanes=4)", "first", coding="signed")
    counts = (a[:, 0] != 0).sum(1).double().reshape(-1, 4)
    slowest = float(counts.amax(1).repeat_interleave(4).mean()) / a.shape[2]
    assert measured(lanes, "first").time == pytest.approx(slowest)


@torch.no_grad()
def test_a_zero_is_the_code_and_not_the_value(model: nn.Module, images: Tensor) -> None:
    """With a zero point the array sees another code where the value is 0, and multiplies it."""
    centred = (images - 0.5).relu() - 0.25  # a quarter below zero: the value 0 occurs, and so does code 0
    net = planned(model, centred, "zero_skipping(operand=both)", "first", coding="unsigned", padding="multiplied")
    layer = layer_of(net, "first")
    assert float(layer.a_zero) != 0
    a, b = codes(net, "first", centred)
    live = (a[:, :1] + layer.a_zero != 0) & (b + layer.b_zero.reshape(-1, 1) != 0)
    assert measured(net, "first").multiplications == pytest.approx(float(live.double().mean()))
    assert measured(net, "first").multiplications != pytest.approx(float(((a[:, :1] != 0) & (b != 0)).double().mean()), abs=0.05)


@pytest.mark.parametrize("operand", ["weight", "activation"])
@torch.no_grad()
def test_a_bit_serial_window_ends_when_it_must_be_negative(model: nn.Module, images: Tensor, operand: str) -> None:
    """Against loops over bits with Python integers; a window that ends early is negative, whatever the bits that did not come."""
    found = reductions.get(f"bit_serial_termination(operand={operand})")
    assert isinstance(found, BitSerialTermination)
    net = planned(model, images, found.spec, "first", coding="signed")
    a, b = codes(net, "first", images)
    offset = torch.linspace(-4000, 4000, 8, dtype=torch.float64)
    taken = found.taken(a[:60, 0], b, offset, 8)
    ended = 0
    for p, o in itertools.product(range(60), range(8)):
        xs, ws = [int(v) for v in a[p, 0]], [int(v) for v in b[o]]
        wanted = 8
        for count in range(7, 0, -1):
            low = 2 ** (8 - count)  # of the bits that have not come
            if operand == "activation":
                most = sum((x // low * low + (low - 1 if w > 0 else 0)) * w for x, w in zip(xs, ws, strict=True))
            else:
                inverted = [(w % 256) ^ 255 for w in ws]  # bit 7 counts 128, the others against it, and -1 comes last
                most = sum(x * ((v & 128) - (v & 127) // low * low) for x, v in zip(xs, inverted, strict=True))
            if most + float(offset[o]) < 0:
                wanted = count
        assert int(taken[p, o]) == wanted
        if wanted < 8:
            ended += 1
            assert sum(x * w for x, w in zip(xs, ws, strict=True)) + float(offset[o]) < 0
    assert ended > 50
    share = found.taken(a[:, 0], b, LayerView.of(layer_of(net, "first"), images, layer_of(net, "first")(images)).offset, 8).double() / 8
    assert measured(net, "first").multiplications == pytest.approx(float(share.mean()))


def test_bit_serial_termination_needs_elements_that_take_bits(model: nn.Module, images: Tensor) -> None:
    on = {
        operand: planned(model, images, f"bit_serial_termination(operand={operand})", "first", coding="signed")
        for operand in ("weight", "activation")
    }
    for machine, operands in (("loom-like", ("weight", "activation")), ("stripes-like", ("activation",))):
        exact = hardware.load(machine).evaluate(workload(plain(model, images, coding="signed")))
        for operand in operands:
            cost = hardware.load(machine).evaluate(workload(on[operand]))
            share = measured(on[operand], "first").multiplications
            assert cost.layers[0].energy["multipliers"][0] == pytest.approx(share * exact.layers[0].energy["multipliers"][0])
    message = (
        r"reduction of layer 'first' must have the weight bit by bit, but the processing elements of (edge-16x16 are parallel|stripes-like)"
    )
    for machine in ("edge-16x16", "stripes-like"):
        with pytest.raises(HardwareError, match=message):
            hardware.load(machine).evaluate(workload(on["weight"]))


@torch.no_grad()
def test_upper_bits_are_those_of_the_code(model: nn.Module, images: Tensor) -> None:
    for coding in ("unsigned", "signed", "sign_magnitude"):
        layer = layer_of(planned(model, images - 0.5, "msb_prediction", "first", coding=coding), "first")
        view = LayerView.of(layer, images - 0.5, layer(images - 0.5))
        ((channels, a),) = view.windows()
        a_zero, b_zero = (zero.double() for zero in view.zero_points(channels))
        upper_a, upper_b = (a.double() + a_zero), (view.weights(channels).double() + b_zero)
        if coding == "sign_magnitude":
            upper_a, upper_b = (values.sign() * (values.abs() // 16) * 16 for values in (upper_a, upper_b))
        else:
            upper_a, upper_b = (values - values.remainder(16) for values in (upper_a, upper_b))
        wanted = (upper_b - b_zero) @ (upper_a - a_zero).T + view.offset[:, None]
        found = reductions.get("msb_prediction")
        assert isinstance(found, Prediction)
        assert torch.allclose(found.scores(view), wanted)


@torch.no_grad()
def test_a_window_ends_where_its_sum_turns_negative(model: nn.Module, images: Tensor) -> None:
    """The first windows worked through product by product."""
    net = planned(model, images, "sign_termination", "first", coding="signed")
    layer = layer_of(net, "first")
    a, b = codes(net, "first", images)
    assert layer.bias is not None
    offset = layer.bias.double() / (layer.a_scale.double() * layer.b_scale.double().reshape(-1))
    done = []
    for window, (o, row) in itertools.product(a[:40, 0], enumerate(b)):
        order = sorted(range(len(row)), key=lambda k: (row[k] < 0, float(row[k]) if row[k] < 0 else 0.0))
        total, count = float(offset[o]), 0
        for k in order:
            total += float(window[k] * row[k])
            count += 1
            if row[k] < 0 and total < 0:
                break
        done.append(count / len(row))
    found, _ = executed(LayerView.of(layer, images, layer(images)), a[:40, 0], slice(0, 8), 1)
    assert (found.double() / b.shape[1]).flatten().tolist() == pytest.approx(done)


@pytest.mark.parametrize("reduction", ["speculative_termination(group=4,budget=0.1)", "msb_prediction(budget=0.1)"])
@torch.no_grad()
def test_predictions_keep_their_budget_and_write_zeros(model: nn.Module, images: Tensor, reduction: str) -> None:
    net, exact = (planned(model, images, chosen, "first", "grouped", coding="signed") for chosen in (reduction, "none"))
    for name in ("first", "grouped"):
        assert 0 < measured(net, name).lost <= 0.1 + 1e-9
        assert measured(net, name).multiplications < 1
    before, after = layer_of(exact, "first")(images), layer_of(net, "first")(images)
    changed = before != after
    assert changed.any()
    assert not after[changed].any()
    kept = planned(model, images, reduction.replace("0.1", "0.0"), "first", coding="signed")
    assert measured(kept, "first").lost == 0
    assert torch.equal(torch.relu(layer_of(kept, "first")(images)), torch.relu(before))


@torch.no_grad()
def test_thresholds_travel_with_the_weights(model: nn.Module, images: Tensor) -> None:
    net = planned(model, images, "msb_prediction", "first", "grouped", coding="signed")
    fresh = approximate(model, net.plan)
    with pytest.raises(FormatError, match="must be calibrated"):
        fresh(images)
    fresh.load_state_dict(net.state_dict())
    assert torch.equal(fresh(images), net(images))


@pytest.mark.parametrize("spec", ["zero_skipping", "weight_reuse", "magnitude_pruning", "output_perforation", "msb_prediction"])
def test_files_of_weights_hold_numbers_alone(model: nn.Module, images: Tensor, spec: str) -> None:
    """What is not finite is refused when weights are read."""
    state = planned(model, images, spec, "first", coding="signed").state_dict()
    assert all(bool(torch.isfinite(value).all()) for value in state.values() if value.is_floating_point())


@torch.no_grad()
def test_a_correction_settles_thresholds_and_work_anew(model: nn.Module, images: Tensor) -> None:
    rule = {"coding": "sign_magnitude", "multiplier": "trunc(cut=6,width=(8,7))", "recovery": "bias_correction(gain=true)"}
    net = planned(model, images, "msb_prediction(budget=0.05)", "first", "grouped", **rule)
    repaired = recover(net, data=images)
    for name in ("first", "grouped"):
        before, after = layer_of(net, name), layer_of(repaired, name)
        assert before.reducer is not None
        assert after.reducer is not None
        assert not torch.equal(before.reducer.threshold, after.reducer.threshold)
        assert 0 < repaired.works()[name].lost <= 0.05 + 1e-9
    again = recover(repaired, data=images)
    assert again.works() == repaired.works()  # nothing of an earlier count is left


@torch.no_grad()
def test_pruned_weights_are_zero_and_stay_so(model: nn.Module, images: Tensor) -> None:
    for reduction, share in (("structured_sparsity", 0.5), ("magnitude_pruning(fraction=0.75)", 0.25), ("filter_pruning", 0.75)):
        net = planned(model, images, reduction, "branch", coding="signed")
        layer = layer_of(net, "branch")
        assert float((layer.weight != 0).double().mean()) == pytest.approx(share)
        assert measured(net, "branch").multiplications == pytest.approx(share, abs=0.05)
        with torch.enable_grad():
            net(images).square().sum().backward()
        assert layer.weight.grad is not None
        assert (layer.weight.grad[layer.weight == 0] == 0).all()
    rows = layer_of(planned(model, images, "structured_sparsity", "grouped", coding="signed"), "grouped").weight.reshape(8, -1)
    groups = (rows[:, : rows.shape[1] // 4 * 4] != 0).reshape(8, -1, 4).sum(2)
    assert (groups == 2).all()
    source = model.get_submodule("branch").weight
    assert isinstance(source, Tensor)
    assert int((source == 0).sum()) == 0  # the network itself is untouched


@torch.no_grad()
def test_neighbours_predict_and_fill_in(model: nn.Module, images: Tensor) -> None:
    exact = plain(model, images, coding="signed")
    before = layer_of(exact, "first")(images)
    net = planned(model, images, "spatial_prediction", "first", coding="signed")
    after = layer_of(net, "first")(images)
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
    first = (rows + columns) % 2 == 0
    assert torch.equal(before[..., first], after[..., first])
    for n, o, i, j in ((0, 0, 1, 2), (3, 5, 0, 1), (7, 2, 5, 4)):
        beside = [before[n, o, y, x] for y, x in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)) if 0 <= y < 6 and 0 <= x < 6]
        assert after[n, o, i, j] == (0 if all(value <= 0 for value in beside) else before[n, o, i, j])
    perforated = planned(model, images, "output_perforation(every=3,pattern=both)", "first", coding="signed")
    filled = layer_of(perforated, "first")(images)
    places = torch.tensor([0, 1, 1, 3, 4, 4])
    assert torch.equal(filled, before[:, :, places][..., places])
    assert measured(perforated, "first").multiplications == pytest.approx(4 / 9)
    between = planned(model, images, "output_perforation(every=3,fill=linear)", "first", coding="signed")
    filled = layer_of(between, "first")(images)
    assert torch.equal(filled[:, :, (0, 1, 3, 4)], before[:, :, (0, 1, 3, 4)])
    assert torch.equal(filled[:, :, 2], (before[:, :, 1] + before[:, :, 3]) / 2)
    assert torch.equal(filled[:, :, 5], before[:, :, 4])
    assert measured(between, "first").checks == pytest.approx(1 / 3 / 27)


@torch.no_grad()
def test_all_three_families_compose(model: nn.Module, images: Tensor) -> None:
    """Narrow operands, an approximate unit that is wrong on zero, and a reduction that leaves these products out."""
    rule = {"precision": "w6a6", "coding": "sign_magnitude", "multiplier": "roba(width=(6,5))"}
    net = planned(model, images, "zero_skipping(operand=both)", "first", **rule)
    layer = layer_of(net, "first")
    assert (layer.table[0] == 0).all()
    assert (layer.table[:, 0] == 0).all()
    a, b = codes(net, "first", images)
    assert measured(net, "first").multiplications == pytest.approx(float(((a[:, :1] != 0) & (b != 0)).double().mean()))
    one = workload(net).layers[0]
    assert (one.arithmetic.multiplier, one.arithmetic.a_bits) == ("roba(width=(6,5))", 6)
    assert one.executed == pytest.approx(measured(net, "first").multiplications)


def test_what_is_left_is_what_is_charged(model: nn.Module, images: Tensor) -> None:
    machine = hardware.load("edge-16x16")
    exact = workload(plain(model, images, coding="signed"))
    before = machine.evaluate(exact)
    again = machine.evaluate(workload(planned(model, images, "none", "first", coding="signed")))
    assert again == before
    layers = list(exact.layers)
    layers[0] = dataclasses.replace(layers[0], executed=0.5, added=0.75, busy=0.25, stored=0.5, checks=0.1)
    after = machine.evaluate(dataclasses.replace(exact, layers=tuple(layers)))
    old, new = before.layers[0], after.layers[0]
    assert new.energy["multipliers"][0] == pytest.approx(old.energy["multipliers"][0] / 2)
    assert new.energy["adders"][0] == pytest.approx(old.energy["adders"][0] * 0.75)
    saved = layers[0].macs * 32 * 0.25 * machine.rates.register_bit[0]
    assert old.energy["registers"][0] - new.energy["registers"][0] == pytest.approx(saved)
    assert new.energy["reduction_control"][0] == pytest.approx(layers[0].macs * 0.1 * 32 * machine.rates.add_bit[0])
    assert new.energy["weight_buffer"][0] == pytest.approx(old.energy["weight_buffer"][0] / 2)
    assert after.layers[2].energy == before.layers[2].energy
    assert hardware.baseline(dataclasses.replace(exact, layers=tuple(layers)), coding="signed") == hardware.baseline(exact, coding="signed")


@pytest.mark.parametrize(
    ("reduction", "layer", "rule", "message"),
    [
        ("sign_termination", "branch", {"coding": "signed"}, r"sign_termination in layer branch must be followed by a ReLU alone"),
        ("sign_termination", "first", {"coding": "unsigned"}, r"must see products with signs: use coding 'signed' or 'sign_magnitude'"),
        ("weight_reuse", "first", {"coding": "signed", "multiplier": "trunc(cut=3,signed=true)"}, r"which only an exact unit allows"),
        ("zero_skipping", "first", {"coding": "unsigned", "multiplier": "trunc(cut=3)"}, r"codes whose zero is elsewhere"),
        ("structured_sparsity", "first", {"coding": "unsigned"}, r"leaves out weights of value 0, whose code must be 0"),
        ("msb_prediction", "first", {"coding": "signed", "precision": "w4a8"}, r"at least 5 bits, not 8 and 4"),
        ("msb_prediction", "first", {"precision": "int(requantisation=integer)"}, r"must have float requantisation"),
        ("spatial_prediction", "head", {"coding": "signed"}, r"must be followed by a ReLU alone"),
        (
            "output_perforation",
            "head",
            {"coding": "signed"},
            r"output_perforation in layer head goes by neighbouring outputs, .* leave the layer's reduction away",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    model: nn.Module, images: Tensor, reduction: str, layer: str, rule: dict[str, str], message: str
) -> None:
    with pytest.raises((PlanError, FormatError), match=message):
        planned(model, images, reduction, layer, **rule)


@pytest.mark.parametrize("coding", ["signed", "sign_magnitude"])
def test_negative_activations_are_refused(model: nn.Module, images: Tensor, coding: str) -> None:
    with pytest.raises(PlanError, match="must have activations that are not negative, but calibration saw negative ones"):
        planned(model, images - 0.5, "sign_termination", "first", coding=coding)


@pytest.mark.parametrize(
    "spec",
    [
        "zero_skipping(operand=none)",
        "magnitude_pruning(fraction=2)",
        "structured_sparsity(n=4,m=4)",
        "sign_termination(interval=0)",
        "msb_prediction(bits=0)",
        "speculative_termination(budget=-1)",
        "output_perforation(every=1)",
        "output_perforation(fill=cubic)",
        "bit_serial_termination(operand=both)",
        "spatial_prediction(neighbours=4)",
    ],
)
def test_bad_parameters_are_refused(spec: str) -> None:
    with pytest.raises(SpecError):
        reductions.get(spec)


def test_every_reduction_has_a_spec_that_reads_back() -> None:
    for name, member in reductions.items():
        assert reductions.get(name) == member()
        assert reductions.get(member().spec) == member()
        assert issubclass(member, Prediction) <= member.needs_rectifier
    with pytest.raises(UnknownNameError, match="did you mean 'zero_skipping'"):
        Rule(reduction="zero_skiping")
