"""A problem that costs nothing: accuracy and savings follow from the genome by arithmetic, so studies run in milliseconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inexact.core.files import write_bytes
from inexact.explore import Option, Settings, Space, Store, Study, Watch
from inexact.explore.samplers import Genome
from inexact.explore.screening import Effects
from inexact.explore.space import LayerChoices
from inexact.explore.store import Correct
from inexact.nn import Plan, Rule

CUTS = (0, 2, 4, 6, 8)
LAYERS = ("one", "two", "three", "four")


def made_up_space() -> Space:
    """Four layers with five truncations; deeper cuts save more and hurt more, the later layers most."""
    layers = []
    for position, layer in enumerate(LAYERS):
        options = [Option(rule=Rule(coding="signed"), noise=0.0, impact=0.0, energy_pj=100.0)]
        for cut in CUTS[1:]:
            rule = Rule(multiplier=f"trunc(cut={cut})")
            options.append(Option(rule=rule, noise=cut / 100, impact=(position + 1) * cut**2 / 4000, energy_pj=100.0 - 8 * cut))
        layers.append(LayerChoices(layer=layer, options=tuple(options)))
    return Space(layers=tuple(layers))


@dataclass
class Fake:
    """See `Problem`. fails: genomes whose building raises. stops_after: KeyboardInterrupt once so many were built.

    bent: factor of what the effects of options say. unknown: options no forecast judges. effect_runs_out: measuring effects interrupts.
    """

    total: int = 4000
    test_images: int = 3000
    harm: float = 1.0
    fails: Callable[[Genome], bool] = lambda genome: False
    stops_after: int | None = None
    bent: float = 1.0
    unknown: tuple[int, ...] = ()
    effect_runs: int = 0
    effect_runs_out: bool = False
    built: list[Genome] = field(default_factory=list)
    space: Space = field(default_factory=made_up_space)

    def fingerprint(self) -> str:
        return f"fake {self.total} {self.harm}"

    def images(self, split: str) -> int:
        return self.total if split == "validation" else self.test_images

    def rank(self, watch: Watch) -> Space:
        watch.stage("rank candidates", 1)
        return self.space

    def initial(self, space: Space, count: int) -> list[Genome]:
        return [(gene,) * len(LAYERS) for gene in range(min(3, count))]

    def effects(self, space: Space, watch: Watch) -> Effects:
        """Every option adds noise to the logits, whose power goes with the answers it really costs, times `bent`."""
        if self.effect_runs_out:
            raise KeyboardInterrupt
        self.effect_runs += 1
        generator = torch.Generator().manual_seed(3)
        logits = torch.randn(600, 4, generator=generator)
        logits[:, 0] += 2.0
        noises = torch.randn(len(LAYERS), 200, 4, generator=generator)
        harms = [[self.bent * (place + 1) ** 0.5 * cut / 30 for cut in CUTS] for place in range(len(LAYERS))]
        return Effects(
            seen=torch.arange(200),
            logits=logits,
            labels=torch.zeros(600, dtype=torch.int64),
            changes=tuple(torch.stack([harm * noise for harm in row]) for row, noise in zip(harms, noises, strict=True)),
            known=tuple(torch.tensor([gene not in self.unknown for gene in range(len(CUTS))]) for _ in LAYERS),
        )

    def costs(self, space: Space, genome: Genome) -> dict[str, float]:
        chosen = space.choose(genome).values()
        energy = sum(option.energy_pj for option in chosen)
        return {"energy_pj": energy, "area_um2": 100.0 + 10 * len({option.rule for option in chosen}), "cycles": 1.0}

    def reference(self, split: str, kind: str, watch: Watch) -> Correct:
        return answers(split, self.images(split), 0.0, kind)

    def genome(self, plan: Plan) -> Genome:
        found = []
        for layer in self.space.layers:
            found.append([option.rule for option in layer.options].index(plan.rules[layer.layer]))  # type: ignore[arg-type]
        return tuple(found)

    def candidate(self, plan: Plan) -> FakeCandidate:
        genome = self.genome(plan)
        if self.stops_after is not None and len(self.built) >= self.stops_after:
            raise KeyboardInterrupt
        self.built.append(genome)
        if self.fails(genome):
            raise RuntimeError(f"the made-up unit of {genome} exploded")
        return FakeCandidate(problem=self, genome=genome)

    def candidate_loss(self, genome: Genome) -> float:
        """Share of right answers that a genome costs."""
        return FakeCandidate(problem=self, genome=genome).lost()

    def describe(self, plan: Plan | None, space: Space, accounts: dict[str, Any]) -> dict[str, Any]:
        return {"baseline_components": {"multipliers": 400.0}}


@dataclass
class FakeCandidate:
    """A genome of the fake problem."""

    problem: Fake
    genome: Genome

    def lost(self) -> float:
        """Share of images it gets wrong that float32 gets right."""
        cuts = [CUTS[gene] for gene in self.genome]
        return self.problem.harm * sum((position + 1) * cut**2 for position, cut in enumerate(cuts)) / 20000

    def correct(self, split: str, start: int, stop: int) -> Correct:
        return answers(split, self.problem.images(split), self.lost(), str(self.genome))[start:stop]

    def accounts(self) -> dict[str, Any]:
        costs = self.problem.costs(self.problem.space, self.genome)
        saving = 100 * (1 - costs["energy_pj"] / 400)
        return {**costs, "energy_saving": saving, "area_saving": 100 * (1 - costs["area_um2"] / 110), "by_component": {"multipliers": 1.0}}

    def write_weights(self, path: Path) -> None:
        write_bytes(path, str(self.genome).encode())


def answers(split: str, n: int, lost: float, name: str) -> Correct:
    """bool [n]: 90 % right, of those a share `lost` wrong; fixed by split and name."""
    base = np.random.default_rng(7 if split == "validation" else 8).random(n) < 0.9
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    return base & (np.random.default_rng(seed).random(n) >= lost)


def quick(**changes: Any) -> Settings:
    """Settings of the fake problem."""
    known: dict[str, Any] = {
        "network": "fake",
        "data": "made up",
        "trials": 30,
        "search_images": 400,
        "promote_images": 1000,
        "sampler": "nsga2(population=8)",
    }
    return Settings(**{**known, **changes})


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def run_study(tmp_path: Path) -> Callable[..., Study]:
    """Runs a study of a problem in a file of the given name and returns it."""

    def run(problem: Fake, settings: Settings | None = None, name: str = "study.db") -> Study:
        with Store(tmp_path / name) as store:
            study = Study(problem, settings or quick(), store, command="inexact study run")
            study.run()
        return study

    return run
