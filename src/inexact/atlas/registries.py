"""The families of techniques by noun, found when first asked for: what links of works, the taxonomy and citations look names up in."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from inexact.core.errors import CatalogueError, UnknownNameError, near
from inexact.core.registry import Family

HOMES = {
    "multiplier": "inexact.units:multipliers",
    "adder": "inexact.units:adders",
    "float multiplier": "inexact.units:float_multipliers",
    "function": "inexact.units:functions",
    "format": "inexact.precision:formats",
    "reduction": "inexact.reduction:reductions",
    "recovery": "inexact.recovery:recoveries",
    "training": "inexact.recovery.training:trainings",
    "loss": "inexact.recovery.training.losses:losses",
    "gradient": "inexact.nn.gradients:gradients",
    "sampler": "inexact.explore.samplers:samplers",
    "fault": "inexact.reliability:faults",
    "network": "inexact.zoo:architectures",
}
"""Noun of a family -> module and name of it."""

_EMPTY = frozenset({"none", "exact", "exact_adder", "table", "netlist", "straight_through", "cross_entropy"})
"""Members that approximate nothing, or only hold what they are given."""


def family(noun: str) -> Family[Any]:
    """A family of techniques. Raises CatalogueError for a noun that names none."""
    if noun not in HOMES:
        raise CatalogueError(f"no family of techniques is called {noun!r}{near(noun, HOMES)} Known: {', '.join(HOMES)}")
    found: Family[Any] = attribute(HOMES[noun])
    return found


def attribute(name: str) -> Any:
    """What `module:name` names. Raises CatalogueError when there is none."""
    module, _, attribute_name = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute_name)
    except (ImportError, AttributeError) as error:
        raise CatalogueError(f"{name} must name something of the package: {error}") from error


@lru_cache(maxsize=1)
def techniques() -> tuple[str, ...]:
    """`noun:name` of every registered technique but those that approximate nothing; networks, which are no techniques, are left out."""
    nouns = [noun for noun in HOMES if noun != "network"]
    return tuple(f"{noun}:{name}" for noun in nouns for name in family(noun) if name not in _EMPTY)


def check(use: str) -> None:
    """Raise CatalogueError, with the reason, unless `use` names a technique, accelerator or function of the package; commands pass."""
    kind, _, name = use.partition(":")
    resolve = _KINDS.get(kind, _member)
    try:
        resolve(use if resolve is _member else name)
    except (UnknownNameError, CatalogueError) as error:
        raise CatalogueError(f"link {use!r} must lead somewhere: {error}") from error


def _member(use: str) -> None:
    noun, _, name = use.partition(":")
    _ = family(noun)[name]


def _accelerator(name: str) -> None:
    from inexact import hardware

    if name not in hardware.presets():
        raise CatalogueError(f"no accelerator is called {name!r}{near(name, hardware.presets())}")


def _command(_: str) -> None:
    """Commands are above this package, which cannot ask for them."""


def _api(name: str) -> None:
    attribute(name)


_KINDS: dict[str, Callable[[str], None]] = {"accelerator": _accelerator, "command": _command, "api": _api}
