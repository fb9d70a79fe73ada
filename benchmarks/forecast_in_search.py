"""Simulations a forecast saves a search: hypervolume over simulated plans, with and without, on one network and several seeds.

Usage: python forecast_in_search.py RESULTS.json [network] [trials] [seeds] [samplers, comma-separated]

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


class Remembered:
    """A problem whose candidates were simulated before, as far as they were."""

    def __init__(self, problem: NetworkProblem, known: dict[str, Any], path: Path) -> None:
        self.problem, self.known, self.path = problem, known, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

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


def main() -> None:
    out, network, trials, seeds, samplers = (sys.argv[1:] + ["forecast.json", "lenet5", "16", "2", "assisted"][len(sys.argv) - 1 :])[:5]
    path = Path(out)
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"plans": {}}
    settings = Settings(network=network, data="fashion-mnist", trials=int(trials), search_images=500, objectives=("top1", "energy_pj"))
    validation = zoo.data("fashion-mnist", "validation", 128 + 500)
    plain = NetworkProblem(zoo.network(network), validation, None, hardware.load("edge-16x16"), settings, SPACE)
    problem = Remembered(plain, known, path)
    if "space" not in known:
        space = plain.rank(Silent())
        known |= {"space": space.to_json(), "effects": plain.effects(space, Silent()).to_text()}
        write_text(path, json.dumps(known))
    space, effects = Space.from_json(known["space"]), Effects.from_text(known["effects"])
    print(f"{network}: {trials} simulations, {seeds} seeds; hypervolume in points of drop times share of energy", flush=True)
    for sampler in samplers.split(";"):
        rows = []
        for seed in range(int(seeds)):
            asked = dataclasses.replace(settings, seed=seed, sampler=sampler)
            (bare, _), (helped, refused) = (searched(problem, asked, space, found) for found in (None, effects))
            without, with_ = volumes(bare), volumes(helped)
            needed = next((n + 1 for n, volume in enumerate(with_) if volume >= without[-1]), None)
            rows.append((without[-1], with_[-1], needed, refused))
            best = [min((e for d, e in points if d <= 1.0), default=1.0) for points in (bare, helped)]
            print(
                f"{sampler}, seed {seed}: {without[-1]:.4f} without, {with_[-1]:.4f} with; equal after {needed} simulations; "
                f"{refused} refused; least energy within 1 point {best[0]:.3f} and {best[1]:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
