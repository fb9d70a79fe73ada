"""Simulations a forecast saves a search: hypervolume over simulated plans, with and without, on one network and several seeds.

Usage: python forecast_in_search.py RESULTS.json [network] [trials] [seeds] [images]

The data are shuffled and the options ranked once (seed 0); the seeds are those of the samplers. A plan that two searches try is simulated
once, so the run measures evaluations and not time. RESULTS.json keeps what was simulated: the run may be stopped at any time.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pymoo.indicators.hv import HV

from inexact import hardware, zoo
from inexact.core.files import write_text
from inexact.explore import NetworkProblem, Settings, Space, Store
from inexact.explore.ledger import Ledger
from inexact.explore.screening import Effects, Screen
from inexact.explore.search import Search
from inexact.explore.watch import Silent
from inexact.nn import Plan, Rule

SPACE = {
    "default": [
        Rule(
            multiplier=unit, precision=f"int({bits}granularity=per_channel)", coding="sign_magnitude", recovery="bias_correction(gain=true)"
        )
        for unit, bits in (
            *(("exact", bits) for bits in ("", "b_bits=6,", "b_bits=5,", "b_bits=4,", "a_bits=6,b_bits=6,", "a_bits=5,b_bits=5,")),
            *((f"trunc(cut={cut})", "") for cut in (4, 6, 7, 8)),
            *((f"drum(k={k})", "") for k in (3, 4, 5)),
            *((unit, "") for unit in ("mitchell", "kulkarni", "roba", "bam(hbl=2,vbl=6)", "perforation(start=0,count=2)")),
        )
    ]
}
"""Rules of every layer; the exact 8-bit design comes first by itself."""

WORST = {"drop": 3.0, "energy": 1.0}
"""Reference point of the hypervolume: points lost, and energy over that of the exact 8-bit design."""

SEARCHES = {
    "nsga2 from random plans": ("nsga2(population=12)", False, False),
    "the same, best of 10 offers by forecast": ("nsga2(population=12,offers=10)", False, True),
    "nsga2 from ranked plans": ("nsga2(population=12)", True, False),
    "nsga2 from ranked plans, best of 10 offers by forecast": ("nsga2(population=12,offers=10)", True, True),
    "assisted by ranking": ("assisted(batch=12)", True, False),
    "assisted by forecast": ("assisted(batch=12)", True, True),
    "assisted by forecast, pick=volume": ("assisted(batch=12,pick=volume)", True, True),
}
"""Sampler, whether it begins with the plans that the ranking offers (else only with the exact one), whether it has the forecast. The others
are compared with the first, which knows nothing beforehand and simulates all it breeds."""


class Remembered:
    """A problem whose candidates were simulated before, as far as they were."""

    def __init__(self, problem: NetworkProblem, known: dict[str, Any], path: Path) -> None:
        self.problem, self.known, self.path = problem, known, path
        self.ranked = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

    def initial(self, space: Space, count: int) -> Any:
        """Those of the ranking, or the exact plan alone."""
        return self.problem.initial(space, count if self.ranked else 1)

    def candidate(self, plan: Plan) -> Candidate:
        """One that answers from memory."""
        return Candidate(self, plan)


class Candidate:
    """Built when it must be, and only as far as it is asked."""

    def __init__(self, owner: Remembered, plan: Plan) -> None:
        self.owner, self.plan = owner, plan
        self.built: Any = None
        self.entry = owner.known["plans"].setdefault(plan.sha256, {"correct": "", "accounts": None})

    def real(self) -> Any:
        """The candidate itself."""
        self.built = self.built or self.owner.problem.candidate(self.plan)
        return self.built

    def correct(self, split: str, start: int, stop: int) -> Any:
        """Right answers, as a string of 0 and 1 in memory."""
        held = self.entry["correct"]
        if len(held) < stop:
            self.entry["correct"] = held + "".join(str(int(x)) for x in self.real().correct(split, len(held), stop))
            write_text(self.owner.path, json.dumps(self.owner.known))
        return np.array([x == "1" for x in self.entry["correct"][start:stop]])

    def accounts(self) -> Any:
        """Costs."""
        if self.entry["accounts"] is None:
            self.entry["accounts"] = self.real().accounts()
        return self.entry["accounts"]


def searched(problem: Remembered, settings: Settings, space: Space, effects: Effects | None) -> tuple[list[tuple[float, float]], int]:
    """(drop in points, energy over the exact design's) of every simulated plan in order, and how many were refused."""
    with Store(":memory:") as store:
        ledger = Ledger(problem, store)  # type: ignore[arg-type]
        screen = None if effects is None else Screen(effects, settings.max_drop)
        search = Search(ledger, space, settings, Silent(), screen)
        search.run()
        points = [(t.drop.value, 1 - t.energy_saving / 100) for t in search.trials if t.drop is not None]
        return points, search.screened


def volumes(points: list[tuple[float, float]]) -> list[float]:
    """Hypervolume after each simulation."""
    measure = HV(ref_point=np.array([WORST["drop"], WORST["energy"]]))
    inside = [(max(drop, 0.0), energy) for drop, energy in points]
    return [float(measure(np.array(inside[: n + 1]))) for n in range(len(inside))]


def needed(found: list[float], wanted: float) -> int | None:
    """Simulations until a hypervolume is reached; None when it never is."""
    return next((n + 1 for n, volume in enumerate(found) if volume >= wanted), None)


def opened(path: Path, settings: Settings) -> tuple[Remembered, Space, Effects]:
    """The problem with what was simulated of it before, its ranked options and their effects."""
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"plans": {}}
    validation = zoo.data("fashion-mnist", "validation", settings.calibration + settings.search_images)
    plain = NetworkProblem(zoo.network(settings.network), validation, None, hardware.load("edge-16x16"), settings, SPACE)
    problem = Remembered(plain, known, path)
    if "space" not in known:
        known["space"] = plain.rank(Silent()).to_json()
    space = Space.from_json(known["space"])
    if "effects" not in known:
        known["effects"] = plain.effects(space, Silent()).to_text()
        write_text(path, json.dumps(known))
    return problem, space, Effects.from_text(known["effects"])


def main() -> None:
    out, network, trials, seeds, images = (sys.argv[1:] + ["forecast.json", "lenet5", "48", "3", "1000"][len(sys.argv) - 1 :])[:5]
    path = Path(out)
    settings = Settings(
        network=network, data="fashion-mnist", trials=int(trials), search_images=int(images), objectives=("top1", "energy_pj")
    )
    problem, space, effects = opened(path, settings)
    print(f"{network}: {trials} simulations, {seeds} seeds; hypervolume in points of drop times share of energy", flush=True)
    plain: dict[int, float] = {}
    for seed in range(int(seeds)):
        for name, (sampler, ranked, forecast) in SEARCHES.items():
            problem.ranked = ranked
            asked = dataclasses.replace(settings, seed=seed, sampler=sampler)
            points, refused = searched(problem, asked, space, effects if forecast else None)
            found = volumes(points)
            plain.setdefault(seed, found[-1])
            row = {
                "network": network,
                "search": name,
                "seed": seed,
                "volumes": found,
                "equal_after": needed(found, plain[seed]),
                "refused": refused,
                "least_energy": min((energy for drop, energy in points if drop <= settings.max_drop), default=1.0),
            }
            problem.known.setdefault("searches", {})[f"{name}, seed {seed}"] = row
            write_text(path, json.dumps(problem.known))
            print(
                f"{name}, seed {seed}: {found[-1]:.4f}; as much as the first search in the end after {row['equal_after']} simulations; "
                f"{refused} refused; least energy within {settings.max_drop:g} point {row['least_energy']:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
