"""Random search: the baseline every other sampler has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from inexact.explore.samplers import samplers
from inexact.explore.samplers._base import Proposals, Sampler, Task, random_genome


@samplers.register("random")
@final
@dataclass(frozen=True, kw_only=True)
class RandomSearch(Sampler):
    """The initial genomes, then independent uniform ones.

    Reference: J. Bergstra, Y. Bengio, "Random search for hyper-parameter optimization", JMLR 13 (2012) 281-305.
    """

    def proposals(self, task: Task) -> Proposals:
        """Outcomes are ignored."""
        generator = np.random.default_rng(task.seed)
        waiting = list(task.initial)
        while True:
            yield waiting.pop(0) if waiting else random_genome(task.sizes, generator)
