"""The reference of the library: which packages have a public face, and every technique with its parameters, from code and registries."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

from _plain import plain

import inexact
from inexact.atlas.registries import family, homes
from inexact.core.registry import spec_of

INDEX = """# The library

`import inexact as ix` gives these names and loads each when it is first used; the packages have pages of their own, made from types
and docstrings.

| name | is |
| --- | --- |
"""

TECHNIQUES = """# Techniques

Every registered technique, generated from the registries by `python docs/_generate.py`. A spec such as `trunc(cut=4)` names a member
and the parameters that differ from what is given here. What they do to a network is told in the guide; `inexact unit show SPEC` gives a
unit's passport, `inexact cite` its references.

"""


def faces() -> dict[str, list[str]]:
    """Top package -> itself and the packages below it that say what is public in `__all__`."""
    found: dict[str, list[str]] = {}
    for module in pkgutil.walk_packages(inexact.__path__, "inexact."):
        public = module.ispkg and "._" not in module.name
        if public and getattr(importlib.import_module(module.name), "__all__", None):
            found.setdefault(module.name.split(".")[1], []).append(module.name)
    return found


def summary(thing: Any) -> str:
    """The first line of a docstring, fit for a table."""
    text = inspect.getdoc(thing) or ""
    return plain(text.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|"))


def index() -> str:
    """The page of the names that `inexact` itself gives."""
    rows = [f"| `ix.{name}` | {summary(getattr(inexact, name))} |" for name in inexact.__all__]
    return INDEX + "\n".join(rows) + "\n"


def api(names: list[str]) -> str:
    """The page of a package: its face, then those of the packages below it."""
    top = ".".join(names[0].split(".")[:2])
    parts = [f"# {top}\n"]
    for name in names:
        parts.append(f"::: {name}\n" if name == top else f"## {name}\n\n::: {name}\n")
    return "\n".join(parts)


def parameters(cls: type[Any]) -> Iterator[str]:
    """`name = default` of every parameter of a technique."""
    for field in dataclasses.fields(cls):
        if field.init:
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            written = spec_of(default) if getattr(default, "family_name", "") else repr(default)
            yield f"`{field.name}`" if default is dataclasses.MISSING else f"`{field.name} = {written}`".replace("|", "\\|")


def techniques() -> str:
    """The page of all families."""
    parts = [TECHNIQUES]
    for noun, home in sorted(homes().items()):
        parts.append(f"## {noun}\n\nRegistry `{home.module}.{home.variable}`.\n\n| name | what it is | parameters |\n| --- | --- | --- |\n")
        parts += [f"| `{name}` | {summary(cls)} | {', '.join(parameters(cls)) or 'none'} |\n" for name, cls in family(noun).items()]
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"
