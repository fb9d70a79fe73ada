"""Choosing a recovery: the cheap ones first, until the drop is within a budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

from inexact.core.errors import DataError, FormatError, PlanError
from inexact.core.files import write_text
from inexact.nn import ApproxModel, Data, Evaluation, evaluate
from inexact.recovery._base import recoveries
from inexact.recovery._recover import recover

LADDER = (
    "none",
    "bias_correction",
    "bias_correction(gain=true,target=network)",
    "ranges",
    "weight_tuning(weighted=true) + bias_correction(gain=true,target=network)",
    "equalisation + ranges",
    "shared_column(gain=true,target=network)",
    "control_variate(gain=true,target=network)",
    "ranges + shared_column(gain=true,target=network)",
    "equalisation + ranges + shared_column(gain=true,target=network)",
    "control_variate(columns=4,gain=true,target=network)",
    "equalisation + ranges + control_variate(columns=4,gain=true,target=network)",
    "ranges + reconstruction",
)
"""What `choose` tries, in order: what costs the array nothing, the factors of channels of the quantiser last; then columns of the array,
each number of them without such factors first; then the one that takes longest to find."""


@final
@dataclass(frozen=True, kw_only=True)
class Trial:
    """One recovery on the images that decide. drop, low, high: points against the exact 8-bit network, paired, 95 %."""

    recovery: str
    drop: float
    low: float
    high: float


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """net: recovered by `trials[kept]`. met: whether its drop on the images that decide is within the budget."""

    net: ApproxModel
    trials: tuple[Trial, ...]
    kept: int
    met: bool


def choose(
    net: ApproxModel,
    exact: Evaluation,
    *,
    calibration: Data,
    decide: Data,
    max_drop: float,
    ladder: Sequence[str] = LADDER,
    record: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Choice:
    """The first recovery of `ladder` whose drop on `decide` is at most `max_drop` points, or else the one with the least.

    exact: of the exact 8-bit network on `decide`. record: a JSON file of the trials made so far; those of the same plan are not made again.
    progress: called with each spec before it is tried. The images that decide make the kept drop optimistic: report another set.
    Recoveries that a rule of the plan refuses are left out; PlanError or FormatError when it refuses all of them.
    Raises DataError for a negative budget, SpecError for specs that cannot be read.
    """
    if max_drop < 0:
        raise DataError(f"max_drop must be 0 or more points, not {max_drop}")
    specs = [recoveries.get(spec).spec for spec in ladder]
    key = f"{net.plan.sha256} {exact.n} {exact.top1}"
    trials = [trial for trial in _recorded(record, key) if trial.recovery in specs]
    for spec in specs:
        if any(trial.drop <= max_drop for trial in trials):
            break
        if any(trial.recovery == spec for trial in trials):
            continue
        if progress is not None:
            progress(spec)
        try:
            trials.append(_tried(spec, evaluate(recover(net, spec, data=calibration), decide, reference=exact)))
        except (PlanError, FormatError):  # it does not serve a format, an accumulator or modes of the plan
            if spec == specs[-1] and not trials:
                raise
        if record is not None:
            write_text(record, json.dumps({"key": key, "trials": [asdict(trial) for trial in trials]}))
    kept = min(range(len(trials)), key=lambda i: (trials[i].drop > max_drop, trials[i].drop if trials[i].drop > max_drop else i))
    chosen = recover(net, trials[kept].recovery, data=calibration)
    return Choice(net=chosen, trials=tuple(trials), kept=kept, met=trials[kept].drop <= max_drop)


def _tried(spec: str, found: Evaluation) -> Trial:
    assert found.drop is not None
    assert found.drop_ci is not None
    return Trial(recovery=spec, drop=found.drop, low=found.drop_ci[0], high=found.drop_ci[1])


def _recorded(record: Path | None, key: str) -> list[Trial]:
    """Trials of an interrupted run with the same key; none for another one's or an unreadable file."""
    if record is None or not record.exists():
        return []
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
        return [Trial(**trial) for trial in found["trials"]] if found["key"] == key else []
    except (ValueError, KeyError, TypeError):
        return []
