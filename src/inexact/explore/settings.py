"""What a study was asked to do. Everything here is stored, so that `resume` needs only the folder."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from inexact.core.errors import StudyError, near, require_range
from inexact.core.families import FAMILIES
from inexact.explore.samplers import get as get_sampler
from inexact.reliability import faults
from inexact.security.adversarial import attacks

MEASURED = {"robust_accuracy": "robust_loss", "sdc_rate": "sdc_rate"}
"""Objectives that only a built network tells, measured once a plan: the share of images, in percent, that an attack turns wrong; the share
of faults, in percent, that change the answer (SDC-1)."""

OBJECTIVES = {"top1": "drop", "energy_pj": "energy_pj", "area_um2": "area_um2", "cycles": "cycles", **MEASURED}
"""What can be optimised: accuracy (as drop against float32), energy with DRAM, area, cycles, what is measured. Values are minimised."""

_SEVERAL = ("objectives", "families", "thresholds")

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Of the softmax probability at an early exit."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a study.

    network, data, accelerator, weights: names or paths as on the command line. space: text of a space file, None for the shipped one.
    families: of approximation that rules may use, one or more of `core.families.FAMILIES`; the others are left out of the space.
    max_drop: largest accepted validation drop against float32, in points. trials: plans to try, 1..1000000.
    seed: of everything random. sampler: spec. objectives: two or more of `OBJECTIVES`, "top1" among them.
    calibration: validation images for ranges and corrections; never measured on. rank_images: of those, images used for ranking.
    screen_images: a trial worse than max_drop + `hopeless` points on so many images stops there.
    search_images, promote_images: images a trial, and a promising trial, is measured on. promotions: promising trials measured on more
    images before doubt counts against them. finalists: designs measured on the test images, the best included. forecast: whether genomes
    are ranked by a forecast of their drop, and those that it finds hopeless are not simulated, see `screening.Screen`.
    attack, attack_epsilon, attack_images: for the objective robust_accuracy: spec of an attack within an epsilon (pixels 0..1), made on the
    approximate network itself, and how many validation images it attacks. 1..1000000.
    fault, fault_count: for the objective sdc_rate: spec of a fault, and how many of it each plan meets, 1..1000000.
    exits: file of trained early exits (`inexact net train-exits`) whose thresholds are searched for, None for none. thresholds: those that
    each exit may have, above 0 and below 1; every exit may also be closed.
    """

    network: str
    data: str
    accelerator: str = "edge-16x16"
    weights: str | None = None
    space: str | None = None
    families: tuple[str, ...] = FAMILIES
    max_drop: float = 1.0
    trials: int = 60
    seed: int = 0
    sampler: str = "assisted"
    objectives: tuple[str, ...] = ("top1", "energy_pj", "area_um2")
    calibration: int = 128
    rank_images: int = 24
    screen_images: int = 128
    hopeless: float = 8.0
    search_images: int = 1000
    promote_images: int = 3000
    promotions: int = 8
    finalists: int = 3
    forecast: bool = False
    attack: str = "pgd(loss=margin)"
    attack_epsilon: float = 0.03
    attack_images: int = 100
    fault: str = "accumulator_flip"
    fault_count: int = 2048
    exits: str | None = None
    thresholds: tuple[float, ...] = THRESHOLDS

    def __post_init__(self) -> None:
        for name, high in (
            ("trials", 10**6),
            ("calibration", 10**6),
            ("rank_images", 10**6),
            ("attack_images", 10**6),
            ("fault_count", 10**6),
            ("screen_images", 10**7),
        ):
            require_range(name, getattr(self, name), 1, high)
        for name, high in (("search_images", 10**7), ("promote_images", 10**7), ("finalists", 1000)):
            require_range(name, getattr(self, name), 1, high)
        require_range("promotions", self.promotions, 0, 10**6)
        get_sampler(self.sampler)
        require_range("seed", self.seed, 0, 2**32 - 1)
        if not math.isfinite(self.max_drop):
            raise StudyError(f"max_drop must be a finite number of points, not {self.max_drop}")
        for name in self.families:
            if name not in FAMILIES:
                raise StudyError(f"no family is called {name!r}{near(name, FAMILIES)} Families: {', '.join(FAMILIES)}")
        if not self.families:
            raise StudyError(f"a study needs at least one family of approximation: {', '.join(FAMILIES)}")
        for name in self.objectives:
            if name not in OBJECTIVES:
                raise StudyError(f"no objective is called {name!r}{near(name, OBJECTIVES)} Objectives: {', '.join(OBJECTIVES)}")
        if "top1" not in self.objectives or not set(self.objectives) - {"top1"}:
            raise StudyError(f"objectives must be top1 and at least one more, not {', '.join(self.objectives) or 'none'}")
        if "robust_accuracy" in self.objectives and not attacks.get(self.attack).bounded:
            raise StudyError(f"the attack of a study must work within an epsilon, such as pgd; {self.attack} looks for the smallest change")
        faults.get(self.fault)
        self._check_exits()
        built = [name for name in self.objectives if name in MEASURED]
        if self.forecast and built:
            raise StudyError(
                f"a forecast must not stand in for {', '.join(built)}, which only a built network tells: leave one of them out"
            )

    def _check_exits(self) -> None:
        if not self.thresholds or len(set(self.thresholds)) < len(self.thresholds) or not all(0 < tau < 1 for tau in self.thresholds):
            raise StudyError(f"thresholds of exits must be different numbers above 0 and below 1, at least one, not {self.thresholds}")
        if self.exits is not None and self.forecast:
            raise StudyError("a forecast must not stand in for early exits, whose answers it does not see: leave one of them out")
        if self.exits is not None and FAMILIES[0] not in self.families:
            raise StudyError(f"early exits are {FAMILIES[0]}, which the families of this study leave out: {', '.join(self.families)}")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives equal settings back."""
        return {**dataclasses.asdict(self), **{name: list(getattr(self, name)) for name in _SEVERAL}}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Settings:
        """The settings `to_json` wrote. Raises StudyError for anything else."""
        known = {f.name for f in dataclasses.fields(cls)}
        if not isinstance(content, dict) or not set(content) <= known or not {"network", "data"} <= set(content):
            raise StudyError("settings of a study must be those this version writes; the study was written by another version")
        return cls(**{**content, **{name: tuple(content[name]) for name in _SEVERAL if name in content}})

    def agrees(self, other: Settings) -> bool:
        """Whether two studies are the same search, the number of trials aside: one can go on where the other stopped."""
        return dataclasses.replace(self, trials=1) == dataclasses.replace(other, trials=1)
