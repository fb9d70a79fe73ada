"""The families of techniques by noun, found when first asked for: what links of works, the taxonomy and citations look names up in."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from inexact.core.errors import CatalogueError, UnknownNameError, near
from inexact.core.registry import Family

_DECLARED = re.compile(rb'^(\w+)(?:: Family\[\w+\])? = [A-Z]\w+\("([\w ]+)", "(inexact\.[\w.]+)"\)', re.MULTILINE)
"""A line such as `adders: Family[Adder] = Family("adder", "inexact.units")`."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """Where a family is declared, as `variable` of `module`, and in which package its members lie."""

    module: str
    variable: str
    package: str


@lru_cache(maxsize=1)
def homes() -> dict[str, Home]:
    """Noun -> home of every family that the package's source declares; nothing is imported."""
    root = Path(str(files("inexact")))
    found: dict[str, Home] = {}
    for path in sorted(root.rglob("*.py")):
        for variable, noun, package in _DECLARED.findall(path.read_bytes()):
            parts = path.relative_to(root.parent).with_suffix("").parts
            module = ".".join(part for part in parts if part != "__init__")
            found[noun.decode()] = Home(module=module, variable=variable.decode(), package=package.decode())
    return found


_EMPTY = frozenset({"none", "exact", "exact_adder", "table", "netlist", "straight_through", "cross_entropy"})
"""Members that approximate nothing, or only hold what they are given."""


def family(noun: str) -> Family[Any]:
    """A family of techniques. Raises CatalogueError for a noun that names none."""
    known = homes()
    if noun not in known:
        raise CatalogueError(f"no family of techniques is called {noun!r}{near(noun, known)} Known: {', '.join(known)}")
    found: Family[Any] = attribute(f"{known[noun].module}:{known[noun].variable}")
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
    """`noun:name` of every registered technique but those that approximate nothing; networks and checks of claims are no techniques."""
    nouns = [noun for noun in homes() if noun not in {"network", "check"}]
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
