"""Losses, noise, affine parameters, projection and settings against their definitions."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import inexact as ix
from inexact import units
from inexact.core.errors import PlanError, SpecError, UnknownNameError
from inexact.nn import ApproxModel, Plan, Rule
from inexact.recovery.training import Loss, enlarge, losses, project, run_finetune, supported_codes, trainings
from inexact.recovery.training._data import Images, generator_of, moved, order_of
from inexact.recovery.training._modes import Modes, measured_noise
from inexact.recovery.training._projection import nearest
from inexact.recovery.training._run import rate_at
from inexact.recovery.training._settings import Settings
from inexact.recovery.training._trained import Affine
from inexact.recovery.training.losses import Step
from inexact.recovery.training.losses.sensitivity import sensitivity

from .cases import data, emulated, images, layer, trained

SCORES = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]])
TEACHER = torch.tensor([[1.0, 0.0, 0.0], [0.5, 2.0, 2.5]])
LABELS = torch.tensor([0, 2])


def step(scores: Tensor = SCORES, teacher: Tensor | None = TEACHER) -> Step:
    return Step(scores=scores, labels=LABELS, teacher=teacher, weights=[], generator=torch.Generator())


def test_distillation_is_its_formula() -> None:
    alpha, t = 0.3, 2.0
    p, q = (np.exp(x.double().numpy() / t) for x in (TEACHER, SCORES))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    divergence = float((p * np.log(p / q)).sum(1).mean())
    whole = np.exp(SCORES.double().numpy())
    entropy = float(-np.log((whole / whole.sum(1, keepdims=True))[[0, 1], LABELS.numpy()]).mean())
    found = losses.get("distillation(alpha=0.3,temperature=2.0)").value(step())
    assert float(found) == pytest.approx((1 - alpha) * entropy + alpha * t * t * divergence, rel=1e-6)
    assert float(losses.get("cross_entropy").value(step())) == pytest.approx(entropy, rel=1e-6)
    assert float(losses.get("distillation(alpha=1.0)").value(step(teacher=SCORES))) == pytest.approx(0, abs=1e-6)
    with pytest.raises(SpecError, match="distillation needs the scores of a teacher; none came"):
        losses.get("distillation").value(step(teacher=None))


def test_sensitivity_of_a_linear_map_is_known() -> None:
    """y_k = w_k x: sum_k sum_i (d y_k / d w_ki s_k)**2 = sum_k s_k**2 |x|**2, whatever the signs drawn."""
    x, weight, size = torch.tensor([[1.0, 2.0, -3.0]]), torch.randn(4, 3, requires_grad=True), torch.tensor([[1.0], [2.0], [0.5], [3.0]])
    taken = Step(scores=x @ weight.T, labels=LABELS[:1], teacher=None, weights=[(weight, size)], generator=torch.Generator().manual_seed(1))
    assert float(sensitivity(taken)) == pytest.approx(14 * float(size.square().sum()))


def test_sensitivity_estimates_the_squared_jacobian_of_several_images() -> None:
    weight, size = torch.randn(4, 3, generator=torch.Generator().manual_seed(2)).requires_grad_(), torch.ones(4, 1)
    x, generator = torch.randn(5, 3, generator=torch.Generator().manual_seed(3)), torch.Generator().manual_seed(4)
    scores = torch.tanh(x @ weight.T)
    wanted = float(((1 - scores.detach().square()).square() * x.square().sum(1, keepdim=True)).sum()) / 5
    taken = Step(scores=scores, labels=torch.zeros(5), teacher=None, weights=[(weight, size)], generator=generator)
    draws = torch.stack([sensitivity(taken).detach() for _ in range(400)])
    assert abs(float(draws.mean()) - wanted) < 4 * float(draws.std()) / 20


def test_training_with_the_regulariser_lowers_the_sensitivity() -> None:
    def of(net: ApproxModel) -> float:
        x, y = images(64, 5)
        weights = [(layer(net, name).weight, layer(net, name).b_scale) for name in net.layers()]
        taken = Step(scores=net(x), labels=y, teacher=None, weights=weights, generator=torch.Generator().manual_seed(0))
        return float(sensitivity(taken).detach())

    plain, regular = (
        ix.finetune(emulated(), data(), f"finetune(epochs=3,rate=0.05,loss={loss})")
        for loss in ("cross_entropy", "sensitivity(strength=1.0)")
    )
    assert of(regular) < 0.8 * of(plain)


def test_measured_noise_of_a_constant_error_is_that_constant() -> None:
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    net = emulated(Plan(multiplier=units.from_table((a * b + 50).astype(np.int32), signed=False)))
    twin = copy.deepcopy(net)
    Modes(twin, images(8, 0)[0]).exact()
    noise = measured_noise(net, twin, images(32, 3)[0])
    for name, (mean, deviation) in noise.items():
        found = layer(net, name)
        taps = found.weight[0].numel()
        assert torch.allclose(mean, 50 * taps * found.a_scale * found.b_scale.flatten(), rtol=1e-4)
        assert float(deviation.max()) < 1e-3 * float(mean.min())


def test_noise_has_the_mean_and_deviation_measured_and_only_in_training() -> None:
    net = emulated()
    x = images(256, 3)[0]
    twin = copy.deepcopy(net)
    modes = Modes(twin, x)
    modes.exact()
    exact = twin(x).detach()
    noise = {"5": (torch.arange(4.0), torch.tensor([0.0, 1.0, 2.0, 3.0]))}
    modes.noisy(noise)
    modes.generator.manual_seed(0)
    error = (twin(x) - exact).detach()
    assert all(one.rule.exact for one in twin.layers().values())
    assert torch.allclose(error.mean(0), torch.arange(4.0), atol=4 * 3 / math.sqrt(256))
    assert torch.allclose(error.std(0), torch.arange(4.0), rtol=0.2, atol=1e-5)
    with torch.no_grad():
        assert torch.equal(twin(x), exact)
        modes.plain()
        assert torch.equal(twin(x), net(x))


@pytest.mark.parametrize("bias", [True, False])
def test_factors_and_constants_are_folded_without_changing_the_network(bias: bool) -> None:
    net = emulated(Plan(multiplier="mitchell", coding="unsigned"), bias=bias)
    affine = Affine(net, gains=True)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for gain, constant in zip(affine.gain, affine.constant, strict=True):
            gain.add_(0.1 * torch.randn(len(gain), generator=generator))
            constant.add_(0.05 * torch.randn(len(gain), generator=generator))
        x = images(64, 3)[0]
        attached = net(x)
        affine.fold()
        assert torch.equal(net(x), net(x))
        folded = net(x)
        affine.remove()
        assert torch.equal(net(x), folded)
    # a code of the next layer may round the other way: half a step here and there, no more
    assert float((attached - folded).abs().median()) < 1e-3
    assert float((attached - folded).abs().max()) < 0.2
    assert not torch.allclose(folded, emulated(Plan(multiplier="mitchell", coding="unsigned"), bias=bias)(x), atol=0.1)


@pytest.mark.parametrize(("name", "gains"), [("affine", True), ("bias", False)])
def test_affine_training_leaves_weights_and_wins(name: str, gains: bool) -> None:
    net = emulated()
    outcome = run_finetune(net, data(), f"finetune(epochs=3,rate=0.1,trained={name})")
    assert outcome.epochs[3].loss < outcome.epochs[1].loss
    for key in net.layers():
        before, after = layer(net, key), layer(outcome.net, key)
        assert torch.equal(before.weight, after.weight)
        assert torch.equal(before.b_scale, after.b_scale)
        assert torch.equal(before.gain, after.gain) is not gains
        assert before.bias is not None
        assert after.bias is not None
        assert not torch.equal(before.bias, after.bias)


@pytest.mark.parametrize("coding", ["unsigned", "sign_magnitude"])
def test_supported_codes_of_restricted_units(coding: str) -> None:
    alphabet = {"asm(alphabets=1)": {0, 1, 2, 4, 8}, "asm(alphabets=2)": {0, 1, 2, 3, 4, 6, 8, 12}}
    for unit, digits in alphabet.items():
        wanted = {high * 16 + low for high in digits for low in digits}
        if coding == "sign_magnitude":
            wanted = {sign * code for code in wanted if code < 128 for sign in (-1, 1)}
        assert set(supported_codes(Rule(multiplier=unit, coding=coding)).tolist()) == wanted
    powers = {0} | {2**k for k in range(8)}
    if coding == "sign_magnitude":
        powers = {0} | {sign * 2**k for k in range(7) for sign in (-1, 1)}
    assert set(supported_codes(Rule(multiplier="powers(terms=1)", coding=coding)).tolist()) == powers


def test_supported_codes_of_signed_operands() -> None:
    found = supported_codes(Rule(multiplier="powers(terms=1,signed=true)", coding="signed")).tolist()
    assert found == [-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64]


def test_nearest_takes_the_smaller_of_two_equally_near() -> None:
    held = torch.tensor([-4.0, 0.0, 4.0, 12.0])
    assert nearest(torch.tensor([-9.0, -2.0, 2.0, 3.0, 8.0, 20.0]), held).tolist() == [-4, 0, 0, 4, 4, 12]


@pytest.mark.parametrize("projection", ["end", "step"])
@pytest.mark.parametrize("unit", ["asm(alphabets=1)", "powers(terms=2)", "csd(digits=1)"])
def test_projected_weights_make_the_unit_exact(unit: str, projection: str) -> None:
    net = emulated(Plan(multiplier=unit, coding="sign_magnitude"))
    tuned = ix.finetune(net, data(), f"finetune(epochs=2,rate=0.05,projection={projection})")
    x = images(64, 3)[0]
    exact = copy.deepcopy(tuned)
    for one in exact.layers().values():
        one.restate(one.rule.but(multiplier="exact"))
    assert torch.equal(exact(x), tuned(x))
    assert not torch.equal(layer(tuned, "0").weight, layer(net, "0").weight)
    again = copy.deepcopy(tuned)
    project(again)
    assert torch.equal(again(x), tuned(x))


def test_projection_needs_weights_on_which_the_unit_is_exact() -> None:
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    nowhere = units.from_table((a * b + 1).astype(np.int32), signed=False)
    with pytest.raises(PlanError, match=r"projection needs a unit that is exact on some weights .* in layer 0 is exact on 0: leave proj"):
        ix.finetune(emulated(Plan(multiplier=nowhere)), data(), "finetune(projection=end)")
    with pytest.raises(PlanError, match="projection is for integer weights; apot in layer 0 rounds to its own values"):
        ix.finetune(emulated(Plan(precision="apot", coding="sign_magnitude")), data(), "finetune(projection=end)")


def test_weights_of_additive_powers_of_two_are_trained() -> None:
    net = emulated(Plan(precision="apot", coding="sign_magnitude"))
    outcome = run_finetune(net, data(), "finetune(epochs=2,rate=0.002)")
    assert outcome.epochs[2].loss < outcome.epochs[1].loss


def test_the_smallest_sufficient_alphabet() -> None:
    plan, held = Plan(multiplier="asm(alphabets=1)", coding="sign_magnitude"), data(128, seed=8)
    easy = enlarge(trained(), plan, data(), validation=held, quality=0.5)
    assert (easy.unit, easy.sufficient, len(easy.tried)) == ("asm(alphabets=1)", True, 1)
    names = ("csd(digits=1)", "asm(alphabets=1)")
    hard = enlarge(trained(), plan, data(64), validation=data(256, seed=1), units=names, quality=1.0, training="finetune(rate=1e-30)")
    assert [unit for unit, _ in hard.tried] == list(names)
    assert not hard.sufficient
    assert hard.tried[-1][1] < hard.required
    with pytest.raises(SpecError, match="quality must be above 0 and at most 1, not 0"):
        enlarge(trained(), plan, data(), validation=held, quality=0)
    with pytest.raises(SpecError, match="there must be at least one unit to try; none came"):
        enlarge(trained(), plan, data(), validation=held, units=())
    with pytest.raises(PlanError, match="must have an approximate rule, whose multiplier is replaced by each unit; it has none"):
        enlarge(trained(), Plan(precision="int8"), data(), validation=held)


def test_order_and_shifts_depend_on_seed_and_step_alone() -> None:
    x, y = images(10, 0)
    found = Images(x, y)
    first = order_of(found, 4, seed=1, epoch=0)
    assert [len(part) for part in first] == [4, 4, 2]
    assert sorted(torch.cat(first).tolist()) == list(range(10))
    assert not torch.equal(torch.cat(first), torch.cat(order_of(found, 4, seed=1, epoch=1)))
    once, again = (moved(x, shift=2, mirror=True, background=0.0, generator=generator_of(3, 7)) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once, x)
    assert moved(x, shift=0, mirror=False, background=0.0, generator=generator_of(3, 7)) is x


def test_rates() -> None:
    cosine, constant = Settings(rate=0.2), Settings(rate=0.2, schedule="constant")
    assert [round(rate_at(cosine, k, 4), 4) for k in range(4)] == [0.2, 0.1707, 0.1, 0.0293]
    assert rate_at(constant, 3, 4) == 0.2


def test_specs() -> None:
    spec = "finetune(epochs=2,rate=0.03,loss='distillation(alpha=0.9)',gradient='smoothed_difference(half_window=4)')"
    assert trainings.get(spec).spec == spec
    unquoted = "finetune(epochs=2,rate=0.03,loss=distillation(alpha=0.9),gradient=smoothed_difference(half_window=4))"
    assert trainings.get(unquoted) == trainings.get(spec)
    nested = losses.get("sensitivity(strength=0.5,base=distillation(alpha=0.1))")
    assert nested.needs_teacher
    assert losses.get(nested.spec) == nested
    assert isinstance(nested, Loss)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("finetune(epochs=0)", "epochs must be 1..1000, not 0"),
        ("finetune(epochs=1,exact_epochs=2)", "exact_epochs must be 0..epochs (0..1), not 2"),
        ("finetune(rate=0)", "rate must be a finite number above 0, not 0"),
        ("finetune(momentum=1.0)", "momentum must be at least 0 and below 1, not 1.0"),
        ("finetune(optimizer=adm)", "optimizer must be one of sgd, adam, not 'adm'; did you mean 'adam'?"),
        ("finetune(trained=bn)", "trained must be one of all, affine, bias, not 'bn'."),
        ("finetune(trained=bias,projection=end)", "projection=end moves weights, so trained must be 'all', not 'bias'"),
        ("finetune(trained=bias,loss=sensitivity)", "sensitivity looks at trained weights, so trained must be 'all', not 'bias'"),
        ("finetune(trained=bias,forward=noise)", "trained=bias fits factors and constants to the unit itself: it needs forward=emulated"),
        ("finetune(trained=affine,exact_epochs=1)", "and exact_epochs=0, not emulated and 1"),
        ("finetune(trained=bias,ranges=learned)", "ranges=learned goes with trained weights, so trained must be 'all', not 'bias'"),
        ("finetune(loss=sensitivity,ranges=learned)", "sensitivity is differentiated twice, which scales are not"),
        ("finetune(loss='distillation(alpha=2)')", "alpha must be 0..1, not 2"),
        ("finetune(loss='distillation(temperature=0)')", "temperature must be above 0, not 0"),
        ("finetune(loss='cross_entropy(smoothing=1)')", "smoothing must be at least 0 and below 1, not 1"),
        ("finetune(loss='sensitivity(strength=-1)')", "strength must be at least 0, not -1"),
    ],
)
def test_settings_out_of_range(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        trainings.get(spec)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match=r"no loss is called 'destillation'; did you mean 'distillation'\?"):
        trainings.get("finetune(loss=destillation)")
    with pytest.raises(UnknownNameError, match="no gradient is called 'none'"):
        trainings.get("finetune(gradient=none)")


def test_modules_of_the_original_model_stay_float() -> None:
    model = trained()
    ix.finetune(emulated(), data(64))
    assert all(not isinstance(module, ApproxModel) for module in model.modules())
    assert isinstance(model[0], nn.Conv2d)  # type: ignore[index]
