"""Results of a long run in a file that the same command goes on from."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

from inexact.core.errors import AttackError
from inexact.core.files import write_text


@final
class Record:
    """Finished parts of a run by name, as JSON. path: its file, rewritten whole after every part; None keeps nothing.

    settings: what tells the run from others; networks and images by a hash. Raises AttackError when the file is no record, or one of other
    settings or of another version of the project.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.head = {"inexact": importlib.metadata.version("inexact"), **json.loads(json.dumps(settings))}
        self.parts: dict[str, Any] = {}
        if path is not None and path.exists():
            self.parts = self._read(path)

    def part(self, name: str, make: Callable[[], Any]) -> Any:
        """The part from the file, or what `make` returns (plain data), which is kept."""
        if name not in self.parts:
            self.parts[name] = json.loads(json.dumps(make()))
            if self.path is not None:
                write_text(self.path, json.dumps({"settings": self.head, "parts": self.parts}))
        return self.parts[name]

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            head, parts = dict(found["settings"]), dict(found["parts"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AttackError(f"{path} must be the record of an attack, or not exist yet; choose another --out") from error
        other = sorted(name for name in {*head, *self.head} if head.get(name) != self.head.get(name))
        if other:
            raise AttackError(
                f"{path} holds an attack with other {', '.join(other)}; go on with what it was started with, or choose another --out"
            )
        return parts
