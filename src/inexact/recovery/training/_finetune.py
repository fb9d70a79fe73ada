"""Approximation-aware fine-tuning: the weights learn the arithmetic they will run on."""

from __future__ import annotations

import copy
import hashlib
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from inexact.core.errors import CheckpointError, PlanError, SpecError
from inexact.nn import ApproxModel, Data, Rule
from inexact.precision import MixedFormat
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery.training._data import images_of
from inexact.recovery.training._projection import check_projectable
from inexact.recovery.training._run import DivergedError, Epoch, Progress, Run, Task
from inexact.recovery.training._settings import Settings, Training, settings_of
from inexact.recovery.training._state import State, load, save
from inexact.recovery.training.losses import losses

CALIBRATION_INPUTS = 512
"""Training images that ranges, errors and corrections are measured on."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a fine-tuning gave.

    net: the network of the epoch that was `kept` (0: as it came). epochs: one entry an epoch, the first before any training.
    stopped: a sentence when training could not go on, else None. seconds: of training, breaks left out.
    """

    net: ApproxModel
    epochs: tuple[Epoch, ...]
    kept: int
    stopped: str | None
    seconds: float


def finetune(
    net: ApproxModel,
    data: Data,
    training: str | Training = "finetune",
    *,
    teacher: nn.Module | None = None,
    validation: Data | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> ApproxModel:
    """A fine-tuned copy of an emulated network, under the same plan; `net` is untouched. As `run_finetune`, which also tells how it went.

    A training that diverges warns (RuntimeWarning) and gives the last good network.
    """
    outcome = run_finetune(
        net,
        data,
        training,
        teacher=teacher,
        validation=validation,
        seed=seed,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )
    if outcome.stopped is not None:
        warnings.warn(outcome.stopped, RuntimeWarning, stacklevel=2)
    return outcome.net


def run_finetune(
    net: ApproxModel,
    data: Data,
    training: str | Training = "finetune",
    *,
    teacher: nn.Module | None = None,
    validation: Data | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    save_seconds: float = 30.0,
    progress: Progress | None = None,
) -> Outcome:
    """Fine-tune an emulated network: forward through the units, backward by the gradient of each rule.

    data: training images with labels, read into memory; the first 512 also fix ranges. training: "finetune(epochs=2,rate=0.02,…)", see
    `Settings`. teacher: the float32 network, for losses that need it. validation: images that choose the epoch to keep (the best one,
    the network as it came included); without them the last epoch is kept.
    checkpoint: a file written at the end of every epoch and every `save_seconds` seconds; with `resume` training goes on from it and ends
    with the same network as without the break (same machine, torch and threads). It is deleted at the end.
    Modules stay in eval mode: batch norms that were not folded keep their statistics. Corrections of a recovery stay as they are.
    Raises PlanError when nothing is approximate or a choice does not fit the plan, DataError for empty or unlabelled data, SpecError for
    settings out of range, CheckpointError for a foreign checkpoint.
    """
    settings = settings_of(training)
    _check(net, settings, teacher)
    images = images_of(data, "training data")
    held = None if validation is None else images_of(validation, "validation data")
    taught = copy.deepcopy(teacher).eval() if teacher is not None and losses.get(settings.loss).needs_teacher else None
    inputs = images.inputs[:CALIBRATION_INPUTS].to(next(net.parameters()).device)
    task = Task(settings=settings, images=images, validation=held, teacher=taught, inputs=inputs, seed=seed)
    path = None if checkpoint is None else Path(checkpoint)
    identity = _identity(net, task)
    run = Run(copy.deepcopy(net).eval(), task)
    stopped, seconds = _train(run, path, identity, _begin(run, path, identity, resume=resume), save_seconds, progress)
    result = copy.deepcopy(net).eval()
    result.load_state_dict(run.kept["state"])
    result.settle_reductions(inputs)
    if path is not None:
        path.unlink(missing_ok=True)
    return Outcome(net=result, epochs=tuple(run.history), kept=int(run.kept["epoch"]), stopped=stopped, seconds=seconds)


def _begin(run: Run, path: Path | None, identity: State, *, resume: bool) -> float:
    """From the start, or from the checkpoint where there is one; the seconds spent before."""
    if path is None or not path.exists():
        run.begin()
        return 0.0
    if not resume:
        raise CheckpointError(f"an unfinished training lies in {path}; continue it with resume or delete it")
    state = load(path, identity=identity)
    run.restore(state)
    return float(state["seconds"])


def _train(
    run: Run, path: Path | None, identity: State, seconds: float, save_seconds: float, progress: Progress | None
) -> tuple[str | None, float]:
    """Steps until the end; why it stopped early (None when it did not), and the seconds spent in all."""
    begin = saved = time.perf_counter()
    while not run.finished:
        try:
            moment = run.advance()
        except DivergedError as error:
            where = f"epoch {run.step // run.steps + 1}, step {run.step % run.steps + 1}"
            kept = run.kept["epoch"]
            return (
                f"training stopped in {where}: {error}; the network of epoch {kept} is kept"
                f"{' (as it came)' if kept == 0 else ''}; lower the rate"
            ), seconds + time.perf_counter() - begin
        now = time.perf_counter()
        if path is not None and (moment.step == run.steps or now - saved >= save_seconds):
            save(path, run.state() | {"seconds": seconds + now - begin}, identity=identity)
            saved = time.perf_counter()
        if progress is not None:
            progress(moment)
    return None, seconds + time.perf_counter() - begin


def _check(net: ApproxModel, settings: Settings, teacher: nn.Module | None) -> None:
    if not isinstance(net, ApproxModel):
        raise PlanError("fine-tuning needs an emulated network: call approximate() first")
    layers = net.layers()
    if not any(approximates(layer.rule) for layer in layers.values()):
        raise PlanError(
            "fine-tuning needs a plan with an approximate layer; this one has "
            + ("exact 8-bit layers only" if layers else "float32 layers only")
            + ": give a rule a multiplier, a precision below 8 bits, an accumulator or a reduction"
        )
    loss = losses.get(settings.loss)
    if loss.needs_teacher and teacher is None:
        raise SpecError(f"loss {loss.spec} needs teacher=, the float32 network; none came")
    if loss.differentiates_twice:
        for name, layer in layers.items():
            gradient = settings.gradient or layer.rule.gradient
            if gradient != "straight_through" and not layer.rule.exact:
                raise PlanError(
                    f"loss {loss.spec} is differentiated twice, which only the gradient straight_through can be; layer {name} has "
                    f"{gradient}: set gradient=straight_through"
                )
    if settings.projection != "none":
        check_projectable(net)
    for name, layer in layers.items():
        for stage in recoveries.get(layer.rule.recovery).stages:
            _check_stays(name, stage, settings)


def _check_stays(name: str, stage: Recovery, settings: Settings) -> None:
    """Refuse settings that drop what a recovery chose: it cannot be chosen again for weights that were trained."""
    if stage.facts.changes & {"weights", "modes"} and (settings.exact_epochs or settings.forward == "noise"):
        raise PlanError(
            f"under exact_epochs and forward=noise a recovery must leave weights and modes alone, but {stage.family_name} in layer {name} "
            "chooses them: plan bias_correction, and recover() after training"
        )
    if "ranges" in stage.facts.changes and settings.ranges == "each_epoch":
        raise PlanError(f"ranges=each_epoch undoes the ranges that {stage.family_name} chose for layer {name}: set ranges=kept")


def approximates(rule: Rule) -> bool:
    """Whether a rule computes anything else than exact sums of products of 8 bits or more."""
    form = rule.format
    coarse = min(form.a_bits, form.b_bits) < 8 or form.b_grid is not None or form.block is not None or isinstance(form, MixedFormat)
    return not rule.exact or coarse or rule.reduction != "none"


def _identity(net: ApproxModel, task: Task) -> State:
    """What makes two trainings the same; strings and numbers."""
    return {
        "training": task.settings.spec,
        "plan": net.plan.sha256,
        "weights": _digest_of(net),
        "data": task.images.digest(),
        "validation": "none" if task.validation is None else task.validation.digest(),
        "seed": task.seed,
    }


def _digest_of(net: ApproxModel) -> str:
    found = hashlib.sha256()
    for name, value in net.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
