"""Gradients an adaptive attacker takes: answers stay those of the emulated network to the last bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import AttackError
from inexact.nn import ApproxModel, Plan, Rule, approximate
from inexact.nn.gradients import gradients
from inexact.security.adversarial import Expected, Networks, NoisyInputs, RandomisedModel, Twin, adaptive_sources, exact_plan, with_gradient
from inexact.security.adversarial._randomised import redrawn

SHAPE = (3, 1, 6, 6)


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4)).eval()


def inputs(seed: int = 1) -> Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed))


def emulated(multiplier: str = "mitchell", gradient: str = "straight_through") -> ApproxModel:
    return approximate(network(), Plan(multiplier=multiplier, gradient=gradient), calibrate=inputs(2).repeat(4, 1, 1, 1))


def gradient_of(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    answer = model(x)
    (found,) = torch.autograd.grad(answer[:, 0].sum() + 2 * answer[:, 1].sum(), x)
    return answer.detach(), found


@pytest.mark.parametrize("gradient", ["linear_fit", "low_rank", "smoothed_difference"])
def test_a_copy_with_another_gradient_is_the_plan_with_it(gradient: str) -> None:
    plain, x = emulated(), inputs()
    changed = with_gradient(plain, gradient)
    assert changed is not None
    answer, found = gradient_of(changed, x)
    wanted, reference = gradient_of(emulated(gradient=gradient), x)
    assert torch.equal(answer, wanted)
    assert torch.equal(found, reference)
    assert torch.equal(gradient_of(plain, x)[0], answer)
    assert not torch.equal(gradient_of(plain, x)[1], found)  # and the original is as it was


def test_windows_shrink_with_the_operands() -> None:
    narrow = approximate(network(), Plan(multiplier="trunc(width=4,cut=2)", precision="int(a_bits=4,b_bits=4)"), calibrate=inputs(2))
    for gradient in ("low_rank", "smoothed_difference"):
        changed = with_gradient(narrow, gradient)
        assert isinstance(changed, ApproxModel)
        assert {layer.rule.gradient for layer in changed.layers().values()} == {gradients.get(f"{gradient}(half_window=1)").spec}
        assert torch.equal(changed(inputs()), narrow(inputs()))


def test_layers_without_a_table_have_no_other_gradient() -> None:
    assert with_gradient(emulated("exact"), "low_rank") is None
    assert with_gradient(network(), "low_rank") is None
    numbers = approximate(network(), Plan(precision="e4m3", multiplier="lmul(format=e4m3)"), calibrate=inputs(2))
    assert with_gradient(numbers, "low_rank") is None


def test_a_twin_answers_like_one_network_and_differentiates_like_the_other() -> None:
    net, twin, x = emulated(), network(), inputs()
    answer, found = gradient_of(Twin(net, twin), x)
    assert torch.equal(answer, gradient_of(net, x)[0])
    assert torch.equal(found, gradient_of(twin, x)[1])
    with torch.no_grad():
        assert torch.equal(Twin(net, twin)(x), answer)


def test_noisy_inputs_average_gradients_around() -> None:
    net, x = emulated(), inputs()
    torch.manual_seed(4)
    answer, found = gradient_of(NoisyInputs(net, 0.05, draws=3), x)
    assert torch.equal(answer, gradient_of(net, x)[0])
    torch.manual_seed(4)
    wanted = torch.stack([gradient_of(net, x + 0.05 * torch.randn_like(x))[1] for _ in range(3)]).mean(0)
    torch.testing.assert_close(found, wanted)


def test_a_randomised_network_draws_a_member_for_every_image() -> None:
    members = [emulated(spec) for spec in ("exact", "mitchell", "trunc(cut=6)")]
    x = inputs().repeat(20, 1, 1, 1)
    with torch.no_grad():
        every = torch.stack([member(x) for member in members])
        found = RandomisedModel(members, 3)(x)
        drawn = torch.randint(3, (60,), generator=torch.Generator().manual_seed(3))
        assert torch.equal(found, every[drawn, torch.arange(60)])
        assert sorted(set(drawn.tolist())) == [0, 1, 2]
        same = RandomisedModel(members, 3)
        assert torch.equal(same(x), found)
        assert not torch.equal(same(x), found)  # the next inference draws anew
    with pytest.raises(AttackError, match="a randomised network must be drawn from at least 2 plans, not 1"):
        RandomisedModel(members[:1], 0)


def test_draws_begin_anew_inside_other_modules() -> None:
    drawn, x = RandomisedModel([emulated("exact"), emulated("trunc(cut=7)")], 5), inputs().repeat(10, 1, 1, 1)
    twin = Twin(drawn, network())
    with torch.no_grad():
        first = redrawn(twin, 9)(x)
        assert torch.equal(redrawn(twin, 9)(x), first)
        assert torch.equal(RandomisedModel(list(drawn.members), 9)(x), first)
        assert not torch.equal(twin(x), first)


def test_expectation_averages_the_gradients_of_the_draws() -> None:
    members, x = [emulated("exact"), emulated("trunc(cut=7)")], inputs()
    _, found = gradient_of(Expected(RandomisedModel(members, 5), draws=4), x)
    reference = RandomisedModel(members, 5)
    wanted = torch.stack([gradient_of(reference, x)[1] for _ in range(4)]).mean(0)
    torch.testing.assert_close(found, wanted)
    with torch.no_grad():
        assert torch.equal(Expected(RandomisedModel(members, 5), draws=4)(x), RandomisedModel(members, 5)(x))


def test_every_network_is_attacked_as_often() -> None:
    original = network()
    exact = approximate(original, Plan(multiplier="exact"), calibrate=inputs(2))
    networks = Networks(float32=original, exact=exact, approximate=emulated(), scaling=(0.5, 0.5))
    names = [name for name, _ in adaptive_sources(networks, "approximate")]
    assert names == ["straight_through", "twin_exact", "twin_float32", "linear_fit", "low_rank", "smoothed_difference", "noisy_inputs"]
    assert len(list(adaptive_sources(networks, "exact"))) == len(list(adaptive_sources(networks, "float32"))) == len(names)
    drawn = Networks(float32=original, exact=exact, approximate=RandomisedModel([emulated(), emulated("exact")], 0), scaling=(0.5, 0.5))
    sources = dict(adaptive_sources(drawn, "approximate"))
    assert list(sources) == names
    assert all(isinstance(source, Expected) for source in sources.values())
    with pytest.raises(
        AttackError, match="a network of a campaign must be one of float32, exact, approximate, not 'exakt'; did you mean 'exact'"
    ):
        networks.named("exakt")


def test_the_exact_twin_of_a_plan() -> None:
    plan = Plan({"0": None, "3": Rule(multiplier="mitchell", reduction="zero_skipping", recovery="bias_correction")}, precision="w4a8")
    made = exact_plan(plan)
    assert made.rules["0"] is None
    assert made.rules["3"] == Rule()
    assert made.rules["default"] == Rule(precision="w4a8")
