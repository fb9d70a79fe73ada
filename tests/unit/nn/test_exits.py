"""Early exits: where inputs leave, what is refused, and what the account makes of those that leave."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from inexact import hardware
from inexact.core.errors import DataError, PlanError
from inexact.core.workload import LayerWorkload
from inexact.nn import (
    ApproxModel,
    ExitHead,
    ExitNetwork,
    Exits,
    Plan,
    Routes,
    Rule,
    approximate,
    exits_of,
    planned_workload,
    routes,
    settle_exits,
    with_exits,
    workload,
)
from inexact.recovery import recover

AFTER = ("early", "middle")


def sequential() -> nn.Module:
    torch.manual_seed(0)
    parts: dict[str, nn.Module] = {
        "early": nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        "middle": nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.ReLU()),
        "late": nn.Conv2d(8, 8, 3, padding=1),
        "pool": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "fc": nn.Linear(8, 3),
    }
    network = nn.Sequential()
    for name, part in parts.items():
        network.add_module(name, part)
    return _trained_norms(network)


def written() -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.early = nn.Conv2d(1, 4, 3, padding=1)
            self.gain = nn.Parameter(torch.full((1, 4, 1, 1), 1.5))
            self.middle = nn.Conv2d(4, 8, 3, stride=2, padding=1)
            self.late = nn.Conv2d(8, 8, 3, padding=1)
            self.fc = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.middle(torch.relu(self.early(x)) * self.gain))
            found: Tensor = self.fc(torch.relu(self.late(x)).mean((2, 3)))
            return found

    torch.manual_seed(1)
    return Net().eval()


def _trained_norms(network: nn.Module) -> nn.Module:
    network.train()
    with torch.no_grad():
        network(torch.randn(64, 1, 8, 8))
    return network.eval()


@pytest.fixture(params=[sequential, written])
def model(request: pytest.FixtureRequest) -> nn.Module:
    make: Callable[[], nn.Module] = request.param
    found = make()
    found.input_shape = (1, 8, 8)  # type: ignore[assignment]
    return found


@pytest.fixture
def images() -> Tensor:
    return torch.randn(96, 1, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def data(model: nn.Module, images: Tensor) -> TensorDataset:
    with torch.no_grad():
        return TensorDataset(images, model(images).argmax(1))


def confident(model: nn.Module) -> ExitNetwork:
    """Exits with weights large enough for probabilities of all sizes."""
    net = with_exits(model, AFTER)
    with torch.no_grad():
        for head, factor in zip(heads_of(net), (4, 40), strict=True):
            head.linear.weight.mul_(factor)
    return net


def heads_of(net: ExitNetwork) -> list[ExitHead]:
    return [head for head in net.exits if isinstance(head, ExitHead)]


def by_hand(net: ExitNetwork, x: Tensor, tau: float) -> tuple[Tensor, int]:
    """One input, stage by stage, stopping where hardware stops."""
    seen: dict[str, Tensor] = {}
    handles = [
        net.get_submodule(name).register_forward_hook(lambda _m, _i, output, name=name: seen.update({name: output})) for name in AFTER
    ]
    net.set_thresholds(1.0)
    last = net(x)
    for handle in handles:
        handle.remove()
    for place, name in enumerate(AFTER):
        head = heads_of(net)[place]
        pooled = functional.adaptive_avg_pool2d(seen[name], min(4, seen[name].shape[2])).flatten(1)
        logits = pooled @ head.linear.weight.T + head.linear.bias
        if float(logits.exp().max() / logits.exp().sum()) > tau:
            return logits, place
    return last, len(AFTER)


@torch.no_grad()
def test_every_input_gets_the_answer_of_the_exit_it_leaves_at(model: nn.Module, images: Tensor) -> None:
    net = confident(model)
    net.set_thresholds(0.6)
    found, stops = net(images), net.stops.clone()
    assert sorted(set(stops.tolist())) == [0, 1, 2]
    for n in range(len(images)):
        wanted, place = by_hand(net, images[n : n + 1], 0.6)
        assert place == int(stops[n])
        assert torch.allclose(found[n], wanted[0], atol=1e-5)


@torch.no_grad()
def test_every_exit_may_have_its_threshold_and_a_closed_one_is_not_computed(model: nn.Module, images: Tensor, data: TensorDataset) -> None:
    net = confident(model)
    found = settle_exits(net, Exits(after=AFTER, tau=(0.5, 0.7)), data)
    net(images)
    stops = net.stops.clone()
    assert sorted(set(stops.tolist())) == [0, 1, 2]
    leaves = found.confidence > torch.tensor([0.5, 0.7], dtype=torch.float64)
    assert stops.tolist() == [0 if first else 1 if second else 2 for first, second in leaves.tolist()]
    settle_exits(net, Exits(after=AFTER, tau=(1.0, 0.7)), data)
    answers = net(images)
    assert net.thresholds == (1.0, 0.7)
    assert net.stops.tolist() == [1 if second else 2 for _, second in leaves.tolist()]
    share = float((~leaves[:, 1]).double().mean())
    assert net.reach.tolist() == pytest.approx([1, 1, share])
    asked = {layer.name: layer.reached for layer in workload(net).layers}
    assert "exits.0.linear" not in asked
    assert (asked["exits.1.linear"], asked["fc"]) == pytest.approx((1, share))
    plain = net.without()
    assert not isinstance(plain, ExitNetwork)
    assert torch.equal(plain(images)[net.stops == 2], answers[net.stops == 2])
    assert {layer.name for layer in workload(plain, (1, 8, 8)).multiplying} == set(asked) & {layer.name for layer in whole_of(net)}


def whole_of(net: ExitNetwork) -> list[LayerWorkload]:
    """The layers of the network that multiply, its exits left out."""
    return [layer for layer in workload(net).multiplying if not layer.name.startswith("exits.")]


@torch.no_grad()
def test_without_confidence_the_network_is_what_it_was(model: nn.Module, images: Tensor) -> None:
    before = copy.deepcopy(model.state_dict())
    net = with_exits(model, AFTER)
    assert torch.allclose(net(images), model(images), atol=1e-5)
    assert net.stops.tolist() == [2] * len(images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not hasattr(model, "exits")


@torch.no_grad()
def test_a_plan_names_layers_as_before_and_the_exits(model: nn.Module, images: Tensor) -> None:
    """The emulation with exits is, layer by layer, that of the network without."""
    exits = Exits(after=AFTER, tau=0.6)
    net = approximate(confident(model), Plan(precision="int8", coding="signed", exits=exits), calibrate=images)
    plain = approximate(model, Plan(precision="int8", coding="signed"), calibrate=images)
    assert list(net.layers()) == [*plain.layers(), "exits.0.linear", "exits.1.linear"]
    assert torch.equal(net(images), plain(images))  # tau is 1 until it is settled
    network = exits_of(net)
    assert network is not None
    network.set_thresholds(0.6)
    together = net(images)
    assert len(set(network.stops.tolist())) == 3
    alone = torch.cat([net(images[n : n + 1]) for n in range(len(images))])
    assert torch.equal(together, alone)
    mixed = approximate(confident(model), Plan({"late": "exact", "exits.*": "trunc(cut=4)"}), calibrate=images)
    assert {name: layer.rule.multiplier for name, layer in mixed.layers().items()} == {
        "late": "exact",
        "exits.0.linear": "trunc(cut=4)",
        "exits.1.linear": "trunc(cut=4)",
    }


@torch.no_grad()
def test_threshold_and_shares_travel_with_the_weights(model: nn.Module, images: Tensor, data: TensorDataset) -> None:
    plan = Plan(precision="int8", recovery="bias_correction", exits=Exits(after=AFTER, tau=0.6))
    net = recover(approximate(confident(model), plan, calibrate=images), data=images)
    assert plan.exits is not None
    settle_exits(net, plan.exits, data)
    fresh = approximate(with_exits(model, AFTER), plan)
    fresh.load_state_dict(net.state_dict())
    assert torch.equal(fresh(images), net(images))
    assert reach_of(fresh) == reach_of(net)
    assert 1 > reach_of(net)[1] > reach_of(net)[2] > 0


def reach_of(net: ApproxModel) -> list[float]:
    found = exits_of(net)
    assert found is not None
    return list(found.reach.tolist())


@torch.no_grad()
def test_shares_are_those_counted(model: nn.Module, data: TensorDataset, images: Tensor) -> None:
    net = confident(model)
    found = settle_exits(net, Exits(after=AFTER, tau=0.6), data)
    net(images)
    counts = [int((net.stops == place).sum()) for place in range(3)]
    assert found.shares(0.6) == pytest.approx([count / 96 for count in counts])
    assert net.reach.tolist() == pytest.approx([1, 1 - counts[0] / 96, counts[2] / 96])
    right = net(images).argmax(1) == data.tensors[1]
    assert found.accuracy(0.6) == pytest.approx(100 * float(right.double().mean()))


def test_a_threshold_keeps_the_budget_and_is_the_smallest() -> None:
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(400, 2, generator=generator).double()
    correct = torch.cat([torch.rand(400, 2, generator=generator).double() < confidence, torch.ones(400, 1, dtype=torch.bool)], 1)
    found = Routes(confidence=confidence, correct=correct)
    tau = found.threshold(95.0)
    assert tau is not None
    assert all(found.accuracy(step / 1000) >= 95 for step in range(round(1000 * tau), 1001))
    assert found.accuracy(tau - 0.001) < 95
    never = Routes(confidence=confidence, correct=torch.zeros(400, 3, dtype=torch.bool))
    assert never.threshold(0.1) is None


def test_a_budget_is_counted_from_float32(model: nn.Module, data: TensorDataset) -> None:
    net = confident(model)
    settle_exits(net, Exits(after=AFTER, budget=30), data, float_top1=100.0)
    assert 0 < net.thresholds[0] == net.thresholds[1] < 1
    assert routes(net, data).accuracy(net.thresholds) >= 70
    message = r"within 0\.5 points of float32, but the best is 5\.00 points at tau = .*, and without exits it is 5\.00; raise the budget"
    with pytest.raises(PlanError, match=message):
        settle_exits(net, Exits(after=AFTER, budget=0.5), data, float_top1=105.0)
    with pytest.raises(PlanError, match="must be counted from the float32 network: give float_top1"):
        settle_exits(net, Exits(after=AFTER, budget=0.5), data)


def test_what_is_not_reached_is_not_charged(model: nn.Module, images: Tensor) -> None:
    plan = Plan(precision="int8", coding="signed", exits=Exits(after=AFTER, tau=0.6))
    net = approximate(confident(model), plan, calibrate=images)
    machine = hardware.load("edge-16x16")
    whole = machine.evaluate(workload(net))
    assert (
        whole.to_json().keys() == machine.evaluate(workload(approximate(model, Plan(precision="int8"), calibrate=images))).to_json().keys()
    )
    network = exits_of(net)
    assert network is not None
    network.reach.copy_(torch.tensor([1.0, 0.5, 0.25]))
    asked = workload(net)
    shares = {layer.name: layer.reached for layer in asked.layers}
    names = [layer.name for layer in asked.layers]
    first, second = names.index("exits.0.linear"), names.index("exits.1.linear")
    assert [name.partition("_")[0] for name in names[first + 1 : first + 3]] == ["softmax", "pool"]
    assert [shares[name] for name in names] == [1.0] * (first + 3) + [0.5] * (second - first) + [0.25] * (len(names) - second - 3)
    cost = machine.evaluate(asked)
    for before, after in zip(whole.layers, cost.layers, strict=True):
        assert after.energy == {name: tuple(value * shares[after.name] for value in triple) for name, triple in before.energy.items()}
    assert cost.cycles.value == pytest.approx(sum(layer.cycles * shares[layer.name] for layer in whole.layers))
    assert cost.worst_latency_ms.value == whole.latency_ms.value > cost.latency_ms.value
    found = cost.to_json()
    assert found["worst_latency_ms"]["value"] == whole.latency_ms.value
    assert [layer["reached"] for layer in found["layers"]] == [shares[name] for name in names]
    assert all(layer.reached == 1 for layer in hardware.baseline(asked).layers if layer.multiplies)


def test_a_plan_file_holds_its_exits() -> None:
    each = Plan({"a*": Rule()}, exits=Exits(after=AFTER, tau=(0.5, 1.0)))
    assert Plan.from_toml(each.to_toml()) == each
    plan = Plan({"a*": Rule()}, exits=Exits(after=AFTER, budget=0.5, pool=2, weights="heads.safetensors"))
    assert Plan.from_toml(plan.to_toml()) == plan
    assert Plan.from_toml(plan.to_toml()).exits == plan.exits
    assert plan != Plan({"a*": Rule()})
    assert plan.keep("fc").with_rule("b", Rule()).exits == plan.exits
    assert "exits" in repr(plan)
    assert dataclasses.asdict(Exits(after=AFTER, tau=0.5)) | {"tau": None} == dataclasses.asdict(Exits(after=AFTER, tau=1)) | {"tau": None}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"after": ["a"], "tau": 0.0}, "tau of exits must be above 0 and at most 1, not 0.0"),
        ({"after": ["a"], "tau": 1.5}, "tau of exits must be above 0 and at most 1, not 1.5"),
        ({"after": ["a", "b"], "tau": [0.5, 1.5]}, "tau of exits must be above 0 and at most 1, not 1.5"),
        ({"after": ["a", "b"], "tau": [0.5]}, r"tau of exits must be one number, or one for each of the 2 exits, not \(0\.5,\)"),
        ({"after": ["a"], "tau": "high"}, "tau of exits must be above 0 and at most 1, not 'high'"),
        ({"after": ["a"], "budget": -1}, r"budget of exits must be 0\.\.100 points, not -1"),
        ({"after": ["a"], "tau": 0.5, "budget": 1}, "either tau, the confidence an input leaves at, or budget"),
        ({"after": ["a"]}, "either tau, the confidence an input leaves at, or budget"),
        ({"after": [], "tau": 0.5}, r"after of exits must be a list of different module names, not \(\)"),
        ({"after": "stage1", "tau": 0.5}, "after of exits must be a list of different module names, not 'stage1'"),
        ({"after": ["a", "a"], "tau": 0.5}, "after of exits must be a list of different module names"),
        ({"after": ["a"], "tau": 0.5, "pool": 0}, r"pool of exits must be a whole number 1\.\.8, not 0"),
        ({"after": ["a"], "tau": 0.5, "weights": 3}, "weights of exits must be the name of a file, not 3"),
        ({"after": ["a"], "taus": 0.5}, r"\[plan.exits\] has no entry 'taus'; did you mean 'tau'"),
        ({"tau": 0.5}, r"\[plan.exits\] must be a table with after"),
    ],
)
def test_bad_exits_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Exits.from_dict(values)


def test_exits_that_do_not_fit_the_network_are_refused(model: nn.Module, images: Tensor) -> None:
    with pytest.raises(PlanError, match=r"exits must come after modules of the network; there is no 'midle'; did you mean 'middle'"):
        with_exits(model, ["early", "midle"])
    with pytest.raises(PlanError, match="modules that run once, in the order they run; the network ran early, middle"):
        with_exits(model, ["middle", "early"])
    with pytest.raises(PlanError, match=r"must be applied to a network that has them, not after none: make it with nn\.with_exits"):
        approximate(model, Plan(precision="int8", exits=Exits(after=AFTER, tau=0.5)), calibrate=images)
    with pytest.raises(PlanError, match="routes are those of a network with exits"):
        routes(model, TensorDataset(images, torch.zeros(len(images), dtype=torch.int64)))
    with pytest.raises(DataError, match="exits need labels to be judged"):
        routes(with_exits(model, AFTER), images)
    with pytest.raises(DataError, match="data must hold at least one image; it is empty"):
        routes(with_exits(model, AFTER), [])
    with pytest.raises(PlanError, match="what exits save must be measured on data: give the network itself"):
        planned_workload(workload(model), Plan(precision="int8", exits=Exits(after=AFTER, tau=0.5)))


def test_names_and_inputs_that_exits_need() -> None:
    net = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(PlanError, match="an example input must be given to put exits into a network that carries no input_shape"):
        with_exits(net, ["0"])
    assert with_exits(net, ["0"], example=torch.zeros(1, 4))(torch.zeros(2, 4)).shape == (2, 3)
    net.add_module("exits", nn.Identity())
    with pytest.raises(PlanError, match="a network with a module called 'exits' cannot be given exits; rename it"):
        with_exits(net, ["0"], example=torch.zeros(1, 4))
