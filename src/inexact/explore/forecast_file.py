"""The file of a calibrated forecast: what was measured to calibrate it, so that the next forecast of the same network takes seconds."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from inexact.core.errors import DataError, StudyError
from inexact.core.files import write_text
from inexact.explore.conformal import Conformal, calibrate, fewest_plans
from inexact.explore.forecast import Forecaster
from inexact.explore.forecast_trials import random_plans, simulate
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.watch import Watch

FORMAT = 1


@final
@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Raw forecasts and measured drops, in points, of random plans. problem: its fingerprint. images, seed: of the trials."""

    problem: str
    images: int
    seed: int
    raw: tuple[float, ...]
    drops: tuple[float, ...]

    def conformal(self, level: float = 0.9) -> Conformal:
        """Factor and width. Raises DataError for too few plans."""
        return calibrate(self.raw, self.drops, level)

    def save(self, path: Path) -> None:
        """Write as JSON by atomic rename."""
        content = {"forecast": FORMAT, "inexact": importlib.metadata.version("inexact"), **vars(self)}
        write_text(path, json.dumps(content, indent=1))

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """What `save` wrote. Raises StudyError for anything else, and for a file of another version."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StudyError(f"calibration {path} must be a file that inexact forecast wrote: {error}") from error
        return cls._read(content, path)

    @classmethod
    def _read(cls, content: Any, path: Path) -> Calibration:
        version = importlib.metadata.version("inexact")
        if not isinstance(content, dict) or "forecast" not in content:
            raise StudyError(f"calibration {path} must be a file that inexact forecast wrote; it is something else: name another file")
        if content["forecast"] != FORMAT or content.get("inexact") != version:
            raise StudyError(
                f"calibration {path} must come from this version of inexact ({version}, format {FORMAT}), not from "
                f"{content.get('inexact')}, format {content['forecast']}: name another file, or delete it to measure anew"
            )
        try:
            raw, drops = (tuple(float(value) for value in content[name]) for name in ("raw", "drops"))
            return cls(problem=str(content["problem"]), images=int(content["images"]), seed=int(content["seed"]), raw=raw, drops=drops)
        except (KeyError, TypeError, ValueError) as error:
            raise StudyError(f"calibration {path} must hold problem, images, seed, raw and drops: {error!r}") from error


def measured(problem: NetworkProblem, forecaster: Forecaster, *, plans: int, images: int, seed: int, watch: Watch) -> Calibration:
    """Forecast and simulate random plans of the problem's candidates. Raises DataError for too few plans."""
    if plans < fewest_plans(0.9):
        raise DataError(f"calibration needs at least {fewest_plans(0.9)} plans, not {plans}; more give a steadier interval")
    drawn = random_plans(problem.candidates, problem.accounting.exact, plans, seed)
    forecaster.learn({name: [plan[name] for plan in drawn] for name in problem.candidates}, watch=watch)
    found = simulate(problem, drawn, images, watch=watch)
    raw = np.asarray(forecaster.raw(drawn)).tolist()
    return Calibration(problem=problem.fingerprint(), images=found.images, seed=seed, raw=tuple(raw), drops=tuple(found.drops.tolist()))


def kept(path: Path, problem: NetworkProblem) -> Calibration:
    """The calibration of a file. Raises StudyError when it is of another network, data, candidates or constants."""
    found = Calibration.load(path)
    if found.problem != problem.fingerprint():
        raise StudyError(
            f"calibration {path} must be of this network, weights, data and candidates; it is of others: name another file for these"
        )
    return found
