"""The forecast inside a study: which genomes are not simulated, the same ones after a stop, and none without integer units."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from inexact.core.errors import StudyError
from inexact.explore import Store, Study, explore
from inexact.explore.conformal import fewest_plans
from inexact.explore.screening import FLOOR, LEVEL, Effects, Screen, judged
from inexact.explore.watch import Silent
from inexact.nn import Rule

from .conftest import CUTS, Fake, made_up_space, quick

Runner = Callable[..., Study]
HARM = 6.0
"""Of the made-up problem, so that the worst genomes lose far more than the budget."""


def told(study: Study) -> list[tuple[str, float | None, int]]:
    return [(t.plan_toml, t.drop, t.n_images) for t in study.trials]


def screen(fake: Fake, max_drop: float = 1.0) -> Screen:
    return Screen(fake.effects(made_up_space(), Silent()), max_drop)


@pytest.mark.parametrize("sampler", ["nsga2(population=8)", "assisted(batch=6,generations=5)", "random"])
def test_the_same_seed_gives_the_same_trials_and_refuses_the_same_plans(sampler: str, run_study: Runner) -> None:
    first, second = (run_study(Fake(harm=HARM), quick(sampler=sampler, forecast=True, trials=36), name) for name in ("a.db", "b.db"))
    assert told(first) == told(second)
    assert first.result is not None
    assert second.result is not None
    assert first.result.screened == second.result.screened
    assert len(first.trials) == 36
    assert sampler != "random" or first.result.screened > 0
    assert first.result.summary()["screened"] == first.result.screened


def test_refused_plans_are_not_built_and_would_have_broken_the_budget(run_study: Runner) -> None:
    plain, fake = Fake(harm=HARM), Fake(harm=HARM)
    run_study(plain, quick(sampler="random", trials=120), "plain.db")
    run_study(fake, quick(sampler="random", trials=60, forecast=True), "screened.db")
    refused = [genome for genome in plain.built if genome not in set(fake.built)]
    judge = screen(Fake())
    for genome in dict.fromkeys(fake.built):
        judge.told(genome, 100 * 0.9 * plain.candidate_loss(genome))
    doomed = [genome for genome in dict.fromkeys(refused) if judge.refused(genome) is not None]
    assert len(doomed) > 10
    assert sum(100 * 0.9 * plain.candidate_loss(genome) > 1.0 for genome in doomed) >= 0.95 * len(doomed)


def test_screening_waits_until_its_own_trials_calibrate_it() -> None:
    judge, worst = screen(Fake()), (len(CUTS) - 1,) * 4
    genomes = [(gene, other, 0, 0) for gene in range(5) for other in range(5)]
    for place, genome in enumerate(genomes):
        assert (judge.calibrated is None) == (place < fewest_plans(LEVEL))
        assert judge.calibrated is not None or judge.refused(worst) is None
        raw = judge.raw(genome)
        assert raw is not None
        judge.told(genome, 2 * raw)
    assert judge.calibrated is not None
    assert judge.calibrated.plans == fewest_plans(LEVEL)
    assert judge.calibrated.factor == pytest.approx(2.0)
    assert judge.refused(worst) == judge.calibrated.drop(judge.raw(worst) or 0.0)
    assert judge.refused((0, 0, 0, 0)) is None


def test_genomes_with_units_no_forecast_judges_are_simulated() -> None:
    judge, free = screen(Fake(unknown=(4,), bent=2.0)), screen(Fake(bent=2.0))
    worst = (4, 4, 4, 4)
    for gene in range(4):
        for other in range(4):
            for last in range(2):
                genome = (gene, other, last, 0)
                for one in (judge, free):
                    one.told(genome, one.raw(genome) or 0.0)
    assert judge.raw(worst) is None
    assert judge.refused(worst) is None
    assert free.refused(worst) is not None
    assert judge.risks([(1, 1, 1, 1)]) is None  # a sampler needs one scale for the whole space
    assert free.risks([(0, 0, 0, 0), worst]) == [FLOOR, pytest.approx((free.raw(worst) or 0.0) + FLOOR)]
    assert judged(Rule(multiplier="drum(k=4)"))
    assert not any(judged(Rule(precision=name, coding="signed")) for name in ("e4m3", "mxfp4_e2m1", "outlier(ratio=0.03)"))


def test_effects_survive_the_store_bit_for_bit() -> None:
    made = Fake().effects(made_up_space(), Silent())
    read = Effects.from_text(made.to_text())
    for name in ("seen", "logits", "labels"):
        assert torch.equal(getattr(read, name), getattr(made, name))
    for name in ("changes", "known"):
        assert all(torch.equal(a, b) for a, b in zip(getattr(read, name), getattr(made, name), strict=True))


def test_a_resumed_study_measures_no_effects_again_and_goes_the_same_way(run_study: Runner) -> None:
    asked = quick(forecast=True, sampler="assisted(batch=6,generations=5)", trials=40)
    whole = run_study(Fake(harm=HARM), asked, "whole.db")
    fake = Fake(harm=HARM, stops_after=25)
    with pytest.raises(KeyboardInterrupt):
        run_study(fake, asked)
    fake.stops_after, fake.effect_runs_out = None, True
    resumed = run_study(fake, asked)
    assert fake.effect_runs == 1
    assert told(resumed) == told(whole)
    assert resumed.result is not None
    assert whole.result is not None
    assert resumed.result.screened == whole.result.screened


@pytest.mark.slow
def test_kill_9_in_a_screened_study(tmp_path: Path, run_study: Runner) -> None:
    code = textwrap.dedent(
        """
        import sys, time
        sys.path.insert(0, sys.argv[1])
        from tests.unit.explore.conftest import Fake, quick
        from inexact.explore import Store, Study, explore

        class Slow(Fake):
            def candidate(self, plan):
                time.sleep(0.02)
                return super().candidate(plan)

        with Store(sys.argv[2]) as store:
            Study(Slow(harm=6.0), quick(forecast=True, sampler="random", trials=40), store).run()
        """
    )
    path = tmp_path / "killed.db"
    process = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parents[3]), str(path)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if path.exists():
            with Store(path) as store:
                if len(store.trials()) >= 22:
                    break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    asked = quick(forecast=True, sampler="random", trials=40)
    resumed, whole = (run_study(Fake(harm=HARM), asked, name) for name in ("killed.db", "whole.db"))
    assert told(resumed) == told(whole)


def tiny() -> tuple[nn.Module, TensorDataset]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    images = torch.rand(160, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model, TensorDataset(images, model(images).argmax(1))


def test_a_network_is_searched_with_forecasts() -> None:
    model, data = tiny()
    space = ["exact", "trunc(cut=6)", "trunc(cut=9)", "trunc(cut=11)"]
    study = explore(model, space, data=data, budget=14, forecast=True, seed=0)
    assert len(study.trials) == 14
    assert study.result is not None
    assert study.result.settings["forecast"] is True


def test_a_space_without_integer_units_has_no_forecast() -> None:
    model, data = tiny()
    space = {"default": [Rule(precision="e4m3"), Rule(precision="e4m3", multiplier="float_mantissa(format=e4m3,multiplier=mitchell)")]}
    with pytest.raises(StudyError, match="a forecast judges products of integers only, and the space offers no choice among them: leave"):
        explore(model, space, data=data, budget=4, forecast=True, seed=0)
