"""Style sheet, script and templates of the pages."""

from __future__ import annotations

from importlib.resources import files


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return files("inexact.report").joinpath(name).read_text(encoding="utf-8")
