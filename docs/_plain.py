"""Docstrings are plain text that may hold `code`; the site reads Markdown: powers such as 2**width must not come out bold."""

from __future__ import annotations

import re
from typing import Any

import griffe

_POWER = re.compile(r"`[^`]*`|\*\*")


def plain(text: str) -> str:
    """The text with the stars of powers outside of code escaped."""
    return _POWER.sub(lambda found: r"\*\*" if found[0] == "**" else found[0], text)


class PlainDocstrings(griffe.Extension):
    """Escapes every docstring as it is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute; not for names imported from elsewhere."""
        if obj.docstring is not None:
            obj.docstring.value = plain(obj.docstring.value)
