"""Channel equalisation: its definition, what it leaves unchanged, what it costs, and that plan and state give the network back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import PlanError
from inexact.nn import ApproxLayer, ApproxModel, Plan, Rule, approximate, divide_channels, evaluate, planned_workload, workload
from inexact.recovery import recover
from inexact.recovery.automatic import LADDER, choose

CHANNELS = torch.tensor([1.0, 0.5, 30.0, 2.0, 0.1, 1.0])
ROWS = torch.randn(64, 7, 6, generator=torch.Generator().manual_seed(1)) * CHANNELS
IMAGES = torch.rand(40, 6, 6, 6, generator=torch.Generator().manual_seed(2)) * CHANNELS[:, None, None]


def dense() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3)).eval()


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(6, 8, 3, padding=1, groups=2), nn.ReLU(), nn.Conv2d(8, 4, 3, stride=2)).eval()


NETWORKS = {"dense": (dense, ROWS), "convolutional": (convolutional, IMAGES)}


def layer(net: ApproxModel, name: str = "0") -> ApproxLayer:
    found = net.layers()[name]
    assert isinstance(found, ApproxLayer)
    return found


def emulated(kind: str, unit: str = "trunc(cut=8)", coding: str = "unsigned") -> tuple[ApproxModel, nn.Module, Tensor]:
    make, x = NETWORKS[kind]
    return approximate(make(), Plan(multiplier=unit, coding=coding), calibrate=x), make(), x


def rms(net: nn.Module, model: nn.Module, x: Tensor) -> float:
    with torch.no_grad():
        return float((net(x) - model(x)).square().mean().sqrt())


@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.parametrize("kind", NETWORKS)
def test_the_divisors_are_the_definition(kind: str, alpha: float) -> None:
    """Channel by channel and, in groups, over the filters that read the channel; up to a factor that all share."""
    net, model, x = emulated(kind, "exact")
    found = layer(recover(net, f"equalisation(alphas=({alpha},))", data=x))
    weight = model[0].weight.detach()  # type: ignore[index]
    wanted = []
    for j in range(6):
        activations = x[..., j] if kind == "dense" else x[:, j]
        weights = weight[:, j] if kind == "dense" else weight[4 * (j // 3) : 4 * (j // 3) + 4, j % 3]
        wanted.append(float(activations.abs().max()) ** alpha / float(weights.abs().max()) ** (1 - alpha))
    assert found.divisors is not None
    shared = torch.tensor(wanted) / found.divisors
    assert torch.allclose(shared, shared[0].expand(6), rtol=1e-5)
    assert float(found.divisors.log().mean()) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("kind", "unit", "at_most"), [("dense", "trunc(cut=8)", 0.6), ("convolutional", "exact", 0.75)])
def test_in_float32_nothing_changes_and_through_the_unit_much(kind: str, unit: str, at_most: float) -> None:
    net, model, x = emulated(kind, unit)
    plain = recover(net, "bias_correction(gain=true,target=network)", data=x)
    found = recover(net, "equalisation", data=x)
    first = layer(found)
    assert first.divisors is not None
    received: list[Tensor] = []
    first.register_forward_pre_hook(lambda _layer, inputs: received.append(inputs[0]))
    assert rms(found, model, x) < at_most * rms(plain, model, x)
    with torch.no_grad():
        assert torch.allclose(first.float_output(received[0]), model[0](x), atol=1e-4)  # type: ignore[index]
        assert torch.equal(first.emulated(received[0]), first(x))  # hooks of callers see what enters the compiled layer
    assert layer(net).divisors is None


def test_a_layer_that_no_alpha_serves_stays_as_it_is() -> None:
    even = torch.randn(64, 6, generator=torch.Generator().manual_seed(3))
    model = dense()
    with torch.no_grad():
        model[0].weight[:, 2] *= 1e-4  # type: ignore[index]  # alpha 0 would give this channel the whole range of the input
    net = approximate(model, Plan({"0": "exact"}), calibrate=even)
    found = layer(recover(net, "equalisation(alphas=(0.0,))", data=even))
    assert found.divisors is None
    for name in ("weight", "a_scale", "a_zero", "b_scale", "b_zero"):
        assert torch.equal(found.state_dict()[name], layer(net).state_dict()[name])


@pytest.mark.parametrize("coding", ["unsigned", "signed"])
def test_plan_and_state_give_the_network_back(coding: str) -> None:
    unit = "sign_magnitude(multiplier=trunc(cut=6))" if coding == "signed" else "trunc(cut=8)"
    net, _, x = emulated("dense", unit, coding)
    chain = "equalisation + ranges(factors=(0.5,2.0)) + control_variate(columns=2,gain=true,target=network)"
    found = recover(net, chain, data=x)
    fresh = approximate(dense(), Plan.from_toml(found.plan.to_toml()))
    fresh.load_state_dict(found.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh(x), found(x))
        again = recover(found, "bias_correction", data=x)
        fresh.load_state_dict(net.state_dict() | {k: v for k, v in found.state_dict().items() if "control" in k})
    assert layer(again).divisors is not None
    assert layer(fresh).divisors is None


def test_a_second_time_starts_from_the_undivided_channels() -> None:
    net, _, x = emulated("dense", "exact")
    once, first = layer(recover(net, "equalisation(alphas=(0.6,))", data=x)), recover(net, "equalisation(alphas=(1.0,))", data=x)
    twice = layer(recover(first, "equalisation(alphas=(0.6,))", data=x))
    assert once.divisors is not None
    assert twice.divisors is not None
    assert not torch.equal(layer(first).divisors, twice.divisors)  # type: ignore[arg-type]
    assert torch.allclose(once.divisors, twice.divisors, rtol=1e-5)
    assert torch.allclose(once.weight, twice.weight, rtol=1e-5)


def test_later_layers_see_the_corrected_output() -> None:
    net, _, x = emulated("dense")
    found = recover(net, "equalisation", data=x)
    alone = approximate(dense(), Plan({"0": "trunc(cut=8)", "2": None}), calibrate=x)
    with torch.no_grad():
        assert torch.equal(recover(alone, "equalisation", data=x).model[0](x), found.model[0](x))  # type: ignore[index]
        hidden = nn.functional.gelu(found.model[0](x))  # type: ignore[index]
        last = layer(found, "2")
        assert last.divisors is not None
        seen = (hidden / last.divisors).amax()
    assert float((255 - last.a_zero) * last.a_scale) == pytest.approx(float(seen), rel=0.02)


def test_gradients_are_those_of_the_layer_before() -> None:
    net, model, x = emulated("dense", "exact")
    found = recover(net, "equalisation(alphas=(0.5,))", data=x)
    mine, theirs = (x.clone().requires_grad_() for _ in range(2))
    found(mine).sum().backward()
    model(theirs).sum().backward()
    assert mine.grad is not None
    assert theirs.grad is not None
    assert float(nn.functional.cosine_similarity(mine.grad.flatten(), theirs.grad.flatten(), dim=0)) > 0.999


def test_a_multiplication_an_input_is_charged() -> None:
    net, model, x = emulated("dense")
    found = recover(net, "equalisation", data=x)
    layers = {part.name: part for part in workload(found).layers}
    assert list(layers)[:2] == ["0.divisors", "0"]
    assert (layers["0.divisors"].kind, layers["0.divisors"].operands) == ("multiply", 1)
    assert layers["0.divisors"].inputs == layers["0.divisors"].outputs == 7 * 6
    planned = planned_workload(workload(model, (7, 6)), found.plan)
    assert [part.name for part in planned.layers] == list(layers)
    assert "0.divisors" not in {part.name for part in workload(net).layers}


@pytest.mark.parametrize(
    ("precision", "charged"),
    [("int8", ["0"]), ("int(granularity=per_tensor)", ["0", "2"]), ("int(requantisation=integer)", ["0", "2"])],
)
def test_nothing_is_charged_where_the_layer_before_has_a_scale_a_channel(precision: str, charged: list[str]) -> None:
    model = convolutional()
    found = approximate(model, Plan(precision=precision, recovery="equalisation"), calibrate=IMAGES)
    for name, channels in (("0", 6), ("2", 8)):
        divide_channels(layer(found, name), torch.arange(1.0, channels + 1))
    assert [part.name for part in workload(found).layers if part.kind == "multiply"] == [f"{name}.divisors" for name in charged]
    planned = planned_workload(workload(model, (6, 6, 6)), found.plan)
    assert [part.name for part in planned.layers] == [part.name for part in workload(found).layers]
    mixed = Plan({"0": None, "2": found.plan.rules["default"]})
    assert [part.name for part in planned_workload(workload(model, (6, 6, 6)), mixed).layers] == ["0", "2.divisors", "2"]


def test_one_channel_is_not_divided() -> None:
    x = torch.randn(40, 1, 6, 6, generator=torch.Generator().manual_seed(4))
    model = nn.Sequential(nn.Conv2d(1, 4, 3)).eval()
    found = recover(approximate(model, "trunc(cut=8)", calibrate=x), "equalisation(alphas=(0.5,))", data=x)
    assert layer(found).divisors is None
    planned = planned_workload(workload(model, (1, 6, 6)), found.plan)
    assert [part.name for part in planned.layers] == [part.name for part in workload(found).layers] == ["0"]


def test_transposed_convolutions_are_refused() -> None:
    net = approximate(nn.Sequential(nn.ConvTranspose2d(6, 4, 2)).eval(), "trunc(cut=6)", calibrate=IMAGES)
    with pytest.raises(
        PlanError, match="equalisation is not for transposed convolutions, of which layer 0 is one: give it another recovery"
    ):
        recover(net, "equalisation", data=IMAGES)


def test_the_ladder_comes_to_it_where_one_channel_sets_the_range() -> None:
    rows = ROWS[:, 0]
    model = dense()
    with torch.no_grad():
        model[0].weight /= CHANNELS  # type: ignore[index]
        labels = model(rows).argmax(1)
    net = approximate(model, Plan({"0": "trunc(cut=8)"}), calibrate=rows)
    exact = evaluate(approximate(model, Plan({"0": Rule(precision="int16")}), calibrate=rows), [(rows, labels)])
    ladder = LADDER[LADDER.index("ranges") : LADDER.index("equalisation + ranges") + 1 : 2]
    found = choose(net, exact, calibration=rows, decide=[(rows, labels)], max_drop=5, ladder=ladder)
    assert [trial.recovery for trial in found.trials] == ["ranges", "equalisation + ranges"]
    assert found.trials[0].drop > 10
    assert found.met
