"""Layers and products of numbers that are not integers: exact sums against fractions, units, gradients, plans and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import FormatError, PlanError, SpecError, UnknownNameError
from inexact.core.numbers import SYSTEMS
from inexact.nn import ApproxLayer, Plan, Product, Rule, approximate, operand_histograms
from inexact.nn._numbers import WideSum, factors, number_sums
from inexact.precision import Number, Observer, get
from inexact.recovery import recover
from inexact.units import float_multipliers

NARROW = ["e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "posit8_0", "posit8_1", "posit8_2", "lns8"]
UNITS = [
    "float_mantissa(format=e4m3,multiplier=mitchell)",
    "float_mantissa(format=posit8_0,multiplier=drum(k=3))",
    "float_mantissa(format=e5m2,multiplier=mitchell)",
    "lmul(format=e4m3)",
    "lmul(format=e2m1)",
    "log_addition(powers=4)",
]


def exact_unit(system: str) -> str:
    return Rule(precision=system).unit.spec


@pytest.mark.parametrize("spec", [*map(exact_unit, NARROW), *UNITS])
def test_factors_give_every_product_of_the_unit(spec: str) -> None:
    unit, found = float_multipliers.get(spec), factors(spec)
    system = SYSTEMS[unit.format]
    codes = system.patterns(np.arange(len(system.sizes)))
    assert np.array_equal(found.left, np.rint(found.left))
    assert np.array_equal(found.right, np.rint(found.right))
    table = np.einsum("ra,rb->ab", found.left, found.right) * found.step
    assert np.array_equal(table, unit(codes[:, None], codes[None, :]))
    assert 2**found.product_bits > table.max() / found.step >= 2 ** (found.product_bits - 1)


def matrix_product(a: Tensor, b: Tensor, peak: int) -> Tensor:
    assert float(a.abs().max()) <= peak
    return a @ b


@pytest.mark.parametrize("spec", [*map(exact_unit, NARROW), *UNITS])
def test_sums_are_the_exact_ones_rounded_once(spec: str) -> None:
    unit, found = float_multipliers.get(spec), factors(spec)
    system = SYSTEMS[unit.format]
    top = len(system.sizes) - 1
    generator = np.random.default_rng(3)
    a, b = generator.integers(-top, top + 1, (9, 40)), generator.integers(-top, top + 1, (40, 7))
    a[0, 3:], b[3:, 0] = 0, 0  # one window of extremes that nearly cancel
    a[0, :3], b[:3, 0] = [top, top, 1], [top, -top, 1]
    table = unit(system.patterns(a)[:, :, None], system.patterns(b)[None])
    sums = number_sums(found, torch.from_numpy(a).float(), torch.from_numpy(b).float(), matrix_product, 40)
    for row, column in np.ndindex(9, 7):
        exact = sum((Fraction(value) for value in table[row, :, column].tolist()), Fraction(0)) / Fraction(found.step)
        assert float(sums[row, column]) == float(exact)  # float() of a fraction rounds correctly


def test_wide_sums_round_to_nearest_even_at_any_length() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        values = [
            (int(generator.integers(-(2**52), 2**52)) >> int(generator.integers(0, 52)), int(generator.integers(0, 99))) for _ in range(4)
        ]
        if generator.random() < 0.3:
            values.append((-values[0][0], values[0][1]))
        total = WideSum()
        for value, power in values:
            total.add(torch.tensor([float(value)], dtype=torch.float64), power)
        assert float(total.rounded(lambda: torch.zeros(1))) == float(sum(value << power for value, power in values))
    for value in (2**100 + 2**47, 2**100 + 2**47 + 1, 2**100 + 3 * 2**47, -(2**100) - 2**47, 2**53 + 1, 2**53 + 3, 2**103 + 2**50):
        total = WideSum()
        for place in range(0, 110, 40):
            part = (abs(value) >> place) & (2**40 - 1)
            total.add(torch.tensor([float(part if value > 0 else -part)], dtype=torch.float64), place)
        assert float(total.rounded(lambda: torch.zeros(1))) == float(value)


def small_network() -> nn.Sequential:
    torch.manual_seed(1)
    parts = [nn.Conv2d(3, 6, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=3), nn.ReLU(), nn.Flatten(), nn.Linear(54, 5)]
    return nn.Sequential(*parts).eval()


IMAGES = torch.randn(12, 3, 10, 10, generator=torch.Generator().manual_seed(2))


def by_hand(layer: nn.Conv2d | nn.Linear, x: Tensor, rule: Rule) -> Tensor:
    """One layer in float64 with the products of the unit, one by one: [N, O, everything else]."""
    seen, unit = Observer(), rule.unit
    seen.update(x)
    a, b = rule.format.activations(seen, "signed"), rule.format.weights(layer.weight, "signed")
    system = SYSTEMS[rule.format.system or ""]
    groups, windows = 1, x[:, None]
    if isinstance(layer, nn.Conv2d):
        assert not isinstance(layer.padding, str)
        groups = layer.groups
        windows = torch.nn.functional.unfold(x, 3, padding=layer.padding, stride=layer.stride).transpose(1, 2)
    codes = system.patterns(a.quantise(windows.reshape(len(x), -1, groups, windows.shape[-1] // groups)).long().numpy())
    kernels = system.patterns(b.quantise(layer.weight).flatten(1).long().numpy()).reshape(groups, -1, codes.shape[-1])
    products = unit(codes[:, :, :, None], kernels[None, None])
    sums = torch.from_numpy(products.sum(-1)).flatten(2).transpose(1, 2)
    assert layer.bias is not None
    return (sums * (a.scale.double() * b.scale.double().reshape(1, -1, 1))).float() + layer.bias.reshape(1, -1, 1)


@pytest.mark.parametrize("precision", ["e4m3", "e3m2", "e2m1", "posit8_0", "lns8"])
@pytest.mark.parametrize("number", [0, 2, 5])
def test_layers_compute_products_of_codes(precision: str, number: int) -> None:
    network = small_network()
    layer, rule = network[number], Rule(precision=precision)
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    with torch.no_grad():
        x = network[:number](IMAGES)
        net = approximate(nn.Sequential(layer), Plan(precision=precision), calibrate=x)
        assert torch.equal(net(x).flatten(2) if number < 5 else net(x)[:, :, None], by_hand(layer, x, rule))


@pytest.mark.parametrize("precision", NARROW)
def test_networks_stay_near_float(precision: str) -> None:
    network = small_network()
    with torch.no_grad():
        net, exact = approximate(network, Plan(precision=precision), calibrate=IMAGES), network(IMAGES)
        worst = {"e2m1": 0.5, "e3m2": 0.2, "e5m2": 0.2, "posit8_2": 0.15}.get(precision, 0.1)
        assert 0 < float((net(IMAGES) - exact).norm() / exact.norm()) < worst
        assert torch.equal(net(IMAGES[:5]), net(IMAGES)[:5])


@pytest.mark.parametrize("precision", ["e5m2", "posit8_2"])
def test_wide_numbers_agree_with_the_formula(precision: str) -> None:
    x = torch.randn(6, 40, generator=torch.Generator().manual_seed(4)) * torch.logspace(-4, 4, 40)
    torch.manual_seed(3)
    layer = nn.Linear(40, 5)
    with torch.no_grad():
        net = approximate(nn.Sequential(layer), Plan(precision=precision), calibrate=x)
        assert torch.allclose(net(x)[:, :, None], by_hand(layer, x, Rule(precision=precision)), rtol=1e-6, atol=1e-30)


def test_a_product_of_activations() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.product = Product()

        def forward(self, x: Tensor) -> Tensor:
            product: Tensor = self.product(x, x.transpose(-1, -2))
            return product

    x = torch.randn(3, 2, 4, 8, generator=torch.Generator().manual_seed(5))
    net = approximate(Both(), Plan(precision="e4m3"), calibrate=x)
    exact = x @ x.transpose(-1, -2)
    assert 0 < float((net(x) - exact).norm() / exact.norm()) < 0.05


def test_gradients_pass_straight_through_and_stop_where_clipped() -> None:
    net = approximate(small_network(), Plan(precision="e4m3"), calibrate=IMAGES)
    x = IMAGES.clone().requires_grad_()
    net(x).sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0
    first = next(layer for layer in net.layers().values() if isinstance(layer, ApproxLayer))
    far = torch.full_like(IMAGES[:1], 1e4).requires_grad_()
    first(far).sum().backward()
    assert far.grad is not None
    assert float(far.grad.abs().max()) == 0


def test_bias_correction_knows_the_error_of_a_float_unit() -> None:
    rule = Rule(precision="e4m3", multiplier="float_mantissa(format=e4m3,multiplier=mitchell)", recovery="bias_correction")
    network = nn.Sequential(small_network()[0])
    with torch.no_grad():
        raw = approximate(network, Plan({"0": rule}), calibrate=IMAGES)
        exact = approximate(network, Plan(precision="e4m3"), calibrate=IMAGES)
        better = recover(raw, data=IMAGES)
        errors = [float((net(IMAGES) - exact(IMAGES)).mean((0, 2, 3)).norm()) for net in (raw, better)]
    assert errors[1] < 1e-3 * errors[0]


def test_columns_need_integer_errors() -> None:
    net = approximate(small_network(), Plan(precision="e4m3", multiplier="lmul", recovery="shared_column"), calibrate=IMAGES)
    with pytest.raises(FormatError, match=r"errors of lmul.* are not integers, which shared_column needs: take bias_correction"):
        recover(net, data=IMAGES)


def test_histograms_count_codes() -> None:
    net = approximate(small_network(), Plan(precision="posit8_1"), calibrate=IMAGES)
    found = operand_histograms(net, IMAGES)
    assert found["0"].a.sum() == 12 * 3 * 12 * 12
    assert found["0"].b.sum() == 6 * 3 * 9
    assert found["0"].a[128] == 0  # not a number


def test_scales_are_searched() -> None:
    values = torch.randn(4000, generator=torch.Generator().manual_seed(6))
    seen = Observer()
    seen.update(values)
    errors = {}
    for method in ("minmax", "mse"):
        quantiser = Number(system="posit8_2", calibration=method).activations(seen, "signed")
        errors[method] = float((quantiser.dequantise(quantiser.quantise(values)) - values).square().mean())
    assert errors["mse"] < 0.01 * errors["minmax"]


def test_plans_keep_the_names(tmp_path: Path) -> None:
    plan = Plan({"0": Rule(precision="e5m2", multiplier="lmul(format=e5m2)")}, precision="posit8_2")
    plan.save(tmp_path / "p.toml")
    assert Plan.load(tmp_path / "p.toml") == plan
    assert get("e4m3").spec == "e4m3"
    assert get(get("number(system=e4m3,calibration=minmax)").spec) == Number(calibration="minmax")


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        ({"precision": "e4m4"}, UnknownNameError, "no format is called 'e4m4'; did you mean .*e4m3"),
        ({"precision": "number(system=bf16)"}, SpecError, "system must be one of e4m3, .* not 'bf16'"),
        ({"precision": "number(system=e4m3,percentile=40)"}, SpecError, "percentile must be above 50"),
        ({"precision": "e4m3", "multiplier": "mitchell"}, PlanError, "e4m3 needs a unit of e4m3, such as float_mantissa.*, not mitchell"),
        ({"multiplier": "lmul"}, PlanError, "int8 needs a unit of integers, not lmul"),
        ({"precision": "e4m3", "multiplier": "lmul(format=e5m2)"}, PlanError, "e4m3 needs a unit of e4m3, lmul.format=e5m2. is not"),
        ({"precision": "e4m3", "coding": "sign_magnitude"}, PlanError, "e4m3 has its own coding"),
        ({"precision": "e4m3", "accumulator": "accumulator(width=24)"}, PlanError, "sums of e4m3 are exact"),
        ({"precision": "e5m2", "recovery": "bias_correction"}, PlanError, "sums of e5m2 are too long for the integers of bias_correction"),
        ({"precision": "e4m3", "gradient": "linear_fit"}, PlanError, "the gradient of e4m3 must be straight_through, not linear_fit"),
    ],
)
def test_what_does_not_fit_is_refused(rule: dict[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Rule(**rule)


def test_reductions_meet_numbers() -> None:
    network = small_network()
    with torch.no_grad():
        plain = approximate(network, Plan(precision="e4m3"), calibrate=IMAGES)
        skipping = approximate(network, Plan(precision="e4m3", reduction="zero_skipping"), calibrate=IMAGES)
        assert torch.equal(plain(IMAGES), skipping(IMAGES))
        inputs = network[:2](IMAGES)
        share = float((inputs > 0).float().mean())
        assert skipping.works()["2"].multiplications == pytest.approx(share, abs=0.05)
        pruned = approximate(network, Plan(precision="e4m3", reduction="magnitude_pruning(fraction=0.5)"), calibrate=IMAGES)
        assert pruned.works()["0"].multiplications == pytest.approx(0.5, abs=0.01)
    for spec in ("sign_termination", "speculative_termination", "msb_prediction(bits=1)", "bit_serial_termination"):
        rectified = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU())
        with pytest.raises(PlanError, match="adds products of integers of one scale, which e4m3 has not: take int"):
            approximate(rectified, Plan(precision="e4m3", reduction=spec), calibrate=IMAGES.abs())
