"""Seeds of the parts of a study."""

from __future__ import annotations

STRIDE = 1_000_003
"""A prime above the number of parts of any study, so that parts of studies with neighbouring seeds share none."""


def part_seed(seed: int, part: int) -> int:
    """The seed of part 0, 1, … of a study; with seed 0 it is the part's number. Below 2**32, which every generator takes."""
    return (seed * STRIDE + part) % (1 << 32)
