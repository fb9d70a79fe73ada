"""Fine-tuning: it wins accuracy back, repeats itself, survives a break, and refuses what it cannot do."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import inexact as ix
from inexact.core.errors import CheckpointError, DataError, PlanError, SpecError
from inexact.nn import ApproxModel, Correction, Plan, Rule, approximate, evaluate
from inexact.recovery.training import Epoch, Outcome, run_finetune

from .cases import data, emulated, images, layer, same, trained, weights

GRADIENTS = ("straight_through", "linear_fit", "low_rank(rank=2)", "smoothed_difference(half_window=16)")


def test_it_wins_accuracy_back_and_leaves_the_original() -> None:
    net = emulated()
    before, held = copy.deepcopy(net.state_dict()), data(256, seed=9)
    tuned = ix.finetune(net, data(), "finetune(epochs=4,rate=0.05)")
    assert evaluate(tuned, held).top1 > evaluate(net, held).top1 + 20
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert tuned.plan == net.plan
    assert [one.rule for one in tuned.layers().values()] == [one.rule for one in net.layers().values()]
    assert all(parameter.requires_grad for parameter in tuned.parameters())
    assert not tuned.training


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_every_gradient_trains(gradient: str) -> None:
    plan = Plan(multiplier="mitchell", coding="unsigned", gradient=gradient)
    outcome = run_finetune(emulated(plan), data(), "finetune(epochs=2,rate=0.05)")
    assert outcome.epochs[2].loss < outcome.epochs[1].loss


def test_the_settings_gradient_goes_before_the_plans() -> None:
    net = emulated(Plan(multiplier="mitchell", coding="unsigned"))
    other = emulated(Plan(multiplier="mitchell", coding="unsigned", gradient="linear_fit"))
    by_setting = ix.finetune(net, data(64), "finetune(gradient=linear_fit)")
    assert same(by_setting, ix.finetune(other, data(64)))
    assert not same(by_setting, ix.finetune(net, data(64)))
    assert layer(by_setting, "0").rule.gradient == "straight_through"


def test_same_seed_same_network_and_the_random_state_is_left() -> None:
    torch.manual_seed(5)
    before, net = torch.random.get_rng_state(), emulated()
    first = ix.finetune(net, data(), seed=3)
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(first, ix.finetune(net, data(), seed=3))
    assert not same(first, ix.finetune(net, data(), seed=4))


@pytest.mark.parametrize(
    ("training", "stops"),
    [
        ("finetune(epochs=2,batch=32)", (2, 6, 8)),
        ("finetune(epochs=2,batch=32,optimizer=adam,rate=0.001,shift=1,mirror=true,ranges=learned)", (6,)),
        ("finetune(epochs=2,batch=32,trained=affine,ranges=each_epoch)", (6,)),
        ("finetune(epochs=2,batch=32,forward=noise)", (6,)),
        ("finetune(epochs=2,batch=32,exact_epochs=1)", (2, 6)),
        ("finetune(epochs=2,batch=32,loss='sensitivity(strength=0.1)')", (6,)),
    ],
)
def test_a_broken_training_ends_as_an_unbroken_one(training: str, stops: tuple[int, ...], tmp_path: Path) -> None:
    net, path = emulated(), tmp_path / "net.checkpoint"
    whole = run_finetune(net, data(), training, validation=data(64, seed=7))

    def run(*, stop: int | None = None) -> Outcome:
        def interrupt(moment: Epoch) -> None:
            if (moment.epoch - 1) * moment.steps + moment.step == stop:
                raise KeyboardInterrupt

        return run_finetune(
            net, data(), training, validation=data(64, seed=7), checkpoint=path, resume=stop is None, save_seconds=0, progress=interrupt
        )

    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            run(stop=stop)
        assert path.exists()
        resumed = run()
        assert same(resumed.net, whole.net), stop
        assert resumed.epochs[1:] == whole.epochs[1:]
        assert not path.exists()


def test_checkpoints_of_others_are_refused(tmp_path: Path) -> None:
    net, path = emulated(), tmp_path / "net.checkpoint"

    def interrupt(_moment: Epoch) -> None:
        raise KeyboardInterrupt

    def run(training: str = "finetune", *, resume: bool = True, seed: int = 0) -> None:
        run_finetune(net, data(), training, checkpoint=path, resume=resume, seed=seed, save_seconds=0, progress=interrupt)

    with pytest.raises(KeyboardInterrupt):
        run()
    with pytest.raises(CheckpointError, match=r"an unfinished training lies in .*net\.checkpoint; continue it with resume or delete it"):
        run(resume=False)
    with pytest.raises(CheckpointError, match=r"must belong to this training, but its seed is 0, not 1; delete it to train from the start"):
        run(seed=1)
    with pytest.raises(CheckpointError, match=re.escape("its training is finetune, not finetune(rate=0.1)")):
        run("finetune(rate=0.1)")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="cannot be read; delete it to train from the start"):
        run()
    torch.save([1], path)
    with pytest.raises(CheckpointError, match="must be one of a fine-tuning, not of another kind"):
        run()


def test_a_diverging_loss_gives_the_network_as_it_came() -> None:
    net = emulated()
    with pytest.warns(
        RuntimeWarning, match=r"training stopped in epoch 1, step 2: .*; the network of epoch 0 is kept \(as it came\); lower"
    ):
        tuned = ix.finetune(net, data(), "finetune(rate=1e37)")
    assert same(tuned, net)


def test_a_late_nan_gives_the_last_good_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    net, batches = emulated(), data()

    def poison(moment: Epoch) -> None:
        if moment.epoch == 1 and moment.step == moment.steps:
            monkeypatch.setattr("inexact.recovery.training._run.rate_at", lambda *_: 1e37)

    once = run_finetune(net, batches, "finetune(epochs=1,schedule=constant)")
    outcome = run_finetune(net, batches, "finetune(epochs=3,schedule=constant)", progress=poison)
    assert outcome.stopped is not None
    assert "the network of epoch 1 is kept; lower the rate" in outcome.stopped
    assert outcome.kept == 1
    assert same(outcome.net, once.net)


def test_patience_stops_and_the_best_epoch_is_kept() -> None:
    net = emulated()
    outcome = run_finetune(net, data(), "finetune(epochs=9,rate=1e-30,patience=2)", validation=data(64, seed=7))
    assert [epoch.epoch for epoch in outcome.epochs] == [0, 1, 2]
    assert outcome.kept == 0
    assert same(outcome.net, net)


def test_without_validation_the_last_epoch_is_kept() -> None:
    outcome = run_finetune(emulated(), data(64), "finetune(epochs=2)")
    assert outcome.kept == 2
    assert [epoch.top1 for epoch in outcome.epochs] == [None, None, None]


def test_ranges_of_weights_follow_and_of_activations_as_asked() -> None:
    net = emulated(Plan(multiplier="trunc(cut=8)", coding="sign_magnitude"))
    kept, anew = (ix.finetune(net, data(), f"finetune(epochs=2,rate=0.05,ranges={ranges})") for ranges in ("kept", "each_epoch"))
    for tuned in (kept, anew):
        found = layer(tuned, "2")
        assert torch.allclose(found.b_scale.flatten(), found.weight.detach().flatten(1).abs().amax(1) / 127)
    assert torch.equal(layer(kept, "2").a_scale, layer(net, "2").a_scale)
    assert not torch.equal(layer(anew, "2").a_scale, layer(net, "2").a_scale)


def test_exact_epochs_see_no_unit() -> None:
    units = ("trunc(cut=8)", "mitchell")
    nets = [emulated(Plan(multiplier=unit, coding="unsigned", recovery="bias_correction")) for unit in units]
    first, second = (ix.finetune(net, data(), "finetune(epochs=2,exact_epochs=2)") for net in nets)
    assert torch.equal(layer(first, "0").weight, layer(second, "0").weight)
    assert not torch.equal(layer(first, "0").fold, layer(second, "0").fold)  # each unit's own correction, found on the new weights
    one = ix.finetune(nets[0], data(), "finetune(epochs=2,exact_epochs=1)")
    assert not torch.equal(layer(one, "0").weight, layer(first, "0").weight)


def test_pruned_weights_stay_zero() -> None:
    net = emulated(Plan({"default": Rule(multiplier="trunc(cut=8)", coding="sign_magnitude", reduction="structured_sparsity(n=1,m=2)")}))
    tuned = ix.finetune(net, data(), "finetune(epochs=2,rate=0.05,weight_decay=0.01)")
    for name in net.layers():
        before, after = layer(net, name).weight, layer(tuned, name).weight
        assert bool((before == 0).any())
        assert bool((after[before == 0] == 0).all())
        assert not torch.equal(before, after)


def test_a_correction_that_no_rule_names_survives_exact_epochs() -> None:
    net = emulated()
    fold = torch.arange(6)
    layer(net, "0").correct(Correction(bias=fold, gain=torch.ones(6, dtype=torch.float64)))
    for training in ("finetune(exact_epochs=1)", "finetune(forward=noise)", "finetune(trained=bias)"):
        assert torch.equal(layer(ix.finetune(net, data(64), training), "0").fold, fold)


@pytest.mark.parametrize("training", ["finetune", "finetune(epochs=2,exact_epochs=1)", "finetune(forward=noise)"])
def test_columns_with_coefficients_are_kept(training: str) -> None:
    net = ix.recover(emulated(), "control_variate", data=images(128, 2)[0])
    outcome = run_finetune(net, data(), f"{training}", validation=data(64, seed=7))
    assert layer(outcome.net, "0").has_control
    assert outcome.stopped is None


def test_a_finished_network_goes_through_a_state_dict() -> None:
    net = emulated()
    tuned = ix.finetune(net, data(), "finetune(trained=affine)")
    again = approximate(trained(), net.plan)
    again.load_state_dict(tuned.state_dict())
    x = images(16, 4)[0]
    assert torch.equal(again(x), tuned(x))


def test_text_and_other_data_sets_are_read() -> None:
    x, y = images(64, 1)
    whole = torch.utils.data.TensorDataset(x, y)
    assert same(ix.finetune(emulated(), whole), ix.finetune(emulated(), [(x, y)]))


def test_what_cannot_be_trained_is_refused() -> None:
    net = emulated()
    with pytest.raises(PlanError, match=re.escape("fine-tuning needs an emulated network: call approximate() first")):
        ix.finetune(trained(), data())  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="needs a plan with an approximate layer; this one has exact 8-bit layers only: give a rule a mult"):
        ix.finetune(emulated(Plan(precision="int8")), data())
    with pytest.raises(PlanError, match="this one has float32 layers only"):
        ix.finetune(approximate(trained(), Plan({"0": None}), calibrate=images(8, 0)[0]), data())
    with pytest.raises(DataError, match="training data must hold at least one image; it is empty"):
        ix.finetune(net, [])
    with pytest.raises(DataError, match=re.escape("training data must have labels: give a data set or batches of (inputs, labels)")):
        ix.finetune(net, images(8, 0)[0])
    with pytest.raises(DataError, match="validation data must hold at least one image"):
        ix.finetune(net, data(), validation=[])
    with pytest.raises(SpecError, match="loss distillation needs teacher=, the float32 network; none came"):
        ix.finetune(net, data(), "finetune(loss=distillation)")
    with pytest.raises(PlanError, match="is differentiated twice, which only the gradient straight_through can be; layer 0 has linear_fit"):
        ix.finetune(net, data(), "finetune(loss=sensitivity,gradient=linear_fit)")
    with pytest.raises(PlanError, match="requantisation=integer: train 'all' parameters"):
        ix.finetune(emulated(Plan(multiplier="mitchell", precision="int(requantisation=integer)")), data(), "finetune(trained=bias)")


@pytest.mark.parametrize("precision", ["block", "e4m3", "outlier", "two_scale"])
def test_other_formats_are_trained(precision: str) -> None:
    net = emulated(Plan(precision=precision, coding="sign_magnitude" if precision == "two_scale" else "signed"))
    outcome = run_finetune(net, data(), "finetune(epochs=2,rate=0.005,ranges=each_epoch)")
    assert outcome.epochs[2].loss < outcome.epochs[1].loss


def test_exact_products_of_few_bits_can_be_trained() -> None:
    net = emulated(Plan(precision="w2a8", coding="sign_magnitude"))
    outcome = run_finetune(net, data(), "finetune(epochs=3,rate=0.05)")
    assert outcome.epochs[3].loss < outcome.epochs[1].loss


def test_a_teacher_is_asked_once_or_about_each_shifted_image() -> None:
    calls: list[int] = []

    class Counted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            calls.append(len(x))
            found: torch.Tensor = trained()(x)
            return found

    net: ApproxModel = emulated()
    ix.finetune(net, data(64), "finetune(epochs=2,loss=distillation)", teacher=Counted())
    assert calls == [64]
    ix.finetune(net, data(64), "finetune(epochs=2,loss=distillation,shift=1)", teacher=Counted())
    assert calls == [64, 64, 64]
    assert weights(net).keys() == weights(emulated()).keys()


@pytest.mark.parametrize(
    ("recovery", "training", "message"),
    [
        ("weight_tuning + bias_correction", "finetune(exact_epochs=1)", "weight_tuning in layer 0 chooses them: plan bias_correction"),
        ("reconstruction", "finetune(forward=noise)", "leave weights and modes alone, but reconstruction in layer 0 chooses them"),
        ("ranges", "finetune(ranges=each_epoch)", "ranges=each_epoch undoes the ranges that ranges chose for layer 0: set ranges=kept"),
    ],
)
def test_a_training_that_would_undo_a_recovery_is_refused(recovery: str, training: str, message: str) -> None:
    net = emulated(Plan(multiplier="mitchell", coding="unsigned", recovery=recovery))
    with pytest.raises(PlanError, match=message):
        ix.finetune(net, data(64), training)


def test_scales_that_a_recovery_chose_stay() -> None:
    net = ix.recover(emulated(Plan(multiplier="drum(k=3)", coding="sign_magnitude")), "ranges(factors=(4.0,6.0))", data=images(64, 2)[0])
    tuned = ix.finetune(net, data(64), "finetune(rate=0.05)")
    for name in ("0", "2"):
        assert torch.equal(layer(tuned, name).b_scale, layer(net, name).b_scale)
        assert not torch.equal(layer(tuned, name).weight, layer(net, name).weight)
    assert bool((layer(net, "2").b_scale > 2 * layer(emulated(Plan(coding="sign_magnitude")), "2").b_scale).any())
