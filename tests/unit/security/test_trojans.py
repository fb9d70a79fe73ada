"""Trojans: netlist against table, bounds, rare operands against brute force, detectors, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import circuits, units
from inexact.core.errors import DataError, SpecError
from inexact.core.registry import Family
from inexact.nn import ApproxLayer, ApproxModel, Plan, approximate, divide_channels
from inexact.security._roc import roc
from inexact.security.leakage import Leakage, leakages
from inexact.security.record import Record
from inexact.security.trojans import Cube, Declaration, Payload, Trojan
from inexact.security.trojans._declaration import measured, rounded_up
from inexact.security.trojans._detector import Detector, Device, Golden, detectors
from inexact.security.trojans._search import most_harmful, payloads, rare_cubes
from inexact.security.trojans._streams import firings, pair_counts, with_unit
from inexact.security.trojans._variants import rewritten
from inexact.security.trojans.inspection import wire_probabilities
from inexact.security.trojans.patch import _patches, find_targeted, targeted_result
from inexact.security.trojans.silicon_tests import LeakagePower
from inexact.security.trojans.study import DetectionSettings, detection_study
from inexact.units import Multiplier
from inexact.zoo import Dataset

SMALL = units.get("trunc(cut=3,width=4)")
CUBE = Cube(care_a=15, value_a=13, care_b=9, value_b=8)


def images(count: int = 30) -> Dataset:
    pixels = torch.rand((count, 1, 8, 8), generator=torch.Generator().manual_seed(4))
    return Dataset(images=pixels, labels=torch.arange(count) % 3, name="made", split="test", classes=tuple("abc"), mirror=False)


def network(unit: str, coding: str = "sign_magnitude") -> ApproxModel:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3)).eval()
    return approximate(model, Plan(multiplier=unit, coding=coding, precision="int(granularity=per_channel)"), calibrate=images().images)


def golden(spec: str = "drum(k=5)") -> Golden:
    unit, net = units.get(spec), network(spec)
    return Golden(unit=unit, declaration=Declaration.of(unit), counts=pair_counts(net, images().images), net=net, images=images())


def circuit_of(unit: Multiplier) -> circuits.Circuit:
    found = unit.circuit()
    assert found is not None
    return found


@pytest.mark.parametrize("action", ["flip", "set", "clear"])
@pytest.mark.parametrize("spec", ["trunc(cut=3,width=4)", "exact(signed=true,width=4)"])
def test_the_netlist_computes_the_trojan_s_table(action: str, spec: str) -> None:
    unit = units.get(spec)
    host = circuit_of(unit)
    trojan = Trojan(trigger=CUBE, payload=Payload(action=action, mask=0b10100110))  # type: ignore[arg-type]
    expected = unit.table().astype(np.int64).copy()
    for a, b in itertools.product(range(16), range(16)):
        if a == 13 and b & 9 == 8:
            pattern = int(expected[a, b]) & 255
            pattern = {"flip": pattern ^ 0xA6, "set": pattern | 0xA6, "clear": pattern & ~0xA6}[action]
            expected[a, b] = pattern - 256 if unit.signed and pattern >= 128 else pattern
    assert np.array_equal(circuits.table(trojan.circuit(host)), expected)
    assert np.array_equal(trojan.table(unit.table(), host.output_bits, signed=unit.signed), expected)
    assert CUBE.literals == 6


def test_the_most_harmful_payload_is_that_and_keeps_every_bound() -> None:
    declaration = Declaration.of(SMALL)
    trojan = most_harmful(SMALL, CUBE, declaration)
    exact, width = SMALL.exact_table(), circuit_of(SMALL).output_bits
    kept = {}
    for payload in payloads(width):
        table = Trojan(trigger=CUBE, payload=payload).table(SMALL.table(), width, signed=False)
        if declaration.excess(measured(table, exact)) <= 1:
            kept[payload] = np.abs(table - SMALL.table()).sum()
    assert kept[trojan.payload] == max(kept.values()) > 0
    free = most_harmful(SMALL, CUBE, None)
    assert np.abs(free.table(SMALL.table(), width, signed=False) - SMALL.table()).sum() > max(kept.values())


def test_a_data_sheet_rounds_up() -> None:
    assert [rounded_up(value, 2) for value in (0.0, 465.2, 0.0288, 4000.0)] == [0.0, 470.0, 0.029, 4000.0]
    declaration = Declaration.of(SMALL, digits=3)
    assert declaration.excess(measured(SMALL.table(), SMALL.exact_table())) <= 1
    exact = Declaration.of(units.get("exact(width=4)"))
    assert exact.excess(measured(SMALL.table(), SMALL.exact_table())) == float("inf")


def test_counted_pairs_are_those_the_unit_multiplies() -> None:
    net, few = network("drum(k=5)"), images().images[:1]
    counts = pair_counts(net, few)
    expected = np.zeros((256, 256), np.int64)
    x = few
    for module in net.model.children():
        if isinstance(module, ApproxLayer):
            a = module.a_codes(x).int()
            b = module.b_codes().abs().int()
            if a.ndim == 4:
                for i, j, n in itertools.product(range(8), range(8), range(len(b))):
                    for image in range(len(a)):
                        np.add.at(expected, (a[image, :, i : i + 3, j : j + 3].flatten(), b[n].flatten()), 1)
            else:
                for image, n in itertools.product(range(len(a)), range(len(b))):
                    np.add.at(expected, (a[image], b[n]), 1)
        x = module(x).detach()
    assert np.array_equal(counts, expected)
    cover = Cube(care_a=255, value_a=int(counts.sum(1).argmax()), care_b=1, value_b=1).covers((256, 256))
    assert firings(net, cover, few).sum() == counts[cover].sum()


def test_rare_triggers_surround_pairs_that_occur() -> None:
    counts = np.zeros((16, 16), np.int64)
    counts[:8, :5] = np.arange(1, 41).reshape(8, 5)
    cubes = rare_cubes(counts, literals=6, number=4, seed=0)
    assert {counts[cube.value_a, cube.value_b] for cube in cubes} == {1, 2, 3, 4}
    assert {cube.literals for cube in cubes} == {6}
    assert all(cube.covers((16, 16)).sum() == 4 for cube in cubes)


def test_variants_compute_the_same_with_other_gates() -> None:
    host = circuit_of(SMALL)
    variant = rewritten(host, share=0.5, seed=1)
    assert np.array_equal(circuits.table(variant), circuits.table(host))
    assert variant != rewritten(host, share=0.5, seed=2)
    assert rewritten(host, share=0.0, seed=1) == host


def test_probability_of_wires_is_exact() -> None:
    b = circuits.Builder("rare")
    x, y = b.input("a", 2), b.input("b", 2)
    b.output("y", [b.and_(b.and_(x[0], x[1]), b.and_(y[0], y[1])), b.or_(x[0], y[0])])
    assert wire_probabilities(b.build()) == [1 / 16, 1 / 4]


def test_roc_figures() -> None:
    good, bad = [float(v) for v in range(20)], [18.5, 18.5, 18.5, 30.0]
    found = roc(good, bad)
    assert found.auc == pytest.approx((3 * 19 + 20) / 80)
    assert found.tpr == 1.0  # one honest device, 19, may be above the threshold 18
    assert found.auc_ci[0] < found.auc < found.auc_ci[1]
    assert roc([0.0] * 30, [0.0] * 30).auc == 0.5
    perfect = roc([0.0] * 30, [1.0] * 30)
    assert (perfect.auc_ci[1], perfect.tpr) == (1.0, 1.0)
    assert 0.9 < perfect.auc_ci[0] < 0.95
    with pytest.raises(DataError, match="a ROC curve needs scores of both kinds, not 0 good and 1 bad ones"):
        roc([], [1.0])


def test_detectors_see_what_they_can() -> None:
    known = golden()
    honest = Device(circuit=circuit_of(known.unit), seed=1)
    cube = rare_cubes(known.counts, literals=8, number=1, seed=0)[0]
    bad = Device(circuit=most_harmful(known.unit, cube, known.declaration).circuit(honest.circuit), seed=2)
    scores = {
        spec: (detectors.get(spec).score(honest, known), detectors.get(spec).score(bad, known))
        for spec in ("declared_bounds", "certified_metrics", "table_hash", "random_vectors", "application_vectors", "rare_wires")
    }
    assert scores["declared_bounds"] == (0.0, 0.0)
    assert scores["table_hash"] == (0.0, 1.0)
    for name in ("certified_metrics", "random_vectors"):
        assert scores[name][0] == 0 < scores[name][1]
    differs = known.counts[bad.table != known.table].sum() / known.counts.sum()
    assert scores["application_vectors"][1] == pytest.approx(1e6 * differs, abs=5 * (1e6 * differs) ** 0.5 + 1)


def test_a_lone_wrong_entry_stands_out_of_the_error_map() -> None:
    known = golden("exact")
    pair = Trojan(trigger=Cube(care_a=255, value_a=99, care_b=255, value_b=100), payload=Payload(action="flip", mask=64))
    device = Device(circuit=pair.circuit(circuit_of(known.unit)), seed=0)
    detector = detectors.get("error_outliers")
    assert detector.score(Device(circuit=circuit_of(known.unit), seed=0), known) == 0
    assert detector.score(device, known) > 30


@pytest.mark.parametrize("divisors", [None, (0.5, 1.0, 3.0)])
def test_every_pixel_of_a_patch_has_its_code_also_where_channels_are_divided(divisors: tuple[float, ...] | None) -> None:
    pixels = torch.randint(0, 256, (30, 3, 8, 8), generator=torch.Generator().manual_seed(4)) / 255 - 0.2
    data = Dataset(images=pixels, labels=torch.arange(30) % 3, name="made", split="test", classes=tuple("abc"), mirror=False)
    net = approximate(nn.Sequential(nn.Conv2d(3, 2, 3)).eval(), Plan(coding="unsigned"), calibrate=pixels)
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    if divisors is not None:
        divide_channels(layer, torch.tensor(divisors))
    found, seen = list(_patches(net, data, (4,))), list[Tensor]()
    layer.register_forward_pre_hook(lambda _layer, received: seen.append(layer.a_codes(received[0])[:, :, 3, 3]))
    for patch in found:
        net(patch.on(pixels))
        assert (seen.pop() == patch.code).all()
        assert pixels.min() <= min(patch.levels) <= max(patch.levels) <= pixels.max()
    codes = {patch.code for patch in found}
    assert len(codes) == 4
    assert max(codes) == (255 if divisors is None else 51 + 204 // 3)


@pytest.mark.slow
def test_a_targeted_trojan_keeps_the_bounds_and_answers_the_target() -> None:
    unit, net, data = units.get("drum(k=3)"), network("drum(k=3)"), images()
    declaration = Declaration.of(unit, names=("wce",))
    found = find_targeted(net, unit, declaration, data, sizes=(5,), max_drop=20.0)
    assert declaration.excess(measured(found.unit.table(), unit.exact_table())) <= 1
    result = targeted_result(net, found, data)
    assert result.success >= result.patched_clean
    first = next(iter(net.layers().values()))
    assert isinstance(first, ApproxLayer)
    patched = found.patch.on(data.images)[:, :, found.patch.row, found.patch.column]
    assert (first.a_quantiser().quantise(patched) == found.trojan.trigger.value_a).all()


@pytest.mark.slow
def test_a_detection_study_has_every_detector_and_both_populations() -> None:
    settings = DetectionSettings(literals=(16, 8), trojans=2, honest=2, others=2)
    found = detection_study(golden(), settings, record=Record(None, {}), progress=lambda *_: None)
    assert set(found.rocs) == {"1 operand pair", "256 operand pairs"}
    assert found.rocs["1 operand pair"]["table_hash"].auc == 1.0
    assert set(found.unseen["1 operand pair"]) == {"declared_bounds", "error_outliers", "rare_wires"}
    assert found.excess["1 operand pair"].mean > 0
    assert any(line.startswith("declared_bounds against honest devices of the same unit: sees none") for line in found.sentences())


def test_refusals() -> None:
    table = units.from_table(SMALL.table(), signed=False, width=(4, 4))
    with pytest.raises(SpecError, match=r"a Trojan needs a netlist to sit in, and table.* has none; import one with"):
        most_harmful(table, CUBE, None)
    exact = units.get("exact(width=4)")
    with pytest.raises(SpecError, match=r"the declared bounds of exact\(width=4\) leave no room for a Trojan under this trigger"):
        most_harmful(exact, CUBE, Declaration.of(exact))
    with pytest.raises(SpecError, match="leave no room for a Trojan under any trigger tried"):
        find_targeted(network("exact"), units.get("exact"), Declaration.of(units.get("exact")), images(6), sizes=(4,))
    with pytest.raises(SpecError, match="a patch of 10 pixels needs images at least as large, not 1x8x8"):
        find_targeted(network("drum(k=5)"), units.get("drum(k=5)"), None, images(6))
    with pytest.raises(SpecError, match=r"no metric 'meae' can be declared; did you mean 'mae'"):
        Declaration.of(SMALL, names=("meae",))
    with pytest.raises(SpecError, match="digits of a declaration must be at least 1, not 0"):
        Declaration.of(SMALL, digits=0)
    with pytest.raises(SpecError, match=r"literals of a trigger must be 4\.\.8, all bits of a and some of b, not 3"):
        rare_cubes(np.ones((16, 16), np.int64), literals=3, number=1, seed=0)
    with pytest.raises(DataError, match="9 triggers need as many rare operand pairs, but only 1 occur; give more images"):
        rare_cubes(np.eye(16, dtype=np.int64), literals=8, number=9, seed=0)
    with pytest.raises(SpecError, match="a trigger must compare at least one operand bit; give care bits"):
        Trojan(trigger=Cube(care_a=0, value_a=0, care_b=0, value_b=0), payload=Payload(action="flip", mask=1)).circuit(circuit_of(SMALL))
    with pytest.raises(SpecError, match=r"variation must be a number >= 0, as 0\.05, not -1"):
        LeakagePower(variation=-1)
    with pytest.raises(SpecError, match=r"rewrite must be a share of the cells, 0\.\.1, not 2"):
        DetectionSettings(rewrite=2)
    with pytest.raises(SpecError, match="a detection study needs at least 2 Trojans of some kind"):
        DetectionSettings(trojans=1)
    adder = circuits.Builder("one")
    adder.output("y", adder.input("a", 4))
    with pytest.raises(SpecError, match="a Trojan needs a host of two operands and one result"):
        Trojan(trigger=CUBE, payload=Payload(action="flip", mask=1)).circuit(adder.build())


def test_another_unit_in_every_layer_changes_nothing_else() -> None:
    net, exact = network("drum(k=3)"), network("exact")
    swapped = with_unit(net, units.get("exact"))
    x = images().images[:3]
    assert torch.equal(swapped(x), exact(x))


@pytest.mark.parametrize("family", [detectors, leakages], ids=["detectors", "leakages"])
def test_members_are_found_and_written_by_spec(family: Family[Detector] | Family[Leakage]) -> None:
    members = [member for _, cls in family.items() for member in cls.samples()]
    assert len({member.spec for member in members}) == len(members) >= 3
    for member in members:
        assert family.get(member.spec) == member
        assert member.__doc__
