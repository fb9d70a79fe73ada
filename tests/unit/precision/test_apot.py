"""Additive powers of two: levels, nearest codes, the multiplier that is exact on them, and what is stored."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import hardware, units
from inexact.core.errors import FormatError, PlanError, SpecError
from inexact.nn import ApproxLayer, Plan, Product, Rule, approximate, workload
from inexact.precision import AdditivePowersOfTwo, Quantiser, get


@pytest.mark.parametrize(
    ("base_bits", "terms", "levels"),
    [
        (1, 1, [0, 1]),
        (2, 1, [0, 1, 2, 4]),
        (3, 1, [0, 1, 2, 4, 8, 16, 32, 64]),
        # p0 of {0, 1, 1/4, 1/16}, p1 of {0, 1/2, 1/8, 1/32}, in 32nds: Li et al., section 2.2
        (2, 2, [0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48]),
        (1, 3, [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_levels_are_those_of_the_definition(base_bits: int, terms: int, levels: list[int]) -> None:
    form = AdditivePowersOfTwo(base_bits=base_bits, terms=terms)
    assert list(form.sizes) == levels
    assert form.stored_bits == 1 + base_bits * terms
    assert len(levels) == 2 ** (form.stored_bits - 1)
    assert form.b_bits == max(levels).bit_length() + 1


@pytest.mark.parametrize("spec", ["apot", "apot(base_bits=3,terms=1)", "apot(base_bits=2,terms=1)"])
def test_the_multiplier_of_shifts_is_exact_on_every_level(spec: str) -> None:
    form = get(spec)
    assert isinstance(form, AdditivePowersOfTwo)
    assert get(form.spec) == form
    unit = units.get(f"powers(terms={form.terms},width=(8,{form.b_bits - 1}))")
    a, b = np.meshgrid(np.arange(256), np.array(form.sizes))
    assert np.array_equal(unit(a, b), a * b)
    between = np.setdiff1d(np.arange(2 ** (form.b_bits - 1)), form.sizes)
    assert (unit(np.full(len(between), 255), between) != 255 * between).any()  # and not between them


def test_codes_are_the_nearest_level_and_round_trip() -> None:
    grid = AdditivePowersOfTwo().sizes
    quantiser = Quantiser(torch.tensor(0.25), torch.tensor(0.0), -48, 48, AdditivePowersOfTwo().b_grid)
    values = torch.linspace(-14, 14, 4001)
    codes = quantiser.quantise(values)
    signed = sorted({sign * size for size, sign in itertools.product(grid, (1, -1))})
    for value, code in zip(values.tolist(), codes.tolist(), strict=True):
        assert code in signed
        assert abs(value / 0.25 - code) == pytest.approx(min(abs(value / 0.25 - level) for level in signed), abs=1e-4)
    assert torch.equal(quantiser.quantise(quantiser.dequantise(codes)), codes)
    assert quantiser.quantise(torch.tensor([1.25 * 0.25 * 2, 100.0, -100.0])).tolist() == [2, 48, -48]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, groups=2), nn.Flatten(), nn.Linear(6 * 36, 5)).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(24, 3, 8, 8, generator=torch.Generator().manual_seed(1))  # negative too: zero points are not 0


@torch.no_grad()
def test_shifts_and_exact_products_give_the_same_network(model: nn.Module, images: Tensor) -> None:
    rules = [Rule(precision="apot", coding="sign_magnitude", multiplier=unit) for unit in ("exact", "powers(terms=2,width=(8,6))", "apot")]
    exact, powers, shifts = (approximate(model, Plan({"default": rule}), calibrate=images) for rule in rules)
    for layer in exact.layers().values():
        assert isinstance(layer, ApproxLayer)
        codes = layer.b_quantiser().quantise(layer.weight)
        assert set(codes.abs().flatten().tolist()) <= set(AdditivePowersOfTwo().sizes)
    assert torch.equal(exact(images), powers(images))
    assert torch.equal(exact(images), shifts(images))
    layer = shifts.layers()["0"]  # and with sums worked through in float64, of activations with a zero point
    assert isinstance(layer, ApproxLayer)
    assert layer.bias is not None
    assert float(layer.a_zero) != 0
    a = layer.a_quantiser().quantise(images).double() - layer.a_zero
    b = layer.b_quantiser().quantise(layer.weight).double()
    sums = torch.nn.functional.conv2d(a, b, padding=1) * (layer.a_scale.double() * layer.b_scale.double().reshape(1, -1, 1, 1))
    assert torch.equal(layer(images), sums.float() + layer.bias[:, None, None])


@torch.no_grad()
def test_a_least_squares_scale_is_no_worse_than_that_of_the_largest_weight(model: nn.Module) -> None:
    weight = model.get_submodule("0").weight
    assert isinstance(weight, Tensor)

    def error(method: str) -> float:
        quantiser = AdditivePowersOfTwo(base_bits=3, terms=1, weight_calibration=method).weights(weight, "sign_magnitude")
        return float((quantiser.dequantise(quantiser.quantise(weight)) - weight).square().mean())

    assert error("mse") < error("minmax")


def test_training_reaches_the_weights(model: nn.Module, images: Tensor) -> None:
    net = approximate(model, Plan({"default": Rule(precision="apot", coding="sign_magnitude")}), calibrate=images)
    net(images).square().sum().backward()
    for layer in net.layers().values():
        assert isinstance(layer, ApproxLayer)
        assert layer.weight.grad is not None
        assert layer.weight.grad.abs().sum() > 0


def test_memory_holds_the_stored_bits(model: nn.Module, images: Tensor) -> None:
    net = approximate(model, Plan({"default": Rule(precision="apot", coding="sign_magnitude")}), calibrate=images)
    asked = workload(net)
    assert [layer.stored for layer in asked.layers if layer.multiplies] == [pytest.approx(5 / 7)] * 3
    machine = hardware.load("edge-16x16")
    plain = approximate(model, Plan({"default": Rule(precision="w7a8", coding="sign_magnitude")}), calibrate=images)
    before, after = machine.evaluate(workload(plain)), machine.evaluate(asked)
    assert after.components["weight_buffer"][0] < before.components["weight_buffer"][0]
    assert after.components["multipliers"] == before.components["multipliers"]


def test_shifters_are_charged_by_the_stored_exponents(model: nn.Module, images: Tensor) -> None:
    """The netlist that is charged takes exponents; the one that takes binary codes looks them up first, and is larger."""
    pytest.importorskip("pyosys")
    asked = {}
    for unit in ("exact", "powers(terms=2,width=(8,6))", "apot"):
        net = approximate(model, Plan({"default": Rule(precision="apot", coding="sign_magnitude", multiplier=unit)}), calibrate=images)
        asked[unit] = hardware.load("edge-16x16").evaluate(workload(net))
    energies = {unit: cost.components["multipliers"] for unit, cost in asked.items()}
    assert energies["apot"] < energies["exact"] < energies["powers(terms=2,width=(8,6))"]
    areas = {unit: sum(triple[0] for triple in cost.area.values()) for unit, cost in asked.items()}
    assert areas["apot"] < areas["exact"]


@pytest.mark.parametrize(
    "spec", ["apot(base_bits=4)", "apot(terms=0)", "apot(base_bits=3,terms=2)", "apot(a_bits=1)", "apot(weight_calibration=best)"]
)
def test_bad_parameters_are_refused(spec: str) -> None:
    with pytest.raises(SpecError):
        get(spec)


def test_codings_and_layers_that_do_not_fit_are_refused() -> None:
    for coding in ("unsigned", "signed"):
        with pytest.raises(PlanError, match="codes weights in sign and magnitude: use coding 'sign_magnitude'"):
            Rule(precision="apot", coding=coding)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.product = Product()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.product(x, x.transpose(1, 2))
            return found

    with pytest.raises(FormatError, match="is a format of weights, and this product has none"):
        approximate(Attention(), Plan({"product": Rule(precision="apot", coding="sign_magnitude")}), calibrate=torch.randn(4, 3, 5))
