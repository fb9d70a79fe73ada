"""What a study needs from the thing it optimises. `NetworkProblem` is the real one; tests bring a cheap one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from inexact.explore.samplers import Genome
from inexact.explore.screening import Effects
from inexact.explore.space import Space
from inexact.explore.store import Correct
from inexact.explore.watch import Watch
from inexact.nn import Plan


class Candidate(Protocol):
    """A plan made real: an approximate, repaired network."""

    def correct(self, split: str, start: int, stop: int) -> Correct:
        """bool [stop - start]: which images of the split it classifies right. split: "validation" or "test"."""

    def accounts(self) -> dict[str, Any]:
        """What it costs, as plain JSON with at least energy_saving and area_saving in percent, energy_pj, area_um2, cycles.

        What inputs that leave early do not cost is counted on the images it has classified so far.
        """

    def write_weights(self, path: Path) -> None:
        """Write its state dict as safetensors by atomic rename, and beside it the trained classifiers that its plan names."""


class Problem(Protocol):
    """A network, its data and an accelerator, ready to be searched."""

    def fingerprint(self) -> str:
        """Hash of everything a measurement depends on beside the plan: weights, data, accelerator, settings, version."""

    def images(self, split: str) -> int:
        """How many images a split has for measuring (calibration images do not count); 0 when there is no such split."""

    def rank(self, watch: Watch) -> Space:
        """The ranked search space. Must be deterministic; the study keeps it in its store."""

    def initial(self, space: Space, count: int) -> list[Genome]:
        """Genomes to begin with, at most `count`, the exact one first."""

    def effects(self, space: Space, watch: Watch) -> Effects:
        """What a forecast of the space's genomes needs; the study keeps it in its store. StudyError where nothing can be forecast."""

    def costs(self, space: Space, genome: Genome) -> dict[str, float]:
        """energy_pj, area_um2 and cycles of a genome's design, before it is built. Fast: a sampler asks thousands of times."""

    def reference(self, split: str, kind: str, watch: Watch) -> Correct:
        """bool [images]: right answers of the "float32" or the exact "int8" network."""

    def candidate(self, plan: Plan) -> Candidate:
        """Build a plan: approximate and repair. Anything it raises fails the trial, not the study."""

    def describe(self, plan: Plan | None, space: Space, accounts: dict[str, Any]) -> dict[str, Any]:
        """Parts of the report: layers, units, ceiling, baseline energy, provenance; for plan None only what needs no plan."""
