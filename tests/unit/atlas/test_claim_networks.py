"""Checks on trained networks, small: what they measure against the pieces they are made of."""

from __future__ import annotations

import numpy as np
import pytest

import inexact as ix
from inexact import hardware, nn, recovery, zoo
from inexact.atlas.claims import Measured, kinds
from inexact.atlas.claims._networks import CALIBRATION
from inexact.core.errors import ClaimError
from inexact.reliability import ElementFault, placements, with_broken_element

pytestmark = pytest.mark.slow
WHERE = {"network": "lenet5", "data": "fashion-mnist"}
TRUNCATED = {"default": {"multiplier": "trunc(cut=8)", "coding": "unsigned", "recovery": "shared_column"}}
SKIPPING = {"default": {"coding": "sign_magnitude"}, "fc*": {"coding": "sign_magnitude", "reduction": "zero_skipping"}}


def measured(kind: str, **parameters: object) -> Measured:
    return kinds[kind](**WHERE, **parameters)()


def planned(plan: ix.Plan) -> nn.ApproxModel:
    calibration = zoo.data("fashion-mnist", "validation", CALIBRATION)
    return recovery.recover(ix.approximate(zoo.network("lenet5"), plan, calibrate=calibration), data=calibration)


def test_a_drop_is_that_of_evaluate() -> None:
    net = planned(ix.Plan(multiplier="trunc(cut=8)", coding="unsigned", recovery="shared_column"))
    expected = ix.evaluate(net, zoo.data("fashion-mnist", "test", 300), reference=zoo.network("lenet5"))
    found = measured("network_drop", rules=TRUNCATED, images=300)
    assert expected.drop_ci is not None
    assert (found.value, found.low, found.high) == pytest.approx((expected.drop, *expected.drop_ci))
    assert measured("network_drop", rules=TRUNCATED, images=300, shows="top1").value == pytest.approx(expected.top1)


def test_work_left_weighs_layers_by_their_products() -> None:
    net = planned(
        ix.Plan({"default": nn.Rule(coding="sign_magnitude"), "fc*": nn.Rule(coding="sign_magnitude", reduction="zero_skipping")})
    )
    macs = {layer.name: layer.macs for layer in nn.workload(net).multiplying}
    works = net.works()
    removed = sum(macs[name] * (1 - work.multiplications) for name, work in works.items())
    assert measured("work_left", rules=SKIPPING).value == pytest.approx(100 * removed / sum(macs.values()))
    reduced = sum(macs[name] for name in works)
    assert measured("work_left", rules=SKIPPING, over="reduced", shows="products_ratio").value == pytest.approx(
        reduced / (reduced - removed)
    )


def test_equal_outputs_are_counted() -> None:
    plain = {"default": {"coding": "sign_magnitude"}}
    assert measured("same_outputs", rules=SKIPPING, reference=plain, images=100).value == 0
    assert measured("same_outputs", rules=TRUNCATED, reference=plain, images=100).value > 90


def test_the_exact_design_saves_nothing() -> None:
    assert measured("design_saving", rules={"default": {"coding": "unsigned"}}).value == pytest.approx(0, abs=1e-9)
    assert measured("design_saving", rules=TRUNCATED).value > 20


def test_a_metric_ranks_no_better_than_itself() -> None:
    targets = tuple(f"trunc(cut={cut})" for cut in range(2, 10))
    found = measured("metric_ranking", better="mae", worse="mae", targets=targets, images=100)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_training_alike_makes_no_difference() -> None:
    once = "finetune(rate=0.001)"
    found = measured("training_difference", rules=TRUNCATED, better=once, worse=once, train_images=64, images=100, seeds=2)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_broken_elements_are_those_of_reliability() -> None:
    net = planned(ix.Plan(coding="signed"))
    machine = hardware.load("edge-16x16")
    where = placements(net, machine, net.layers(), dataflow="weight_stationary")
    test = zoo.data("fashion-mnist", "test", 60)
    whole = ix.evaluate(net, test).top1
    places = np.random.default_rng(3).integers(0, (16, 16), (2, 2)).tolist()
    lost = [
        whole - ix.evaluate(with_broken_element(net, where, ElementFault(row=row, column=column, bit=14, value=1)), test).top1
        for row, column in places
    ]
    found = measured("broken_element", rules={"default": {"coding": "signed"}}, elements=2, images=60, seed=3)
    assert found.value == pytest.approx(sum(lost) / 2)
    assert found.value > 20
    passed_by = measured("broken_element", rules={"default": {"coding": "signed"}}, elements=2, images=60, seed=3, switched_off=True)
    assert passed_by.value < 20


def test_a_memory_at_its_lowest_error_free_voltage_loses_nothing() -> None:
    common = {"rules": {"default": {"coding": "unsigned"}}, "chips": 2, "images": 60}
    found = measured("memory_voltage", **common, voltages=(1.0,), shows="drop")
    assert (found.value, found.low, found.high) == (0, 0, 0)
    saved = measured("memory_voltage", **common, voltages=(1.0, 0.95), within=100.0)
    assert saved.value == pytest.approx(100 * (1 - 0.95**2))


def test_flips_that_are_found_ruin_more_than_random_ones() -> None:
    common = {"rules": {"default": {"coding": "signed"}}, "images": 100, "runs": 2, "batch": 32}
    needed = measured("bit_flips", **common, shows="flips_to_ruin", flips=60)
    assert 1 <= needed.value < 60
    assert abs(measured("bit_flips", **common, shows="random_drop", flips=10).value) < 10
    assert measured("bit_flips", **common, shows="random_drop", flips=int(needed.value) + 1).value < 40  # far from ruin
    with pytest.raises(ClaimError, match="every attack must ruin the network within 1 flips"):
        measured("bit_flips", **common, shows="flips_to_ruin", flips=1)
