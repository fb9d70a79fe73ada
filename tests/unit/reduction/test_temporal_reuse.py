"""Reuse over time: sums corrected from input to input are those computed anew, and the work is that of what changed."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import PlanError, SpecError
from inexact.nn import ApproxLayer, ApproxModel, Plan, Rule, approximate, workload
from inexact.nn._reduced import LayerView
from inexact.reduction import reductions
from inexact.reduction.temporal_reuse import TemporalReuse

NAMES = ("first", "grouped", "head")


@pytest.fixture(scope="module")
def frames() -> Tensor:
    """Three sequences of 8 images of which a few pixels change."""
    generator = torch.Generator().manual_seed(5)
    found = []
    for _ in range(3):
        image = torch.rand(3, 12, 12, generator=generator)
        for _ in range(8):
            found.append(image)
            image = torch.where(torch.rand(3, 12, 12, generator=generator) < 0.1, torch.rand(3, 12, 12, generator=generator), image)
    return torch.stack(found)


def planned(model: nn.Module, images: Tensor, reduction: str, **rule: str) -> ApproxModel:
    return approximate(model, Plan({name: Rule(reduction=reduction, **rule) for name in NAMES}), calibrate=images)


def layer_of(net: ApproxModel, name: str) -> ApproxLayer:
    layer = net.layers()[name]
    assert isinstance(layer, ApproxLayer)
    return layer


def entering(net: ApproxModel, name: str, images: Tensor) -> Tensor:
    seen: list[Tensor] = []
    handle = layer_of(net, name).register_forward_pre_hook(lambda _m, received: seen.append(received[0]))
    net(images)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("coding", ["unsigned", "signed", "sign_magnitude"])
@pytest.mark.parametrize("clusters", [4, 32, 256])
@torch.no_grad()
def test_sums_corrected_frame_by_frame_are_the_direct_ones_bit_for_bit(
    model: nn.Module, frames: Tensor, coding: str, clusters: int
) -> None:
    """In integers, over every layer; the emulated output is that of those sums."""
    images = frames - 0.3
    reuse = reductions.get(f"temporal_reuse(clusters={clusters},frames=8)")
    assert isinstance(reuse, TemporalReuse)
    net = planned(model, images, reuse.spec, coding=coding)
    for name in NAMES:
        layer, x = layer_of(net, name), entering(net, name, images)
        result = layer(x)
        view = LayerView.of(layer, x, result)
        for channels, a in view.windows():
            q = reuse.rounded(a, view).long().reshape(len(images), -1, a.shape[1])
            w = view.weights(channels).long()
            sums = torch.zeros(q.shape[1], len(w), dtype=torch.int64)
            for t in range(len(images)):
                sums = q[t] @ w.T if t % 8 == 0 else sums + (q[t] - q[t - 1]) @ w.T
                assert torch.equal(sums, q[t] @ w.T)
                given = view.outputs(sums.double().T, channels)
                rows = slice(t * q.shape[1], (t + 1) * q.shape[1])
                assert torch.equal(layer.channels_first(result)[channels, rows], given)


@torch.no_grad()
def test_all_codes_as_clusters_change_nothing(model: nn.Module, frames: Tensor) -> None:
    net, plain = (planned(model, frames, chosen, coding="signed") for chosen in ("temporal_reuse(clusters=256)", "none"))
    assert torch.equal(net(frames), plain(frames))
    assert not torch.equal(planned(model, frames, "temporal_reuse(clusters=4)", coding="signed")(frames), plain(frames))


@torch.no_grad()
def test_clusters_are_even_levels_with_zero_among_them(model: nn.Module, frames: Tensor) -> None:
    images = frames - 0.3
    for coding, clusters in itertools.product(("unsigned", "signed"), (4, 16)):
        reuse = TemporalReuse(clusters=clusters)
        layer = layer_of(planned(model, images, reuse.spec, coding=coding), "first")
        view = LayerView.of(layer, images, layer(images))
        low, high = (-127, 127) if coding == "signed" else (-int(layer.a_zero), 255 - int(layer.a_zero))
        values = torch.arange(low, high + 1).double()
        step = 256 // clusters
        levels = [level for level in range(-256, 257, step) if low <= level <= high]
        wanted = [min(max(step * ((int(v) + step // 2) // step), levels[0]), levels[-1]) for v in values]
        found = reuse.rounded(values, view)
        assert found.tolist() == wanted
        assert 0 in levels
        assert len(set(found.tolist())) == len(levels) <= clusters


@torch.no_grad()
def test_work_is_what_changed_counted_one_by_one(model: nn.Module, frames: Tensor) -> None:
    reuse = TemporalReuse(clusters=16, frames=8)
    net = planned(model, frames, reuse.spec, coding="signed")
    layer = layer_of(net, "first")
    view = LayerView.of(layer, frames, layer(frames))
    ((_, a),) = view.windows()
    q = reuse.rounded(a, view).reshape(24, 36, 27)
    changed = torch.stack([torch.ones(36, 27) if t % 8 == 0 else (q[t] != q[t - 1]).float() for t in range(24)])
    work, pixels = net.works()["first"], 3 * 12 * 12
    assert work.multiplications == pytest.approx(float(changed.double().mean()))
    assert work.time == work.additions == work.multiplications < 0.7
    x = reuse.rounded(view.inputs, view)
    own = sum(1.0 if t % 8 == 0 else float((x[t] != x[t - 1]).double().mean()) for t in range(24)) / 24
    assert work.a_reads == pytest.approx(work.multiplications + pixels / (36 * 27))
    strips = [changed[:, first : first + 16].any(1) for first in (0, 16, 32)]
    assert work.b_reads == pytest.approx(float(torch.stack(strips).double().mean()))
    assert work.kept_bits == pytest.approx(32 * (1 + 7 / 8) + pixels * 4 * (own + 7 / 8) / (36 * 8))
    assert work.checks == pytest.approx(pixels * (1 + own) * 4 / 32 / (36 * 8 * 27))
    assert net.works()["head"].b_reads == pytest.approx(net.works()["head"].multiplications)  # one position: a weight an activation


def test_unrelated_inputs_leave_more_work_than_sequences(model: nn.Module, frames: Tensor) -> None:
    """The order of the inputs is what counts, and it is charged."""
    order = torch.arange(24).reshape(3, 8).T.reshape(-1)
    related, unrelated = (planned(model, x, "temporal_reuse(frames=8)", coding="signed") for x in (frames, frames[order]))
    assert related.works()["first"].multiplications < unrelated.works()["first"].multiplications
    cost = hardware.load("edge-16x16").evaluate(workload(related)).layers[0]
    plain = hardware.load("edge-16x16").evaluate(workload(planned(model, frames, "none", coding="signed"))).layers[0]
    assert cost.energy["multipliers"][0] == pytest.approx(plain.energy["multipliers"][0] * related.works()["first"].multiplications)
    assert cost.energy["dram"][0] > plain.energy["dram"][0]


def test_long_sequences_are_counted_whole(model: nn.Module, frames: Tensor) -> None:
    still = frames[:1].expand(24, -1, -1, -1)
    assert planned(model, still, "temporal_reuse(frames=24)").works()["first"].multiplications == pytest.approx(1 / 24)
    assert planned(model, still, "temporal_reuse(frames=5)").works()["first"].multiplications == pytest.approx(5 / 24)


@pytest.mark.parametrize("spec", ["temporal_reuse(clusters=12)", "temporal_reuse(clusters=2)", "temporal_reuse(frames=1)"])
def test_bad_parameters_are_refused(spec: str) -> None:
    with pytest.raises(SpecError, match=r"clusters must be a power of two from 4 to 256, not|frames must be 2\.\.64, not 1"):
        reductions.get(spec)


def test_an_approximate_unit_is_refused(model: nn.Module, frames: Tensor) -> None:
    with pytest.raises(PlanError, match="does not form whole products one by one, which only an exact unit allows"):
        planned(model, frames, "temporal_reuse", coding="signed", multiplier="trunc(cut=3,signed=true)")
