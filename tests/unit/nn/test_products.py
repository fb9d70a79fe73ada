"""Products of activations against loops written from the contract, and every way a network can write them."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from inexact import units
from inexact.core.errors import FormatError, PlanError
from inexact.nn import ApproxProduct, Plan, Product, Rule, approximate, plannable, workload
from inexact.recovery import recover

Codes = NDArray[np.int64]
CODINGS = ["unsigned", "signed", "sign_magnitude"]


def random_unit(width: tuple[int, int], *, signed: bool, seed: int) -> units.Multiplier:
    table = np.random.default_rng(seed).integers(-20000 if signed else 0, 60000, (2 ** width[0], 2 ** width[1]), dtype=np.int32)
    return units.from_table(table, signed=signed, width=width)


class Pair(nn.Module):
    """One product of two halves of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.product = Product()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.product(x[..., :5], x[..., 5:].transpose(-1, -2))
        return result


def codes(values: Tensor, scale: Tensor, zero: Tensor, low: int, high: int) -> Codes:
    found: Codes = np.clip(np.round((values / scale).numpy()) + zero.numpy(), low, high).astype(np.int64)
    return found


def limits(bits: int, *, signed: bool) -> tuple[int, int]:
    return (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def by_loops(layer: ApproxProduct, unit: units.Multiplier, a: Tensor, b: Tensor) -> Tensor:
    """sum (a-za)(b-zb), products through the unit, a on its left; matrices [..., M, K] and [..., K, N]."""
    table, coding = unit.table(), layer.rule.coding
    a_bits, b_bits = layer.rule.format.a_bits, layer.rule.format.b_bits
    left = codes(a, layer.a_scale, layer.a_zero, *limits(a_bits, signed=coding == "signed"))
    right = codes(b, layer.b_scale, layer.b_zero, *limits(b_bits, signed=coding != "unsigned"))
    za, zb = int(layer.a_zero), int(layer.b_zero)
    shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left, right = (np.broadcast_to(x, shape + x.shape[-2:]) for x in (left, right))
    sums = np.zeros((*shape, left.shape[-2], right.shape[-1]))
    for index in itertools.product(*map(range, sums.shape)):
        for k in range(left.shape[-1]):
            p, w = int(left[(*index[:-1], k)]), int(right[(*index[:-2], k, index[-1])])
            if coding == "sign_magnitude":
                product = int(np.sign(w)) * int(table[p, abs(w)])
            else:
                product = int(table[p % 2**a_bits, w % 2**b_bits])
            sums[index] += product - za * w - zb * p + za * zb
    return torch.from_numpy((sums * (float(layer.a_scale) * float(layer.b_scale))).astype(np.float32))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("precision", ["int8", "w4a8", "int(a_bits=5,b_bits=7)"])
@pytest.mark.parametrize("shape", [(6, 10), (3, 1, 10), (2, 3, 4, 10)])
def test_product_equals_loops(coding: str, precision: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(len(shape))
    x = torch.randn(4, *shape) + 0.4
    chosen = Rule(precision=precision, coding=coding)
    unit = random_unit((chosen.format.a_bits, chosen.format.b_bits), signed=coding == "signed", seed=10 * chosen.format.a_bits + len(shape))
    net = approximate(Pair(), Plan({"product": chosen.but(multiplier=unit)}), calibrate=x)
    layer = net.layers()["product"]
    assert isinstance(layer, ApproxProduct)
    if coding == "unsigned":
        assert float(layer.a_zero) > 0
        assert float(layer.b_zero) > 0
    with torch.no_grad():
        assert torch.equal(net(x), by_loops(layer, unit, x[..., :5], x[..., 5:].transpose(-1, -2)))


@pytest.mark.parametrize("coding", CODINGS)
def test_exact_product_is_that_of_the_quantised_operands(coding: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 7, 10)
    net = approximate(Pair(), Plan(coding=coding), calibrate=x)
    layer = net.layers()["product"]
    assert isinstance(layer, ApproxProduct)
    unit = units.get("exact(signed=true)" if coding == "signed" else "exact")
    with torch.no_grad():
        assert torch.equal(net(x), by_loops(layer, unit, x[..., :5], x[..., 5:].transpose(-1, -2)))


def test_operands_broadcast_over_leading_dimensions() -> None:
    torch.manual_seed(0)
    layer = ApproxProduct("p", Rule(multiplier=random_unit((8, 8), signed=False, seed=5)))
    a, b = torch.rand(2, 1, 3, 4), torch.rand(5, 4, 6)
    for name in ("a_scale", "b_scale", "out_scale"):
        getattr(layer, name).fill_(1 / 255)
    for name in ("a_zero", "b_zero", "out_zero"):
        getattr(layer, name).fill_(7)
    layer.calibrated = True
    found = layer(a, b)
    assert found.shape == (2, 5, 3, 6)
    assert torch.equal(found, by_loops(layer, units.get(layer.rule.multiplier), a, b))


def test_the_left_operand_is_the_units_a() -> None:
    """A unit that ignores b: every product is a's code."""
    table = np.repeat(np.arange(256, dtype=np.int32)[:, None], 256, axis=1)
    x = torch.rand(1, 2, 10, generator=torch.Generator().manual_seed(0))
    net = approximate(
        Pair(), Plan({"product": Rule(multiplier=units.from_table(table, signed=False), coding="sign_magnitude")}), calibrate=x
    )
    with torch.no_grad():
        sums = net(x) / float(net.layers()["product"].a_scale * net.layers()["product"].b_scale)
        rows = torch.round(x[..., :5] / net.layers()["product"].a_scale).sum(-1, keepdim=True)
    assert torch.allclose(sums, rows.expand_as(sums), rtol=1e-5)


def test_gradients_of_both_operands_are_straight_through() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 10)
    net = approximate(Pair(), Plan(multiplier=random_unit((8, 8), signed=False, seed=1)), calibrate=1.1 * x)  # nothing is clipped
    given, plain = (x.clone().requires_grad_() for _ in range(2))
    torch.autograd.backward(net(given).sum())
    torch.autograd.backward(Pair()(plain).sum())
    assert given.grad is not None
    assert plain.grad is not None
    # the gradient of one operand is a sum of four quantised values of the other, each at most half a step off
    steps = max(float(net.layers()["product"].a_scale), float(net.layers()["product"].b_scale))
    assert float((given.grad - plain.grad).abs().max()) <= 4 * steps / 2 + 1e-5
    assert float(given.grad.abs().max()) > 0


def test_state_dict_and_copies_keep_the_answers() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 6, 10)
    plan = Plan(multiplier="drum(k=4)", coding="sign_magnitude", recovery="bias_correction(gain=true)")
    net = recover(approximate(Pair(), plan, calibrate=x), data=x)
    fresh = approximate(Pair(), plan)
    with pytest.raises(FormatError, match="product product must be calibrated"):
        fresh(x)
    fresh.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert torch.equal(net(x), fresh(x))
        assert torch.equal(net(x), copy.deepcopy(net)(x))


@pytest.mark.parametrize("recovery", ["bias_correction", "bias_correction(gain=true)", "shared_column"])
def test_recoveries_bring_a_biased_product_nearer(recovery: str) -> None:
    torch.manual_seed(0)
    x = torch.rand(32, 6, 10)
    net = approximate(Pair(), "trunc(cut=8)", calibrate=x)
    repaired = recover(net, recovery, data=x)
    with torch.no_grad():
        exact = Pair()(x)
        assert float((repaired(x) - exact).square().mean()) < 0.5 * float((net(x) - exact).square().mean())


def test_integer_requantisation_gives_codes() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 6, 10)
    net = approximate(Pair(), Plan(precision="int(requantisation=integer)"), calibrate=x)
    layer = net.layers()["product"]
    with torch.no_grad():
        found = net(x) / layer.out_scale
        assert float((found - found.round()).abs().max()) < 1e-3
        assert float((net(x) - Pair()(x)).abs().max()) < 3 * float(layer.out_scale) + 0.15


def test_nan_operands_name_the_product() -> None:
    x = torch.randn(3, 6, 10)
    net = approximate(Pair(), "exact", calibrate=x)
    x[0, 0, 7] = torch.nan
    with pytest.raises(FormatError, match="the right operand of product product must be finite"):
        net(x)


class Written(nn.Module):
    """Attention as users write it, in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))
        self.scale = nn.Parameter(torch.eye(8))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x @ self.scale).reshape(*x.shape[:2], 2, 4).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed: Tensor
        if self.way == "sdpa":
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        elif self.way == "at":
            mixed = torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v
        elif self.way == "method":
            mixed = q.matmul(k.transpose(-1, -2)).div(2).softmax(-1).matmul(v)
        elif self.way == "bmm":
            scores = torch.bmm(q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2)) / 2
            mixed = torch.bmm(scores.softmax(-1), v.flatten(0, 1)).reshape(len(x), 2, -1, 4)
        else:
            mixed = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-1, -2)) / 2, -1), v)
        return mixed


@pytest.mark.parametrize("way", ["sdpa", "at", "method", "bmm", "matmul"])
def test_products_written_as_calls_are_found_and_emulated(way: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 5, 8)
    model = nn.Sequential(Written(way), nn.Flatten())
    names = ["0.qk", "0.pv"] if way == "sdpa" else ["0.matmul", "0.matmul_1"]
    assert list(plannable(model, x)) == ["0.q", "0.k", "0.v", *names]
    net = approximate(model, Plan(dict.fromkeys(names, "exact")), calibrate=x)
    assert list(net.layers()) == names
    assert net.unplanned == ["0: matmul"]  # x @ scale: a weight
    with torch.no_grad():
        difference = (net(x) - model(x)).abs().max()
        assert 0 < float(difference) < 0.05
        broken = approximate(model, Plan({names[0]: random_unit((8, 8), signed=False, seed=0)}), calibrate=x)
        assert float((broken(x) - model(x)).abs().max()) > 0.05
        assert torch.equal(broken(x), copy.deepcopy(broken)(x))
        assert torch.equal(torch.cat([net(x[:1]), net(x[1:])]), net(x))


def test_copies_of_a_network_route_to_their_own_products() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 5, 8)
    net = approximate(Written("sdpa"), "exact", calibrate=x)
    twin = copy.deepcopy(net)
    before = net(x).detach()
    twin.layers()["qk"].gain.mul_(4)
    assert torch.equal(net(x), before)
    assert not torch.equal(twin(x), before)


def test_a_network_that_changes_its_products_is_refused() -> None:
    class Moody(Written):
        def forward(self, x: Tensor) -> Tensor:
            self.way = "sdpa" if len(x) < 3 else "at"
            return Written.forward(self, x)

    net = approximate(Moody("sdpa"), Plan({"qk": "exact", "pv": "exact"}), calibrate=torch.randn(2, 5, 8))
    with pytest.raises(PlanError, match="products of activations must come in the order seen in calibration; call 4 of the network itself"):
        net(torch.randn(4, 5, 8))


def test_other_multiplications_are_reported() -> None:
    class Others(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)
            self.up = nn.ConvTranspose1d(4, 4, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = F.linear(self.inner(x), self.inner.weight)
            y = self.up(y.transpose(1, 2)).transpose(1, 2)
            return torch.einsum("nij,nkj->nik", y, y)

    net = approximate(Others(), "exact", calibrate=torch.randn(2, 3, 4))
    assert list(net.layers()) == ["inner"]
    assert net.unplanned == ["the network itself: linear", "up: conv_transpose1d", "the network itself: einsum"]


def test_products_are_in_the_workload() -> None:
    model = Written("sdpa")
    layers = {layer.name: layer for layer in workload(model, (5, 8)).multiplying}
    assert list(layers) == ["q", "k", "v", "qk", "pv"]
    assert layers["qk"].macs == 2 * 5 * 5 * 4
    assert layers["pv"].macs == 2 * 5 * 4 * 5
    assert layers["qk"].kind == "product"
    net = approximate(model, Plan({"qk": "drum(k=4)"}), calibrate=torch.randn(2, 5, 8))
    planned = {layer.name: layer.arithmetic.multiplier for layer in workload(net).multiplying}
    assert planned == {"q": None, "k": None, "v": None, "qk": "drum(k=4)", "pv": None}


def test_units_too_wide_for_a_table_are_refused() -> None:
    with pytest.raises(PlanError, match=r"drum.* is for Conv2d and Linear layers, not for product p: give it operands of at most 8 bits"):
        ApproxProduct("p", Rule(multiplier="drum(k=6,width=12)", precision="int12"))
