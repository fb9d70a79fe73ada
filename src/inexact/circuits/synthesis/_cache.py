"""Results on disk by what they were made of; nothing is ever made twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inexact.core.errors import OutputError
from inexact.core.files import cache_folder, sha256, write_text

VERSION = 2
"""Raised when the same inputs give other figures."""


def key(*parts: object) -> str:
    """Name of a result: a hash over everything it depends on."""
    return sha256("\0".join(map(str, (VERSION, *parts))).encode())


def stored(kind: str, name: str) -> dict[str, Any] | None:
    """The result, or None when it is not there or cannot be read."""
    try:
        found: dict[str, Any] = json.loads(_path(kind, name).read_text())
    except (OSError, ValueError):
        return None
    return found


def store(kind: str, name: str, content: dict[str, Any]) -> None:
    """Keep a result. Raises OutputError when the cache cannot be written, with what to do."""
    path = _path(kind, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content))
    except OSError as error:
        reason = error.strerror or str(error).split(": ", 1)[-1]
        raise OutputError(
            f"the cache {cache_folder()} must be writable: {reason}; free space, set INEXACT_CACHE, or use --no-cache"
        ) from error


def _path(kind: str, name: str) -> Path:
    return cache_folder() / kind / name[:2] / f"{name}.json"
