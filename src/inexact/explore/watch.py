"""How a study tells the outside what it is doing. The library prints nothing; the command line shows a progress bar."""

from __future__ import annotations

from typing import Protocol, final


class Watch(Protocol):
    """Told of every stage and every step in it."""

    def stage(self, name: str, steps: int) -> None:
        """A stage begins; it will report `steps` steps (0: unknown)."""

    def step(self, count: int = 1, note: str = "") -> None:
        """`count` steps are done; `note` is a few words for people, such as the best saving so far."""


@final
class Silent:
    """Ignores everything."""

    def stage(self, name: str, steps: int) -> None:
        """Nothing."""

    def step(self, count: int = 1, note: str = "") -> None:
        """Nothing."""
