"""Seeds of the parts of a study: the seed matters, and seed 0 is what was measured before studies had one."""

from __future__ import annotations

from itertools import pairwise

from inexact.security._seeds import part_seed


def test_parts_of_neighbouring_studies_differ() -> None:
    assert [part_seed(0, part) for part in range(5)] == [0, 1, 2, 3, 4]
    drawn = [{part_seed(seed, part) for part in range(20_000)} for seed in range(5)]
    assert all(not one & other for one, other in pairwise(drawn))
    assert part_seed(123_456, 5000) < 1 << 32
