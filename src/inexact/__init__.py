"""The workbench for approximate DNN accelerators. Importing it is cheap: every name below is loaded when first used."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_SUBMODULES = (
    "core",
    "explore",
    "hardware",
    "kernels",
    "metrics",
    "nn",
    "precision",
    "recovery",
    "reliability",
    "report",
    "security",
    "units",
    "zoo",
)
_FUNCTIONS = {
    "Plan": "inexact.nn",
    "Rule": "inexact.nn",
    "approximate": "inexact.nn",
    "evaluate": "inexact.nn",
    "estimate": "inexact.nn",
    "recover": "inexact.recovery",
    "finetune": "inexact.recovery",
}

__all__ = [
    "Plan",
    "Rule",
    "approximate",
    "estimate",
    "evaluate",
    "explore",
    "finetune",
    "hardware",
    "kernels",
    "metrics",
    "recover",
    "units",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"inexact.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'inexact' has no attribute {name!r}")
