"""The workbench for approximate DNN accelerators. Importing it is cheap: every name below is loaded when first used.

Functions: approximate, recover, finetune, evaluate, estimate, explore; classes: Plan, Rule. Everything else is in the packages, of which
`units`, `metrics`, `zoo` and `hardware` are the ones to begin with.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` gives; `explore`, a package and a function in one, stays of any type
    from inexact import (
        atlas,
        circuits,
        core,
        hardware,
        importers,
        kernels,
        metrics,
        nn,
        precision,
        recovery,
        reduction,
        reliability,
        report,
        security,
        testing,
        units,
        zoo,
    )
    from inexact.nn import Plan, Rule, approximate, estimate, evaluate
    from inexact.recovery import finetune, recover

__version__ = "0.1.0"

_FUNCTIONS = {
    "Plan": "inexact.nn",
    "Rule": "inexact.nn",
    "approximate": "inexact.nn",
    "evaluate": "inexact.nn",
    "estimate": "inexact.nn",
    "recover": "inexact.recovery",
    "finetune": "inexact.recovery",
}
"""Name that is no package -> where it is."""

__all__ = [
    "Plan",
    "Rule",
    "approximate",
    "atlas",
    "circuits",
    "core",
    "estimate",
    "evaluate",
    "explore",
    "finetune",
    "hardware",
    "importers",
    "kernels",
    "metrics",
    "nn",
    "precision",
    "recover",
    "recovery",
    "reduction",
    "reliability",
    "report",
    "security",
    "testing",
    "units",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    if name in __all__:
        return importlib.import_module(f"inexact.{name}")
    from inexact.core.errors import near

    raise AttributeError(f"module 'inexact' has no attribute {name!r}{near(name, __all__)}", name=name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
