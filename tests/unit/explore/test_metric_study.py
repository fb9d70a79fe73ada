"""The metric study: units, tasks, its file, rank correlations against scipy's, the conclusion, the command's errors."""

from __future__ import annotations

import json
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from inexact.cli import run as command
from inexact.core.errors import DataError, StudyError
from inexact.explore import metric_study
from inexact.explore.metric_scores import conclusion, scores
from inexact.explore.metric_study import Rows, Settings, Task, chosen_units, tasks
from inexact.metrics.ranking import spearman
from inexact.report.metric_study import picture
from inexact.units import multipliers

SMALL = Settings(cases=("lenet5:fashion-mnist",), units=9, images=20)


def made_up(task: Task, images: int) -> dict[str, Any]:
    """A drop that follows the mean error, and after correction the variance."""
    number = int.from_bytes(task.unit.encode()[-6:], "little") % 1009
    generator = np.random.default_rng(number)
    bias, spread = generator.normal(), generator.random()
    figures = {"mean_error": bias, "rmse": abs(bias) + spread, "nmed": generator.random(), "zero_exact": 1.0}
    figures |= {"weighted rmse": abs(bias) + 0.5 * spread, "weighted mean_error": bias, "weighted nmed": abs(bias) + generator.random()}
    drops = {"raw": 10 * abs(bias) + images / 100, "corrected": 10 * spread}
    return {"case": task.case, "coding": task.coding, "unit": task.unit, "drops": drops, "metrics": figures}


def threads(workers: int) -> Executor:
    return ThreadPoolExecutor(workers)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setattr(metric_study, "measure", made_up)
    settings = Settings(cases=("a:x", "b:x"), units=60, images=100)
    return metric_study.run(settings, tmp_path / "study.jsonl", executor=threads)


def test_units_are_many_families_of_both_signs() -> None:
    found = chosen_units(180)
    assert len(found) == len(set(found)) == 180
    chosen = [multipliers.get(spec) for spec in found]
    assert sum(unit.signed for unit in chosen) == 60
    assert {unit.width for unit in chosen} == {(8, 8)}
    assert len({unit.family_name for unit in chosen}) > 12
    assert found == chosen_units(180)


def test_every_coding_a_unit_can_serve() -> None:
    found = tasks(SMALL)
    assert {task.coding for task in found} == {"unsigned", "sign_magnitude", "signed"}
    assert len(found) == 2 * 6 + 3
    with pytest.raises(StudyError, match="a case must be network:data, such as resnet8:fashion-mnist, not 'resnet8'"):
        Settings(cases=("resnet8",))


def test_finished_tasks_are_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def counted(task: Task, images: int) -> dict[str, Any]:
        done.append(task.key)
        return made_up(task, images)

    monkeypatch.setattr(metric_study, "measure", counted)
    path = tmp_path / "study.jsonl"
    first = metric_study.run(SMALL, path, executor=threads)
    assert len(done) == len(tasks(SMALL)) == len(first)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-2]) + '\n{"case": "le')  # killed while it wrote
    done.clear()
    assert metric_study.run(SMALL, path, executor=threads) == first
    assert len(done) == 2
    done.clear()
    assert metric_study.run(SMALL, path, executor=threads) == first
    assert not done


def test_files_of_other_studies_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    Rows(path, SMALL)
    with pytest.raises(StudyError, match=r"holds a metric study with other settings .*; choose another --out"):
        Rows(path, Settings(cases=SMALL.cases, units=9, images=21))
    header = json.loads(path.read_text())
    path.write_text(json.dumps(header | {"inexact": "0.0.9"}) + "\n")
    with pytest.raises(
        StudyError, match=r"must come from this version of inexact \(.*\), not from 0\.0\.9, format 1; choose another --out"
    ):
        Rows(path, SMALL)
    path.write_text("units\n")
    with pytest.raises(StudyError, match="must be the file of a metric study, whose first line says so"):
        Rows(path, SMALL)
    with pytest.raises(DataError, match="a metric study needs at least 3 units and 1 image, not 2 and 5"):
        metric_study.run(Settings(units=2, images=5), tmp_path / "other.jsonl")


def test_rank_correlation_is_scipys() -> None:
    generator = np.random.default_rng(0)
    values, drops = generator.integers(0, 9, (40, 3)).astype(float), generator.integers(0, 9, 40).astype(float)
    values[:, 2] = 1.0
    found = spearman(values, drops)
    np.testing.assert_allclose(found[:2], [spearmanr(values[:, i], drops).statistic for i in range(2)])
    assert np.isnan(found[2])


def test_scores_find_what_the_drop_follows(rows: list[dict[str, Any]]) -> None:
    found = scores(rows)
    raw = {score.metric: score for score in found["raw"]}
    assert raw["mean_error"].spearman == pytest.approx(1.0)
    assert raw["mean_error"].ci == pytest.approx((1.0, 1.0))
    assert raw["mean_error"].kendall == pytest.approx(1.0)
    assert abs(raw["nmed"].spearman) < 0.4
    assert raw["nmed"].ci[0] < raw["nmed"].spearman < raw["nmed"].ci[1]
    assert "zero_exact" not in raw  # it never varies
    corrected = {score.metric: score for score in found["corrected"]}
    assert abs(corrected["mean_error"].spearman) < 0.4
    # spread = rmse - |bias|, so that bias tells the rest once rmse is known
    assert corrected["mean_error"].partial["weighted rmse"] < -0.5


def test_conclusion_and_picture_hold_the_numbers(rows: list[dict[str, Any]]) -> None:
    found = scores(rows)
    text = conclusion(found)
    assert text.startswith("Without correction, ")
    assert "(+1.00 [+1.00, +1.00])" in text
    assert "After the free correction, " in text
    assert "Once weighted rmse is known, " in text
    drawn = picture({stage: [score.to_json() for score in ranked] for stage, ranked in found.items()}, "many <units>")
    assert drawn.startswith("<svg")
    assert "many &lt;units&gt;" in drawn
    assert drawn.count("<circle") == 2 + len(found["raw"]) + len(found["corrected"])


def test_too_few_units_are_said(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(StudyError, match="needs a network and coding with at least 8 units that differ in drop; measure more units"):
        scores(rows[:5])


def test_the_command_names_an_unknown_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study.jsonl"
    out.write_text("else\n")
    assert command(["metrics", "study", "--out", str(out), "--case", "lenet5:fashion-mnist"]) == 1
    assert "must be the file of a metric study" in capsys.readouterr().err


@pytest.mark.slow
def test_one_real_unit_in_a_real_network() -> None:
    task = Task(case="lenet5:fashion-mnist", coding="sign_magnitude", unit="trunc(cut=8)")
    row = json.loads(json.dumps(metric_study.measure(task, 50)))
    assert set(row["drops"]) == {"raw", "corrected"}
    assert row["metrics"]["mean_error"] == -448.25
    assert abs(row["metrics"]["weighted mean_error"]) < 448.25
    assert row["metrics"]["weighted rms_column"] <= row["metrics"]["weighted rms_folded"] <= row["metrics"]["weighted rms_raw"]
