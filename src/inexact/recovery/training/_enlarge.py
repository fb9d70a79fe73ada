"""The smallest set of weights that is good enough: units are tried from the cheapest up, each with retrained weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from inexact.core.errors import PlanError, SpecError
from inexact.nn import ApproxModel, Data, Plan, Rule, approximate, correct_answers
from inexact.recovery.training._data import images_of
from inexact.recovery.training._finetune import approximates, finetune
from inexact.recovery.training._settings import Training

ALPHABETS = ("asm(alphabets=1)", "asm(alphabets=2)", "asm(alphabets=4)")


@dataclass(frozen=True, kw_only=True)
class Enlarged:
    """What was found. unit: the first that was good enough, else the last tried. net: fine-tuned with it. sufficient: whether it was good
    enough. required: the accuracy asked for, in percent. tried: (unit, accuracy in percent), in order."""

    unit: str
    net: ApproxModel
    sufficient: bool
    required: float
    tried: tuple[tuple[str, float], ...]


def enlarge(
    model: nn.Module,
    plan: Plan,
    data: Data,
    *,
    validation: Data,
    units: Sequence[str] = ALPHABETS,
    quality: float = 0.99,
    training: str | Training = "finetune(projection=end)",
    seed: int = 0,
) -> Enlarged:
    """Fine-tune with each unit in turn until accuracy >= quality times that of the float32 network.

    plan: what is approximate where; every approximate rule's multiplier is replaced by the unit. data: training images; they also
    calibrate. validation: images on which accuracies are compared. units: smallest set of weights first. quality: Q, above 0, at most 1.
    Raises SpecError for a quality out of range and no units, PlanError for a plan without an approximate rule.

    Reference: S. S. Sarwar et al., Energy-efficient neural computing with approximate multipliers, ACM JETC 14(2), 2018 (the alphabet is
    enlarged until quality K >= J Q)
    """
    if not 0 < quality <= 1:
        raise SpecError(f"quality must be above 0 and at most 1, not {quality!r}")
    if not units:
        raise SpecError("there must be at least one unit to try; none came")
    if not any(rule is not None and approximates(rule) for rule in plan.rules.values()):
        raise PlanError("the plan must have an approximate rule, whose multiplier is replaced by each unit; it has none")
    required = quality * _accuracy(model, validation)
    tried: list[tuple[str, float]] = []
    for unit in units:
        start = approximate(model, Plan({key: _with_unit(rule, unit) for key, rule in plan.rules.items()}), calibrate=data)
        net = finetune(start, data, training, teacher=model, seed=seed)
        tried.append((unit, _accuracy(net, validation)))
        if tried[-1][1] >= required:
            break
    return Enlarged(unit=unit, net=net, sufficient=tried[-1][1] >= required, required=required, tried=tuple(tried))


def _with_unit(rule: Rule | None, unit: str) -> Rule | None:
    return rule if rule is None or not approximates(rule) else rule.but(multiplier=unit)


def _accuracy(model: nn.Module, data: Data) -> float:
    images = images_of(data, "validation data")
    return 100 * float(correct_answers(model, [(images.inputs, images.labels)]).mean())
