"""Windows that end within a band: against loops over bits with Python integers."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import HardwareError, SpecError
from inexact.nn import ApproxLayer, ApproxModel, Plan, Rule, approximate, workload
from inexact.reduction import Work, reductions


def planned(model: nn.Module, images: Tensor, reduction: str, **rule: str) -> ApproxModel:
    chosen = Rule(coding="signed", reduction=reduction, **rule)
    return approximate(model, Plan({"first": chosen, "grouped": chosen, "default": Rule(coding="signed")}), calibrate=images)


def layer_of(net: ApproxModel, name: str) -> ApproxLayer:
    layer = net.layers()[name]
    assert isinstance(layer, ApproxLayer)
    return layer


def measured(net: ApproxModel, name: str) -> Work:
    return net.works()[name]


@pytest.mark.parametrize("band", [0.0, 0.05, 0.3])
@torch.no_grad()
def test_outputs_are_what_was_accumulated(model: nn.Module, images: Tensor, band: float) -> None:
    """Every output of the layer, bit for bit, and the bits taken."""
    net, few = planned(model, images, f"bound_termination(band={band})"), images[:2]
    layer, before = layer_of(net, "first"), layer_of(planned(model, images, "none"), "first")(images[:2])
    after = layer(few)
    a = layer.unrolled(layer.a_quantiser().quantise(layer.padded(few)))[:, 0]
    b = layer.b_quantiser().quantise(layer.weight).reshape(8, -1)
    scale = layer.a_scale.double() * layer.b_scale.double().reshape(-1).expand(8)
    assert layer.bias is not None
    taken, stopped = 0, 0
    for (p, window), o in itertools.product(enumerate(a), range(8)):
        xs, ws = [int(v) for v in window], [int(v) for v in b[o]]
        place = divmod(p, 36)[0], o, *divmod(p % 36, 6)
        bits, wanted = 8, before[place]
        for count in range(1, 8):
            step = 2 ** (8 - count)
            total = sum(x // step * step * w for x, w in zip(xs, ws, strict=True))
            known = total + float(layer.bias[o].double() / scale[o])
            most, least = (step - 1) * sum(w for w in ws if w > 0), (step - 1) * sum(w for w in ws if w < 0)
            if known + most < 0:
                bits, wanted = count, torch.tensor(0.0)
            elif max(most, -least) <= band * abs(known):
                bits, wanted = count, (scale[o] * total).float() + layer.bias[o]
                stopped += 1
                assert abs(sum(x * w for x, w in zip(xs, ws, strict=True)) - total) <= band * abs(known)
            if bits < 8:
                break
        taken += bits
        assert after[place] == wanted
    assert (stopped > 0) == (band > 0)
    assert layer.reducer is not None
    layer.reducer.begin_counting()
    layer(few)
    assert layer.reducer.measured.multiplications == pytest.approx(taken / (8 * a.shape[0] * 8))


def test_a_wider_band_takes_fewer_bits_and_loses_no_positive_output(model: nn.Module, images: Tensor) -> None:
    works = [measured(planned(model, images, f"bound_termination(band={band})"), "grouped") for band in (0.0, 0.1, 0.5, 1.0)]
    shares = [work.multiplications for work in works]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < shares[0] - 0.05
    assert all(work.lost == 0 and work.a_reads <= work.time + 1e-12 for work in works)


def test_its_elements_take_the_activation_bit_by_bit(model: nn.Module, images: Tensor) -> None:
    asked = workload(planned(model, images, "bound_termination"))
    hardware.load("stripes-like").evaluate(asked)
    with pytest.raises(HardwareError, match=r"must have the activation bit by bit, but the processing elements of edge-16x16 are parallel"):
        hardware.load("edge-16x16").evaluate(asked)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bound_termination(band=1.5)", "band must be a share between 0 and 1, not 1.5"),
        ("bound_termination(band=-0.1)", "band must be a share between 0 and 1, not -0.1"),
        ("bound_termination(lanes=0)", "lanes must be at least 1, not 0"),
    ],
)
def test_bad_parameters_are_refused(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        reductions.get(spec)
