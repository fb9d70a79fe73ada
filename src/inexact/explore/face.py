"""The one-call face: `ix.explore(model, space, objectives=("top1", "energy_pj"), budget=200, data=…, seed=0)`."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from inexact import hardware
from inexact.core.errors import DataError
from inexact.core.families import FAMILIES
from inexact.core.files import ensure_folder
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.settings import THRESHOLDS, Settings
from inexact.explore.space import SpaceInput
from inexact.explore.store import Store
from inexact.explore.study import STORE, Study
from inexact.explore.watch import Watch
from inexact.nn import Data, ExitNetwork


def explore(
    model: nn.Module,
    space: SpaceInput = None,
    *,
    families: tuple[str, ...] = FAMILIES,
    data: Data | None = None,
    test: Data | None = None,
    objectives: tuple[str, ...] = ("top1", "energy_pj", "area_um2"),
    budget: int = 60,
    max_drop: float = 1.0,
    seed: int = 0,
    accelerator: str | hardware.Accelerator = "edge-16x16",
    sampler: str = "assisted",
    forecast: bool = False,
    attack: str = "pgd(loss=margin)",
    attack_epsilon: float = 0.03,
    attack_images: int = 100,
    fault: str = "accumulator_flip",
    fault_count: int = 2048,
    exits: ExitNetwork | None = None,
    thresholds: tuple[float, ...] = THRESHOLDS,
    out: str | Path | None = None,
    watch: Watch | None = None,
) -> Study:
    """Search for plans of `model` that cost least for little accuracy; returns the finished study.

    space: None (the shipped candidates), unit specs or rules for every layer, a mapping from plan keys to such lists, or a TOML file.
    families: of approximation that rules may use, of `core.families.FAMILIES`.
    data: labelled images for calibration and search; test: for the final figures only. max_drop: points `study.best` may lose.
    objectives: "top1" and one or more of "energy_pj", "area_um2", "cycles", "robust_accuracy", "sdc_rate". budget: plans to try.
    sampler: spec. forecast: rank plans by a forecast of their drop and do not simulate hopeless ones.
    attack, attack_epsilon, attack_images: of robust_accuracy: an attack within an epsilon (pixels 0..1) on so many validation images;
    `data` must then be a `zoo.Dataset` that knows its scaling. fault, fault_count: of sdc_rate: a fault, and how many a plan meets.
    exits: the network with trained early exits (`zoo.training.with_trained_exits`), whose thresholds, of those given, are searched for too.
    out: folder whose study.db keeps the trials, so that the same call goes on where it stopped; None keeps nothing.
    Raises DataError without data, UnknownNameError for attacks and faults that do not exist, StudyError for unknown objectives or an
    `out` that holds another study.
    """
    if data is None:
        raise DataError("a search needs labelled images to measure accuracy: give data=, a data set or a loader of (image, label)")
    machine = hardware.load(accelerator) if isinstance(accelerator, str) else accelerator
    settings = Settings(
        network=type(model).__name__,
        data=str(getattr(data, "name", type(data).__name__)),
        accelerator=machine.name,
        families=tuple(families),
        max_drop=max_drop,
        trials=budget,
        seed=seed,
        sampler=sampler,
        forecast=forecast,
        objectives=tuple(objectives),
        attack=attack,
        attack_epsilon=attack_epsilon,
        attack_images=attack_images,
        fault=fault,
        fault_count=fault_count,
        exits=None if exits is None else ", ".join(exits.after),
        thresholds=tuple(thresholds),
    )
    problem = NetworkProblem(model, data, test, machine, settings, space, exits=exits)
    with Store(":memory:" if out is None else ensure_folder(out) / STORE) as store:
        study = Study(problem, settings, store, watch=watch, command="inexact.explore(…)")
        study.run()
    return study
