"""Power analysis: leakage against counted bits, recovery without noise, ghosts, disclosure, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from inexact import units
from inexact.circuits import Op
from inexact.core.errors import DataError, FormatError, SpecError
from inexact.nn import ApproxLayer, ApproxModel, Plan, Rule, approximate
from inexact.security.disclosure import DisclosureSettings, UnitDisclosure, disclosure
from inexact.security.leakage import AccumulatorDistance, ProductDistance, ProductWeight
from inexact.security.netlist_power import gates_of
from inexact.security.record import Record
from inexact.security.side_channel import Element, elements, noise_of, recover_weights, traces_of

LOGIC: dict[Op, Callable[..., tuple[int, ...]]] = {
    Op.NOT: lambda x: (1 - x,),
    Op.AND: lambda x, y: (x & y,),
    Op.OR: lambda x, y: (x | y,),
    Op.XOR: lambda x, y: (x ^ y,),
    Op.NAND: lambda x, y: (1 - (x & y),),
    Op.NOR: lambda x, y: (1 - (x | y),),
    Op.XNOR: lambda x, y: (1 - (x ^ y),),
    Op.MUX: lambda s, x, y: (y if s else x,),
    Op.HALF: lambda x, y: (x ^ y, x & y),
    Op.FULL: lambda x, y, z: (x ^ y ^ z, (x & y) | (z & (x | y))),
}
IMAGES = torch.rand((12, 1, 8, 8), generator=torch.Generator().manual_seed(0))


def network(unit: str = "exact", coding: str = "sign_magnitude", keep: str = "") -> ApproxModel:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(192, 2)).eval()
    plan = Plan(multiplier=unit, coding=coding, precision="int(granularity=per_channel)")
    return approximate(model, plan.keep(keep) if keep else plan, calibrate=IMAGES)


def small(weights: list[int]) -> Element:
    """An exact element with signed weights of 4 bits over random 4-bit activations."""
    codes = np.arange(-7, 8, dtype=np.int64)
    activations = np.random.default_rng(0).integers(0, 16, (64, len(weights))).astype(np.uint8)
    products = np.arange(16, dtype=np.int64)[:, None] * codes
    return Element(products=products, candidates=codes, width=8, activations=activations, weights=np.array(weights) + 7)


def test_leakage_counts_bits() -> None:
    product, last, total = (np.array(values) for values in ([-3, 100], [5, -1], [70000, -2]))
    for leakage, changed, width in (
        (ProductWeight(), product, 16),
        (ProductDistance(), product ^ last, 16),
        (AccumulatorDistance(), (total + product) ^ total, 32),
    ):
        expected = [bin(int(value) & (2**width - 1)).count("1") for value in changed]
        assert leakage.bits(product, last, total, 16).tolist() == expected


def test_signal_follows_the_registers_cycle_by_cycle() -> None:
    element = small([3, -2])
    a = element.activations.astype(int)
    signal = element.signal(AccumulatorDistance())
    for row, (first, second) in enumerate(a[:10].tolist()):
        sums = (0, 3 * first, 3 * first - 2 * second)
        expected = [bin((sums[i] ^ sums[i + 1]) & 0xFFFFFFFF).count("1") for i in range(2)]
        assert signal[row].tolist() == expected


def test_elements_multiply_the_layer_s_codes() -> None:
    net = network()
    element = elements(net, "0", IMAGES, [1])[1]
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    sums = layer.sums(layer.a_codes(IMAGES), layer.b_codes()).detach()
    added = sum(element.products[element.activations[:, k], w] for k, w in enumerate(element.weights.tolist()))
    own = sums[:, 1].flatten().numpy()
    correction = int(layer.a_zero) * int(element.candidates[element.weights].sum())
    assert np.array_equal(np.asarray(added) - correction, own)


@pytest.mark.parametrize("leakage", [AccumulatorDistance(), ProductDistance()])
def test_without_noise_registers_that_are_overwritten_disclose_every_weight(leakage: AccumulatorDistance | ProductDistance) -> None:
    element = small([3, -2, 6, 1, -7])
    found = recover_weights(element, element.signal(leakage), leakage)
    assert element.candidates[found.weights].tolist() == [3, -2, 6, 1, -7]


def test_the_weight_of_a_product_cannot_tell_a_weight_from_its_double() -> None:
    element = small([3, -2, 1])
    found = recover_weights(element, element.signal(ProductWeight()), ProductWeight())
    assert found.rank.tolist() == [1.5, 1.0, 2.0]  # 3 and 6; -2: its double loses a leading one unless a = 0; 1, 2 and 4


def test_equal_columns_count_once() -> None:
    element = elements(network("drum(k=3)"), "0", IMAGES, [0])[0]
    classes = element.equal_columns()
    assert len(set(classes.tolist())) == 31
    a, b = (int(np.flatnonzero(element.candidates == code)[0]) for code in (64, 65))
    assert classes[a] != classes[b] or np.array_equal(element.products[:, a], element.products[:, b])


def test_noise_follows_the_signal_to_noise_ratio() -> None:
    signal = np.random.default_rng(1).normal(0, 2, (4000, 3))
    noise = noise_of([signal], 0.25)
    assert noise == pytest.approx(4.0, rel=0.03)
    assert (traces_of(signal, noise, 0) - signal).std() == pytest.approx(noise, rel=0.03)


def test_traces_to_disclosure_are_the_first_from_which_success_stays() -> None:
    right = np.array([[0.9, 0.2, 0.8, 1.0], [0.9, 0.4, 0.9, 1.0]])
    unit = UnitDisclosure(distinct=1, unknown_bits=0.0, right=right, rank=right)
    assert unit.traces(0.8, [32, 64, 128, 256]).value == 128
    assert unit.traces(0.99, [32, 64, 128, 256]).value == 256
    never = UnitDisclosure(distinct=1, unknown_bits=0.0, right=right - 0.5, rank=right).traces(0.8, [32, 64, 128, 256])
    assert never.shown(256) == "> 256 [> 256, > 256]"


def test_a_study_sets_units_side_by_side() -> None:
    nets = {unit: network(unit) for unit in ("exact", "drum(k=3)")}
    settings = DisclosureSettings(layer="0", filters=(0, 2), snr=10.0, traces=128, repetitions=1)
    found = disclosure(nets, IMAGES, settings, record=Record(None, {}), progress=lambda *_: None)
    assert found.units["exact"].right.shape == (2, 3)
    assert found.units["exact"].right[:, -1].mean() > 0.7
    assert found.units["drum(k=3)"].unknown_bits > 2
    assert found.to_json()["traces_tried"] == [32, 64, 128]
    assert "31 different weights" in found.sentences()[1]


def test_refusals() -> None:
    element = small([1])
    with pytest.raises(DataError, match="at least one trace is needed to recover weights; there is none"):
        recover_weights(element, np.zeros((0, 1)), ProductWeight())
    with pytest.raises(DataError, match=r"traces must be 1\.\.64, the windows of the images, not 0; give more images"):
        element.drawn(0, 0)
    with pytest.raises(DataError, match="traces must be at least 1, not 0"):
        DisclosureSettings(layer="0", traces=0)
    for snr in (0.0, -1.0, float("nan")):
        with pytest.raises(DataError, match="the signal-to-noise ratio must be a positive number, not"):
            noise_of([element.signal(ProductWeight())], snr)
    with pytest.raises(DataError, match="the signal must vary over the windows, but every activation is the same"):
        noise_of([np.zeros((5, 1))], 1.0)
    with pytest.raises(DataError, match=r"the network has no layer 'conv9'\. Layers: 0, 3"):
        elements(network(), "conv9", IMAGES)
    with pytest.raises(DataError, match=r"filter must be 0\.\.2, an output channel of layer 0, not 3"):
        elements(network(), "0", IMAGES, [3])
    with pytest.raises(FormatError, match="weights of layer 0 must be stored as integers, but the plan leaves it in float32"):
        elements(network(keep="0"), "0", IMAGES)
    torch.manual_seed(0)
    rule = Rule(multiplier="pn", modes="per_filter", coding="sign_magnitude")
    several = approximate(nn.Sequential(nn.Conv2d(1, 2, 3)).eval(), Plan({"default": rule}), calibrate=IMAGES)
    with pytest.raises(FormatError, match="layer 0 must multiply in one mode, not in one per filter; give its rule no modes"):
        elements(several, "0", IMAGES)


def test_toggles_of_a_netlist_are_wires_that_change() -> None:
    net = network("drum(k=3)")
    gates = gates_of(net, "0")
    element = elements(net, "0", IMAGES, [0])[0].drawn(100, 0)
    hypotheses = gates.hypotheses(element.activations[:, 4])
    classes = gates.classes()
    assert classes[64] == classes[80] != classes[96]  # of three digits the last is always one
    circuit = units.get("drum(k=3)").circuit()
    assert circuit is not None
    a, b = element.activations[:2, 4].astype(int), int(gates.patterns[element.weights[4]])
    states = []
    for value in a.tolist():
        wires = {0: 0, 1: 1} | {2 + i: value >> i & 1 for i in range(8)} | {10 + i: b >> i & 1 for i in range(8)}
        for op, sources, out in circuit.gates():
            wires.update(dict(enumerate(LOGIC[op](*(wires[s] for s in sources)), start=out)))
        states.append([wires[wire] for wire in range(18, circuit.wires)])
    assert hypotheses[0, b] == sum(x != y for x, y in zip(*states, strict=True))
    held = np.array([7, 7, 200], np.uint8)  # nothing switches while nothing changes
    assert gates.switching(held, b)[0] == 0 < gates.switching(held, b)[1]


def test_a_unit_without_gates_has_no_toggles(tmp_path: Path) -> None:
    np.save(tmp_path / "unit.npy", np.multiply.outer(np.arange(256), np.arange(256)) // 3)
    with pytest.raises(SpecError, match=r"toggles of gates need a netlist, and table.* has none; import one with"):
        gates_of(network(f"table(path='{tmp_path / 'unit.npy'}')"), "0")
