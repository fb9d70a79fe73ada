"""Modes of reconfigurable units, weight by weight: against loops over products, each through the unit of its weight's mode."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from inexact import units
from inexact.core.errors import FormatError, PlanError
from inexact.nn import ApproxLayer, ApproxModel, Plan, Product, Rule, approximate
from inexact.nn import _modes as modes_module
from inexact.zoo import load_into, read_weights, write_weights

Emulated = tuple[ApproxModel, ApproxLayer, torch.Tensor]


def seeded(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def emulated(model: nn.Module, rule: Rule, x: torch.Tensor, *, seed: int = 3) -> Emulated:
    """With random modes, which are not those of the spec."""
    net = approximate(model, Plan({"default": rule}), calibrate=x)
    (layer,) = net.layers().values()
    assert isinstance(layer, ApproxLayer)
    assert layer.modes is not None
    layer.set_modes(torch.randint(0, 3, layer.modes.shape, generator=torch.Generator().manual_seed(seed)))
    return net, layer, x


def by_loops(layer: ApproxLayer, tables: list[np.ndarray], x: torch.Tensor) -> torch.Tensor:
    """A convolution or linear layer product by product; tables: of each mode, indexed by (a, b or its magnitude)."""
    rule, assigned = layer.rule, layer.modes
    assert assigned is not None
    a, b = (codes.detach().numpy().astype(int) for codes in (layer.a_codes(x), layer.b_codes()))
    a, b = (v.reshape(*v.shape, *[1] * (4 - v.ndim)) for v in (a, b))
    modes = assigned.expand(layer.weight.shape).numpy().reshape(b.shape)
    inside = np.broadcast_to(layer.inside(torch.Size(a.shape)).numpy(), a.shape) if layer.pads else np.ones(a.shape)
    za = int(layer.a_zero)
    zb = np.broadcast_to(layer.b_zero.numpy().reshape(-1).astype(int), (len(b),))
    groups, (height, width) = layer.contraction_groups, (a.shape[2] - b.shape[2] + 1, a.shape[3] - b.shape[3] + 1)
    sums = np.zeros((len(a), len(b), height, width))
    for n, o, i, j in itertools.product(*map(range, sums.shape)):
        for c, u, v in itertools.product(*map(range, b.shape[1:])):
            at = (n, o // (len(b) // groups) * b.shape[1] + c, i + u, j + v)
            if rule.padding == "skipped" and not inside[at]:
                continue
            p, w, table = int(a[at]), int(b[o, c, u, v]), tables[modes[o, c, u, v]]
            answer = int(np.sign(w)) * int(table[p, abs(w)]) if rule.coding == "sign_magnitude" else int(table[p, w])
            sums[n, o, i, j] += answer - za * w - int(zb[o]) * p + za * int(zb[o])
    scale = layer.a_scale.double().numpy() * np.broadcast_to(layer.b_scale.double().numpy().reshape(-1), (len(b),))
    result = (sums * scale.reshape(1, -1, 1, 1)).astype(np.float32)
    assert layer.bias is not None
    found = torch.from_numpy(result + layer.bias.detach().numpy().reshape(1, -1, 1, 1))
    return found.reshape(len(x), -1) if x.dim() == 2 else found


def tables_of(spec: str) -> list[np.ndarray]:
    return [unit.table() for unit in units.get(spec).modes().values()]


@pytest.fixture
def scrambled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[np.ndarray]]:
    """Three random asymmetric tables in place of the modes of pn: 768 different columns, which no single table holds."""
    rng = np.random.default_rng(1)
    tables = [rng.integers(0, 60000, (256, 256), dtype=np.int32) for _ in range(3)]
    made = tuple(units.from_table(table, signed=False, width=(8, 8)) for table in tables)

    def forget() -> None:
        modes_module._columns.cache_clear()
        modes_module.modal_errors.cache_clear()

    forget()
    monkeypatch.setattr(modes_module, "modes_of", lambda _spec: made)
    monkeypatch.setattr(modes_module, "own_mode", lambda _spec: 0)
    yield tables
    forget()


@pytest.mark.parametrize("coding", ["unsigned", "sign_magnitude"])
@pytest.mark.parametrize("padding", ["multiplied", "skipped"])
@pytest.mark.parametrize(("spec", "modes"), [("pn(mode=exact)", "per_weight"), ("lvrm(mode=2,second=7)", "per_filter")])
def test_a_convolution_is_its_products_each_in_the_mode_of_its_weight(spec: str, modes: str, padding: str, coding: str) -> None:
    x = seeded((2, 3, 4, 4)) + 0.3
    rule = Rule(multiplier=spec, modes=modes, padding=padding, coding=coding, precision="int(granularity=per_channel)")
    model = nn.Conv2d(3, 4, 3, padding=1)
    with torch.no_grad():
        model.weight.copy_(seeded((4, 3, 3, 3), 7) + 0.2)
    net, layer, x = emulated(model, rule, x)
    assert int(layer.a_zero) != 0
    assert coding == "sign_magnitude" or bool((layer.b_zero != 0).all())
    with torch.no_grad():
        assert torch.equal(net(x), by_loops(layer, tables_of(spec), x))
        assert torch.equal(layer.emulated(x), net(x))  # the portable path gives the bits of the compiled one


@pytest.mark.parametrize("groups", [1, 4])
def test_more_columns_than_a_table_holds_are_summed_in_parts(scrambled: list[np.ndarray], groups: int) -> None:
    x = seeded((1, 4, 7, 7)) + 0.4
    model = nn.Conv2d(4, 16, 6, groups=groups)
    with torch.no_grad():
        model.weight.copy_(seeded(tuple(model.weight.shape), 5) + 0.1)
    net, layer, x = emulated(model, Rule(multiplier="pn", modes="per_weight"), x)
    assert len(modes_module.parts_of(layer, layer.arithmetic.b_patterns(layer.b_codes()))) == (3 if groups == 1 else 2)
    with torch.no_grad():
        assert torch.equal(net(x), by_loops(layer, scrambled, x))


def test_a_linear_layer_of_few_columns_is_one_table_of_any_modes(scrambled: list[np.ndarray]) -> None:
    net, layer, x = emulated(nn.Linear(12, 5), Rule(multiplier="pn", modes="per_weight"), seeded((6, 12)) - 0.5)
    assert layer._prepared().whole
    with torch.no_grad():
        assert torch.equal(net(x), by_loops(layer, scrambled, x))


def test_errors_of_modes_are_those_the_sums_make() -> None:
    _, layer, x = emulated(nn.Linear(12, 5), Rule(multiplier="pn", modes="per_weight", recovery="bias_correction"), seeded((6, 12)))
    a, b = layer.a_codes(x), layer.b_codes()
    errors, rows, columns = (
        modes_module.error_columns(layer.rule),
        layer.arithmetic.a_patterns(a).long(),
        modes_module.answers(layer, layer.arithmetic.b_patterns(b)),
    )
    by_weight = errors[rows[:, None, :], columns[None]].sum(2)
    assert torch.equal(layer.sums(a, b) - layer.true_sums(a, b), by_weight.double())


def test_weights_start_in_the_mode_of_the_spec() -> None:
    x = seeded((4, 12))
    net = approximate(nn.Linear(12, 5), Plan(multiplier="pn(mode=negative)", modes="per_weight"), calibrate=x)
    (layer,) = net.layers().values()
    uniform = approximate(net_source(net), Plan(multiplier="pn(mode=negative)"), calibrate=x)
    assert isinstance(layer, ApproxLayer)
    assert layer.modes is not None
    assert set(layer.modes.flatten().tolist()) == {2}
    with torch.no_grad():
        assert torch.equal(net(x), uniform(x))


def net_source(net: ApproxModel) -> nn.Linear:
    """The float32 layer of an emulated one."""
    (layer,) = net.layers().values()
    assert isinstance(layer, ApproxLayer)
    source = nn.Linear(12, 5)
    source.load_state_dict({"weight": layer.weight.detach(), "bias": layer.state_dict()["bias"]})
    return source


def test_plan_and_weights_file_give_the_network_back(tmp_path: Path) -> None:
    rule = Rule(multiplier="pn", modes="per_filter", coding="sign_magnitude")
    net, _, x = emulated(nn.Conv2d(3, 4, 3), rule, seeded((2, 3, 5, 5)))
    write_weights(tmp_path / "net.safetensors", net)
    net.plan.save(tmp_path / "net.toml")
    plan = Plan.load(tmp_path / "net.toml")
    assert plan == net.plan
    assert 'modes = "per_filter"' in plan.to_toml()
    again = approximate(nn.Conv2d(3, 4, 3), plan)
    load_into(again, read_weights(tmp_path / "net.safetensors"), where="net.safetensors")
    with torch.no_grad():
        assert torch.equal(again(x), net(x))
    other = approximate(nn.Conv2d(3, 4, 3), Plan({"default": rule.but(modes="per_weight")}))
    with pytest.raises(Exception, match="modes"):
        load_into(other, read_weights(tmp_path / "net.safetensors"), where="net.safetensors")


def test_a_written_map_is_seen_by_the_next_call() -> None:
    net, layer, x = emulated(nn.Linear(12, 5), Rule(multiplier="pn(bits=6)", modes="per_weight"), seeded((6, 12)))
    with torch.no_grad():
        before = net(x)
        layer.set_modes(torch.zeros(5, 12, dtype=torch.int64))
        assert not torch.equal(net(x), before)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"multiplier": "drum(k=4)", "modes": "per_weight"}, r"modes 'per_weight' need a reconfigurable unit, such as pn or lvrm"),
        ({"multiplier": "pn", "modes": "per_layer"}, r"modes must be one of uniform, per_filter, per_weight, not 'per_layer'"),
        (
            {"multiplier": "pn", "modes": "per_weight", "accumulator": "accumulator(width=32)"},
            r"accumulator must be exact where weights have modes, not accumulator.*: leave one of them away",
        ),
        (
            {"multiplier": "pn", "modes": "per_weight", "coding": "sign_magnitude", "reduction": "structured_sparsity(n=2,m=4)"},
            r"reduction must be none where weights have modes",
        ),
        ({"multiplier": "lvrm", "modes": "per_filter", "gradient": "linear_fit"}, r"gradient must be straight_through where weights have"),
        (
            {"multiplier": "pn(width=(8,12))", "modes": "per_weight", "precision": "int(a_bits=8,b_bits=12)"},
            r"modes are for operands of at most 8 bits, which pn\(",
        ),
        ({"multiplier": "exact", "precision": "e4m3", "modes": "per_weight"}, r"modes 'per_weight' need a reconfigurable unit"),
    ],
)
def test_rules_that_modes_do_not_fit_are_refused(entries: dict[str, str], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Rule(**entries)


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        (torch.zeros(5, 11, dtype=torch.int64), r"the modes of layer .* must have the shape \[5, 12\], not \[5, 11\]"),
        (torch.full((5, 12), 3), r"must be integers among 0 \(exact\), 1 \(positive\), 2 \(negative\)"),
        (torch.zeros(5, 12), r"must be integers among 0 \(exact\)"),
    ],
)
def test_maps_that_do_not_fit_the_layer_are_refused(modes: torch.Tensor, message: str) -> None:
    _, layer, _ = emulated(nn.Linear(12, 5), Rule(multiplier="pn", modes="per_weight"), seeded((6, 12)))
    with pytest.raises(PlanError, match=message):
        layer.set_modes(modes)


def test_layers_without_weights_of_their_own_or_of_one_mode_take_no_map() -> None:
    uniform = approximate(nn.Linear(12, 5), Plan(multiplier="pn"), calibrate=seeded((6, 12)))
    (layer,) = uniform.layers().values()
    assert isinstance(layer, ApproxLayer)
    with pytest.raises(PlanError, match="has one mode for all its weights: give its rule modes = 'per_weight'"):
        layer.set_modes(torch.zeros(5, 12, dtype=torch.int64))
    plan = Plan(multiplier="pn", modes="per_weight")
    with pytest.raises(PlanError, match="modes of weights are for convolutions and Linear layers, not for layer"):
        approximate(nn.ConvTranspose2d(2, 3, 3), plan, calibrate=seeded((1, 2, 4, 4)))

    class Squared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.product = Product()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.product(x, x.transpose(-1, -2))
            return found

    with pytest.raises(PlanError, match="modes are stored with weights, which product product has none of"):
        approximate(Squared(), plan, calibrate=seeded((2, 3, 4)))


def test_signed_codes_need_a_signed_unit_with_modes() -> None:
    with pytest.raises((PlanError, FormatError), match="coding 'signed' needs a unit for signed operands"):
        Rule(multiplier="pn", modes="per_weight", coding="signed")
