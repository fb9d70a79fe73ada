"""A study's result read once: trials with plain numbers, who is on the front, which one was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inexact.report._values import Json, finite, fixed, mapping, pair, percent, rows


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One evaluated plan. drop in points (> 0 is worse), savings in percent; None where it was not measured."""

    id: str
    status: str
    drop: float | None
    drop_ci: tuple[float, float] | None
    energy: float | None
    area: float | None
    images: int | None
    split: str
    plan: str
    front: bool
    best: bool
    failure: str

    def saving(self, axis: str) -> float | None:
        """Saving along `axis`: "energy" or "area"."""
        return self.energy if axis == "energy" else self.area

    @property
    def measured(self) -> str:
        """On what the drop was measured, for people."""
        images = f"{fixed(self.images, 0)} images" if self.images else "number of images not recorded"
        return f"{self.split} split, {images}" if self.split else images


@dataclass(frozen=True, kw_only=True)
class View:
    """What the sections of the report read."""

    report: Json
    trials: tuple[Trial, ...]
    best: Json
    max_drop: float | None
    groups: tuple[tuple[str, int | None], ...] = field(default=())
    left_out: int = 0
    """Dominated and failed trials that `thinned` removed."""

    @property
    def front(self) -> list[Trial]:
        """Members of the Pareto front, smallest drop first."""
        return sorted((trial for trial in self.trials if trial.front), key=lambda trial: (trial.drop is None, trial.drop or 0.0))

    @property
    def failed(self) -> list[Trial]:
        """Trials that ended with an error."""
        return [trial for trial in self.trials if trial.failure or trial.status.lower() in ("failed", "error")]

    @property
    def chosen(self) -> Trial | None:
        """The trial whose plan was chosen, when it is among the trials."""
        return next((trial for trial in self.trials if trial.best), None)

    @property
    def note(self) -> str:
        """A sentence about trials left out; empty when there are none."""
        if not self.left_out:
            return ""
        count = fixed(self.left_out, 0)
        return f" {count} more dominated or failed trials are not in this file, to keep it small; the study\u2019s store holds them."

    def thinned(self, keep: int) -> View:
        """The same with at most the first `keep` of the trials that are not on the front."""
        others = [trial for trial in self.trials if not (trial.front or trial.best)]
        dropped = {trial.id for trial in others[keep:]}
        kept = tuple(trial for trial in self.trials if trial.id not in dropped)
        return replace(self, trials=kept, left_out=self.left_out + len(dropped))

    def group(self, trial: Trial) -> int:
        """Which marker stands for the images `trial` was measured on."""
        return self.groups.index((trial.split, trial.images))


def view(report: Json) -> View:
    """Read `report`; parts that are missing become empty."""
    best = mapping(report.get("best"))
    members = front_ids(report.get("front"))
    raw = rows(report.get("trials"))
    chosen = best_id(best, raw)
    trials = tuple(_trial(row, members, chosen) for row in raw)
    shown = [trial for trial in trials if trial.drop is not None]
    groups = sorted({(trial.split, trial.images) for trial in shown}, key=lambda group: (group[1] or 0, group[0]))
    return View(report=report, trials=trials, best=best, max_drop=finite(report.get("max_drop")), groups=tuple(groups))


def front_ids(front: object) -> set[str]:
    """Ids of the front, given as ids or as objects with an `id`."""
    if isinstance(front, str) or not isinstance(front, Sequence):
        return set()
    return {str(member.get("id")) if isinstance(member, dict) else str(member) for member in front}


def best_id(best: Json, trials: Sequence[Json]) -> str | None:
    """Id of the chosen trial: stated, or the trial with the same plan (a front member if several have it)."""
    for key in ("id", "trial"):
        if best.get(key) is not None:
            return str(best[key])
    plan = best.get("plan_toml")
    same = [trial for trial in trials if plan and trial.get("plan_toml") == plan]
    same.sort(key=lambda trial: not trial.get("on_front"))
    return str(same[0].get("id")) if same else None


def _trial(row: Json, members: set[str], chosen: str | None) -> Trial:
    images = finite(row.get("n_images"))
    energy, area = percent(row.get("energy_saving")), percent(row.get("area_saving"))
    name = str(row.get("id", ""))
    return Trial(
        id=name,
        status=str(row.get("status") or "done"),
        drop=finite(row.get("drop")),
        drop_ci=pair(row.get("drop_ci")),
        energy=energy.value if energy else None,
        area=area.value if area else None,
        images=None if images is None else int(images),
        split=str(row.get("split") or ""),
        plan=str(row.get("plan_toml") or ""),
        front=bool(row.get("on_front")) or name in members,
        best=chosen is not None and name == chosen,
        failure=str(row.get("traceback") or row.get("error") or ""),
    )
