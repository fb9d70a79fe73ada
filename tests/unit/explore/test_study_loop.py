"""The study: same seed, resume, failures, interruption, promotion, nothing satisfies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inexact.core.errors import DataError, NoDesignError, OutputError, StudyError
from inexact.explore import Store, Study
from inexact.explore.stored import stored_report, stored_trials

from .conftest import Fake, quick

Runner = Callable[..., Study]


def told(study: Study) -> list[tuple[str, float | None, int]]:
    return [(t.plan_toml, t.drop, t.n_images) for t in study.trials]


@pytest.mark.parametrize(
    "sampler", ["nsga2(population=8)", "assisted(batch=6,generations=5)", "random", "optuna_tpe", "optuna_nsga2(population=8)"]
)
def test_same_seed_same_trials(sampler: str, run_study: Runner) -> None:
    first = run_study(Fake(), quick(sampler=sampler), "a.db")
    second = run_study(Fake(), quick(sampler=sampler), "b.db")
    other = run_study(Fake(), quick(sampler=sampler, seed=1), "c.db")
    assert told(first) == told(second)
    assert told(first) != told(other)
    assert len(first.trials) == 30
    assert len({t.plan_toml for t in first.trials}) == 30


def test_best_is_the_largest_saving_that_holds_on_all_validation_images(run_study: Runner, fake: Fake) -> None:
    study = run_study(fake)
    best = study.best
    assert best.validation.n == 4000
    assert best.validation.drop <= 1.0
    assert best.test.n == 3000
    full = [t for t in study.trials if t.n_images == 4000 and t.drop is not None and t.drop <= 1.0]
    saving = next(t.energy_saving for t in study.trials if t.id == best.trial)
    assert saving == max(t.energy_saving or 0.0 for t in full)
    refused = [t for t in study.trials if (t.energy_saving or 0.0) > (saving or 0.0)]
    assert refused
    assert all(t.drop is not None and t.drop > 1.0 for t in refused)


def test_resume_repeats_nothing(run_study: Runner, fake: Fake) -> None:
    whole = run_study(Fake(), name="whole.db")
    run_study(fake, quick(trials=12))
    before = len(fake.built)
    resumed = run_study(fake, quick(trials=30))
    assert [t.plan_toml for t in resumed.trials] == [t.plan_toml for t in whole.trials]
    searched = fake.built[before:]
    assert len(searched) <= 18 + 12  # the 18 missing trials, and what promotion and the test images rebuild


def test_a_finished_study_is_answered_from_the_store(run_study: Runner, fake: Fake) -> None:
    first = run_study(fake)
    fake.stops_after = len(fake.built)  # from here on, building anything would interrupt
    again = run_study(fake)
    assert told(again) == told(first)
    assert again.best == first.best


def test_failing_trials_are_recorded_and_the_study_goes_on(run_study: Runner) -> None:
    study = run_study(Fake(fails=lambda genome: genome[0] == 2))
    failed = [t for t in study.trials if t.status == "failed"]
    assert failed
    assert failed[0].drop is None
    assert "exploded" in (failed[0].error or "")
    assert len(study.trials) == 30
    assert study.best.validation.drop <= 1.0


def test_traceback_is_kept(run_study: Runner, tmp_path: Path) -> None:
    run_study(Fake(fails=lambda genome: genome[0] == 2))
    with Store(tmp_path / "study.db") as store:
        traces = [t.traceback for t in store.trials() if t.status == "failed"]
    assert all("RuntimeError: the made-up unit of" in trace and "in candidate" in trace for trace in traces)


def test_all_trials_fail(run_study: Runner) -> None:
    study = run_study(Fake(fails=lambda genome: True))
    with pytest.raises(
        NoDesignError, match=r"no design could be measured: all \d+ trials failed; the first one said: RuntimeError: the made-up"
    ):
        _ = study.best


def test_nothing_satisfies(run_study: Runner) -> None:
    study = run_study(Fake(), quick(max_drop=-5.0))
    with pytest.raises(
        NoDesignError, match=r"no design loses at most -5 points: the best of 30 reached \+0\.00 points on 4000 validation images"
    ):
        _ = study.best
    assert study.result is not None
    assert study.result.best is None
    assert len(study.front) > 0


def test_interrupt_keeps_finished_trials(run_study: Runner, tmp_path: Path) -> None:
    fake = Fake(stops_after=10)
    with pytest.raises(KeyboardInterrupt):
        run_study(fake)
    with Store(tmp_path / "study.db") as store:
        assert len(store.trials()) == 10
        assert len(stored_trials(store)) == 10
        with pytest.raises(StudyError, match="must hold a finished study; this one has 10 trials and no end: resume it first"):
            stored_report(store)
    fake.stops_after = None
    assert told(run_study(fake)) == told(run_study(Fake(), name="whole.db"))


def test_killed_in_the_middle(run_study: Runner, tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from conftest import Fake, quick
        from inexact.explore import Store, Study

        class Slow(Fake):
            def candidate(self, plan):
                time.sleep(0.02)
                return super().candidate(plan)

        print("ready", flush=True)
        Study(Slow(), quick(trials=200), Store(sys.argv[1])).run()
    """)
    path = tmp_path / "killed.db"
    process = subprocess.Popen([sys.executable, "-c", script, str(path), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(600):
        time.sleep(0.05)
        if path.is_file() and count(path) >= 7:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with Store(path) as store:
        finished = store.trials()
        assert len(finished) >= 7
        assert all(store.measurement(t.measurement) is not None for t in finished)
    fake = Fake()
    resumed = run_study(fake, quick(trials=40), "killed.db")
    assert [t.plan_toml for t in resumed.trials[: len(finished)]] == [t.plan for t in finished]
    assert told(resumed) == told(run_study(Fake(), quick(trials=40), "whole.db"))


def count(path: Path) -> int:
    try:
        with Store(path) as store:
            return len(store.trials())
    except (OutputError, StudyError):
        return 0


def test_another_study_in_the_same_file_is_refused(run_study: Runner) -> None:
    run_study(Fake())
    with pytest.raises(StudyError, match="holds a study with other settings; resume that one, or choose another --out"):
        run_study(Fake(), quick(seed=5))
    with pytest.raises(StudyError, match="holds a study of other weights, data, constants or version of inexact"):
        run_study(Fake(harm=2.0))


def test_no_images_left() -> None:
    with pytest.raises(DataError, match="validation data must leave images to measure on after calibration"):
        Study(Fake(total=0), quick(), Store(":memory:")).run()


def test_without_test_images_there_is_no_test_figure(run_study: Runner) -> None:
    study = run_study(Fake(test_images=0))
    assert study.best.test is None
    assert study.result is not None
    assert study.result.test_float32 is None


def test_test_images_select_nothing(run_study: Runner) -> None:
    assert run_study(Fake(test_images=0), name="a.db").best.trial == run_study(Fake(), name="b.db").best.trial


def test_hopeless_trials_stop_at_the_screen(run_study: Runner) -> None:
    study = run_study(Fake(harm=6.0), quick(screen_images=100))
    counts = {t.n_images for t in study.trials if t.drop is not None and t.drop > 15}
    assert counts == {100}


def test_files(run_study: Runner, tmp_path: Path) -> None:
    study = run_study(Fake())
    folder = tmp_path / "out"
    study.write(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["best.plan.toml", "best.safetensors", "front.csv", "study.json"]
    lines = (folder / "front.csv").read_text().splitlines()
    assert lines[0] == "trial,drop,drop_low,drop_high,n_images,energy_saving,area_saving,plan_toml"
    content = json.loads((folder / "study.json").read_text())
    assert content["best"]["plan_toml"] == (folder / "best.plan.toml").read_text()
    assert [t["id"] for t in content["front"]] == [t.id for t in study.front]
    assert study.result is not None
    assert set(study.result.summary()) == {"trials", "screened", "seconds", "front", "best"}
    page = study.report(folder)
    assert page.stat().st_size < 1_000_000
    assert "o" in study.front.plot()
    best = study.front[0]
    assert str(study.front).startswith(f"trial {best.id:4}: {best.energy_saving:6.2f} % energy")
    assert study.front._repr_html_() == f"<pre>{study.front}</pre>"


def test_nothing_is_half_written_where_writing_is_not_allowed(run_study: Runner, tmp_path: Path) -> None:
    study = run_study(Fake())
    target = tmp_path / "file"
    target.write_text("in the way")
    with pytest.raises(OutputError, match=r"output folder .* must be writable"):
        study.write(target)


def test_before_running() -> None:
    study = Study(Fake(), quick(), Store(":memory:"))
    with pytest.raises(StudyError, match="the study must have run: call run"):
        _ = study.front
