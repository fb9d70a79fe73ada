"""Finding what a user names `module:function`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inexact.core.errors import InexactError, near


def is_object_name(name: str) -> bool:
    """Whether `name` is written `package.module:function`."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def named_object(name: str, *, error: type[InexactError]) -> Callable[..., Any]:
    """The callable called `module:function`; modules of the current folder are found too. Raises `error` when there is none."""
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as missing:
        if missing.name != module_name.split(".", maxsplit=1)[0]:
            raise error(f"module {module_name!r} cannot be imported: {missing}") from missing
        module = _from_current_folder(module_name, error)
    found = getattr(module, attribute, None)
    if not callable(found):
        raise error(f"module {module_name!r} must have a callable {attribute!r}; it has none{near(attribute, vars(module))}")
    result: Callable[..., Any] = found
    return result


def _from_current_folder(module_name: str, error: type[InexactError]) -> Any:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        importlib.invalidate_caches()
        return importlib.import_module(module_name)
    except ModuleNotFoundError as missing:
        hint = f"; the module of the file {module_name} is {module_name.removesuffix('.py')!r}" if module_name.endswith(".py") else ""
        raise error(f"there must be a module {module_name!r} on the Python path or in {folder}: {missing}{hint}") from missing
    finally:
        sys.path.remove(folder)
