"""The ask/tell face of every sampler. A member writes one generator: it yields genomes and is sent what they turned out to be worth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from inexact.core.errors import StudyError
from inexact.core.registry import spec_of

Genome = tuple[int, ...]
"""One choice per layer: the index of an option."""


@dataclass(frozen=True)
class Outcome:
    """What a genome is worth. values: objectives, all smaller is better, the one in doubt (accuracy lost) first.

    violation: how far it breaks the constraint, in the unit of the first objective (<= 0: it holds).
    """

    values: tuple[float, ...]
    violation: float = 0.0


Proposals = Generator[Genome, Outcome, None]
"""Yields genomes, is sent their outcomes."""


Forecast = Callable[[Sequence[Genome]], list[tuple[float, ...]]]
"""Cheap guess of the objectives of genomes, same order: the first only rises with the true one, on its own scale; the others are right."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a sampler is given.

    sizes: options per layer. objectives: how many. initial: measured first.

    hints: genomes worth breeding from, measured only if chosen. forecast: None if there is none.
    """

    sizes: tuple[int, ...]
    objectives: int
    initial: tuple[Genome, ...]
    seed: int
    hints: tuple[Genome, ...] = ()
    forecast: Forecast | None = None


FAILED = 1e6
"""Objectives and violation of a genome that could not be measured."""


def failed(objectives: int) -> Outcome:
    """The outcome of a genome that could not be measured: worse than anything measured, and infeasible."""
    return Outcome(values=(FAILED,) * objectives, violation=FAILED)


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
    def __call__(
        self,
        sizes: Sequence[int],
        *,
        objectives: int,
        initial: Sequence[Genome] = (),
        hints: Sequence[Genome] = (),
        seed: int = 0,
        forecast: Forecast | None = None,
    ) -> Search:
        """Start a search.

        sizes: number of options of each layer, each >= 1. objectives: how many values an outcome has. initial: genomes to measure first.
        hints: genomes worth breeding from. forecast: used by samplers that can. seed: same seed and same outcomes give the same genomes.
        Raises StudyError for an empty space or an initial genome outside it.
        """
        if not sizes or min(sizes) < 1:
            raise StudyError(f"every layer of a search space must have at least one option, not {list(sizes)}")
        for genome in (*initial, *hints):
            if len(genome) != len(sizes) or any(not 0 <= gene < size for gene, size in zip(genome, sizes, strict=False)):
                raise StudyError(f"an initial genome must have one index per layer below {list(sizes)}, not {list(genome)}")
        first = tuple(dict.fromkeys(tuple(genome) for genome in initial))
        task = Task(sizes=tuple(sizes), objectives=objectives, initial=first, hints=tuple(hints), seed=seed, forecast=forecast)
        return Search(self.proposals(task))

    @abstractmethod
    def proposals(self, task: Task) -> Proposals:
        """Yield genomes for ever (or until the space is exhausted); each `yield` gives back the genome's `Outcome`."""

    @classmethod
    def samples(cls) -> list[Any]:
        """Members for the contract tests."""
        return [cls()]
