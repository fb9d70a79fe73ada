"""Accesses of a loop nest over a hierarchy of memories, mapping given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.core.errors import ClaimError

if TYPE_CHECKING:
    from inexact.hardware.nest import Loop

SHOWS = ("steps", "reads", "fills", "updates")


@kinds.register("nest_count")
@final
@dataclass(frozen=True, kw_only=True)
class NestCount(Check):
    """A convolution as nested loops, such as "1: P8 Q2 | 0: P14 *Q14": level and loops, outermost first, starred ones spatial.

    kept: tensor -> the levels that hold it. stride: of the convolution. shows: steps (cycles of one product an element and cycle), or
    reads, fills, updates of `tensor` at `level`, over all instances.
    """

    loops: str
    kept: dict[str, Any]
    stride: int = 1
    shows: str = "steps"
    tensor: str = ""
    level: int = 0

    def __post_init__(self) -> None:
        one_of("shows", self.shows, SHOWS)
        if set(self.kept) != {"inputs", "weights", "outputs"}:
            raise ClaimError(f"kept must name the levels of inputs, weights and outputs, not of {', '.join(self.kept)}")
        if self.shows != "steps":
            one_of("tensor", self.tensor, tuple(self.kept))

    @property
    def unit(self) -> str:
        """Cycles, or words."""
        return "cycles" if self.shows == "steps" else "words"

    def measure(self) -> Measured:
        """Counted exactly."""
        from inexact.hardware.nest import Convolution, Crossing, Kept, count

        kept = Kept(**{name: tuple(levels) for name, levels in self.kept.items()})
        found = count(Convolution(stride=(self.stride, self.stride)), _loops(self.loops), kept)
        if self.shows == "steps":
            return Measured.exact(found.steps)
        pairs = found.crossings[self.tensor]
        below, above = (next((pairs[pair] for pair in pairs if pair[side] == self.level), Crossing()) for side in (1, 0))
        return Measured.exact({"reads": below.parent_reads, "fills": above.fills, "updates": below.updates}[self.shows])


def _loops(text: str) -> list[Loop]:
    from inexact.hardware.nest import Loop

    found = []
    for part in text.split("|"):
        level, _, names = part.partition(":")
        for name in names.split():
            bare = name.lstrip("*")
            try:
                found.append(Loop(bare[0], int(bare[1:]), int(level), spatial=name != bare))
            except (ValueError, IndexError) as error:
                raise ClaimError(f"loops must look like '1: P8 Q2 | 0: P14 *Q14', not {part.strip()!r}") from error
    return found
