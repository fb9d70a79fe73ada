"""Checks on trained networks, small: what they measure against the pieces they are made of."""

from __future__ import annotations

import pytest

import inexact as ix
from inexact import nn, recovery, zoo
from inexact.atlas.claims import Measured, kinds
from inexact.atlas.claims._networks import CALIBRATION

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
