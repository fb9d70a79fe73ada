"""The ask/tell face of every sampler. A member writes one generator: it yields genomes and is sent what they turned out to be worth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from inexact.core.errors import StudyError
from inexact.core.registry import spec_of

Genome = tuple[int, ...]
"""One choice per layer: the index of an option."""


@dataclass(frozen=True)
class Outcome:
    """What a genome is worth. values: objectives, all smaller is better. violation: how far it breaks the constraint (<= 0: it holds)."""

    values: tuple[float, ...]
    violation: float = 0.0


Proposals = Generator[Genome, Outcome, None]
"""Yields genomes, is sent their outcomes."""


def failed(objectives: int) -> Outcome:
    """The outcome of a genome that could not be measured: worse than anything measured, and infeasible."""
    return Outcome(values=(1e6,) * objectives, violation=1e6)


def random_genome(sizes: Sequence[int], generator: np.random.Generator) -> Genome:
    """Each gene uniform over its options."""
    return tuple(int(generator.integers(size)) for size in sizes)


class Search:
    """One running search: `ask()` for the next genome, `tell()` what it was worth, in turn. Deterministic given the told outcomes."""

    def __init__(self, proposals: Proposals) -> None:
        self._proposals = proposals
        self._next: Genome | None = None
        self._outcome: Outcome | None = None
        self._asked = False

    def ask(self) -> Genome | None:
        """The next genome to measure, None when the sampler has no more. The same one until `tell` is called."""
        if self._asked:
            return self._next
        try:
            self._next = next(self._proposals) if self._outcome is None else self._proposals.send(self._outcome)
        except StopIteration:
            self._next = None
        self._asked = True
        return self._next

    def tell(self, outcome: Outcome) -> None:
        """Answer the last `ask`. StudyError when nothing was asked."""
        if not self._asked or self._next is None:
            raise StudyError("tell() must follow an ask() that returned a genome; call ask() first")
        self._outcome = outcome
        self._asked = False


class Sampler(ABC):
    """Base of samplers: a frozen dataclass whose fields are its settings, called with the space, returning a `Search`."""

    family_name: ClassVar[str]

    @property
    def spec(self) -> str:
        """The sampler as a spec string, `"nsga2(population=20)"`."""
        return spec_of(self)

    @final
    def __call__(self, sizes: Sequence[int], *, objectives: int, initial: Sequence[Genome] = (), seed: int = 0) -> Search:
        """Start a search.

        sizes: number of options of each layer, each >= 1. objectives: how many values an outcome has. initial: genomes to measure first.
        seed: same seed and same outcomes give the same genomes. StudyError for an empty space or a genome outside it.
        """
        if not sizes or min(sizes) < 1:
            raise StudyError(f"every layer of a search space must have at least one option, not {list(sizes)}")
        for genome in initial:
            if len(genome) != len(sizes) or any(not 0 <= gene < size for gene, size in zip(genome, sizes, strict=False)):
                raise StudyError(f"an initial genome must have one index per layer below {list(sizes)}, not {list(genome)}")
        first = list(dict.fromkeys(tuple(genome) for genome in initial))
        return Search(self.proposals(tuple(sizes), objectives, first, seed))

    @abstractmethod
    def proposals(self, sizes: tuple[int, ...], objectives: int, initial: list[Genome], seed: int) -> Proposals:
        """Yield genomes for ever (or until the space is exhausted); each `yield` gives back the genome's `Outcome`."""

    @classmethod
    def samples(cls) -> list[Any]:
        """Members for the contract tests."""
        return [cls()]
