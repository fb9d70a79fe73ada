"""Search for the accelerator that saves most within an accuracy budget: spaces, samplers, studies, their store and results.

The module can be called: `inexact.explore(model, space, …)` is `inexact.explore.explore(model, space, …)`.
"""

import sys
from types import ModuleType
from typing import Any

from inexact.explore.conformal import Conformal
from inexact.explore.face import explore
from inexact.explore.forecast import Forecast, Forecaster
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.pool import Pool
from inexact.explore.problem import Candidate, Problem
from inexact.explore.result import Accuracy, DesignReport, LayerReport, PairedAccuracy, StudyReport, TrialReport, UnitReport
from inexact.explore.samplers import Outcome, Sampler, Search, samplers
from inexact.explore.settings import Settings
from inexact.explore.space import Option, Space, candidates
from inexact.explore.store import Store
from inexact.explore.study import Front, Study
from inexact.explore.watch import Silent, Watch

__all__ = [
    "Accuracy",
    "Candidate",
    "Conformal",
    "DesignReport",
    "Forecast",
    "Forecaster",
    "Front",
    "LayerReport",
    "NetworkProblem",
    "Option",
    "Outcome",
    "PairedAccuracy",
    "Pool",
    "Problem",
    "Sampler",
    "Search",
    "Settings",
    "Silent",
    "Space",
    "Store",
    "Study",
    "StudyReport",
    "TrialReport",
    "UnitReport",
    "Watch",
    "candidates",
    "explore",
    "samplers",
]


class _CallableModule(ModuleType):
    """`ix.explore` names this package and, in the library's face, the function; a package whose class has `__call__` is both."""

    def __call__(self, *args: Any, **settings: Any) -> Study:
        return explore(*args, **settings)


sys.modules[__name__].__class__ = _CallableModule
