"""Bit-flip attack: stored words, gradients against brute force, range check, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from inexact.core.errors import DataError, FormatError
from inexact.core.words import codes_of, words_of
from inexact.core.workload import Coding
from inexact.nn import ApproxLayer, ApproxModel, Plan, approximate
from inexact.security import bit_flip
from inexact.security._memory import WeightMemory
from inexact.security.flip_study import FlipSettings, flip_study
from inexact.security.record import Record
from inexact.zoo import Dataset

CLASSES = 3


def images(count: int = 24) -> Dataset:
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand((count, 1, 4, 4), generator=generator) - 0.3
    return Dataset(images=pixels, labels=torch.arange(count) % CLASSES, name="made", split="test", classes=tuple("abc"), mirror=False)


def network(coding: str = "signed", unit: str = "exact", keep: str = "") -> ApproxModel:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, CLASSES)).eval()
    plan = Plan(multiplier=unit, coding=coding, precision="int(granularity=per_channel)")
    return approximate(model, plan.keep(keep) if keep else plan, calibrate=images().images)


@pytest.mark.parametrize("coding", ["signed", "unsigned", "sign_magnitude"])
def test_every_word_stands_for_its_code(coding: Coding) -> None:
    words = np.arange(256, dtype=np.int64)
    codes = codes_of(words, 8, coding)
    low = {"signed": -128, "unsigned": 0, "sign_magnitude": -127}[coding]
    assert (codes.min(), codes.max()) == (low, 127 if low else 255)
    again = words_of(codes, 8, coding)
    assert set(np.flatnonzero(again != words)) == ({128} if coding == "sign_magnitude" else set())  # minus nothing


def test_a_flipped_top_bit_of_zero_is_computed_with_as_the_lowest_number() -> None:
    net = network("signed")
    memory = WeightMemory(net, ["3"])
    memory.write("3", 5, 0)
    flip = memory.flip("3", 5, 7)
    assert (flip.before, flip.after) == (0, -128)
    layer = memory.layers["3"]
    x = torch.rand((2, 8))
    a = layer.a_codes(x).double()
    assert int(layer.a_zero) == 0
    expected = a @ torch.from_numpy(memory.codes["3"].reshape(CLASSES, 8)).double().T
    assert layer.bias is not None
    got = (layer(x) - layer.bias).double() / (layer.a_scale * layer.b_scale.flatten()).double()
    assert torch.allclose(got, expected, atol=0.02)
    original = net.layers()["3"]
    assert isinstance(original, ApproxLayer)
    assert int(original.b_codes().min()) >= -127


def test_the_first_flip_has_the_largest_loss_among_the_best_of_the_layers() -> None:
    net, data = network("signed"), images()
    batch = (data.images, data.labels)
    run = bit_flip.progressive_bit_search(net, batch, bit_flip.judge_on(data), flips=1)
    best = []
    for name in ("0", "3"):
        gains = {}
        memory = WeightMemory(net)
        weight = memory.layers[name].weight
        bias = memory.layers[name].bias
        assert bias is not None
        (gradient, constant) = torch.autograd.grad(functional.cross_entropy(memory.net(data.images), data.labels), (weight, bias))
        lifted = memory.layers[name].a_zero * memory.layers[name].a_scale * constant
        gradient = gradient + lifted.reshape(-1, *[1] * (weight.dim() - 1))
        scale = memory.layers[name].b_scale.expand_as(weight).flatten()
        for index in range(weight.numel()):
            for bit in range(8):
                flip = memory.flip(name, index, bit)
                gains[index, bit] = float(gradient.flatten()[index] * scale[index]) * (flip.after - flip.before)
                memory.write(name, index, flip.before)
        index, bit = max(gains, key=lambda place: gains[place])
        memory.flip(name, index, bit)
        with torch.no_grad():
            best.append((float(functional.cross_entropy(memory.net(data.images), data.labels)), name, index, bit))
    loss, name, index, bit = max(best)
    assert (run.flips[0].layer, run.flips[0].index, run.flips[0].bit) == (name, index, bit)
    assert run.loss[1] == pytest.approx(loss)
    assert run.loss[1] > run.loss[0]


def test_constants_for_zero_points_stay_when_a_weight_is_flipped() -> None:
    net, data = network("sign_magnitude"), images()
    memory = WeightMemory(net, ["0"])
    layer = memory.layers["0"]
    zero, padded = int(layer.a_zero), layer.a_codes(data.images[:1])[0, 0]
    before = layer(data.images[:1]).detach().double()
    flip = memory.flip("0", 0, 7)
    moved = (layer(data.images[:1]).detach().double() - before)[0, 0, 0, 0]
    step = float(layer.a_scale * layer.b_scale.flatten()[0])
    assert float(moved) == pytest.approx((flip.after - flip.before) * float(padded[0, 0]) * step, rel=1e-4)
    assert zero > 0


def test_range_check_leaves_only_codes_within_the_channel() -> None:
    net, data = network(), images()
    permitted = bit_flip.within_ranges(net)
    run = bit_flip.progressive_bit_search(net, (data.images, data.labels), bit_flip.judge_on(data), flips=4, permitted=permitted)
    memory = WeightMemory(net)
    assert run.flips
    for flip in run.flips:
        channel = memory.codes[flip.layer].reshape(memory.layers[flip.layer].weight.shape[0], -1)
        own = channel[flip.index // channel.shape[1]]
        assert own.min() <= flip.after <= own.max()


def test_random_flips_are_all_different_and_a_replay_gives_the_same_answers() -> None:
    net, data = network("sign_magnitude"), images()
    run = bit_flip.random_flips(net, bit_flip.judge_on(data), flips=30, seed=5)
    assert len({(flip.layer, flip.index, flip.bit) for flip in run.flips}) == 30
    assert bit_flip.replay(net, run.flips, bit_flip.judge_on(data)).top1 == run.top1
    assert bit_flip.FlipRun.from_json(run.to_json()) == run


def test_ruined_is_a_point_above_the_best_single_answer() -> None:
    assert bit_flip.ruined(images()) == pytest.approx(100 / 3 + 1)


def test_a_study_compares_paired_runs_and_goes_on_from_its_record() -> None:
    nets = {"exact": network("sign_magnitude"), "drum(k=3)": network("sign_magnitude", "drum(k=3)")}
    record = Record(None, {})
    found = flip_study(nets, images(), images(), FlipSettings(flips=2, batch=6, runs=2), record=record, progress=lambda *_: None)
    assert len(record.parts) == 12
    again = flip_study(nets, images(), images(), FlipSettings(flips=2, batch=6, runs=2), record=record, progress=lambda *_: None)
    assert again.to_json() == found.to_json()
    assert found.sentences()[0].startswith("exact: ")
    assert "2 random flips leave" in found.sentences()[1]


def test_refusals() -> None:
    net, data = network(keep="3"), images()
    with pytest.raises(
        FormatError, match="weights of layer 3 must be stored as integers, but the plan leaves it in float32; plan it as int8"
    ):
        WeightMemory(net, ["3"])
    with pytest.raises(DataError, match=r"the network has no layer 'conv7'\. Layers: 0"):
        WeightMemory(net, ["conv7"])
    with pytest.raises(DataError, match=r"an attack batch must have 1\.\.24 images of 'made', not 25"):
        bit_flip.attack_batch(data, 25, 0)
    with pytest.raises(DataError, match=r"flips must be 0\.\.144, the bits in memory, not 145"):
        bit_flip.random_flips(net, bit_flip.judge_on(data), flips=145, seed=0)
