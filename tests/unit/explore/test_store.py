"""The store: round trips, one transaction a trial, clear words for full disks, locks and foreign files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from inexact.core import database
from inexact.core.errors import OutputError, StudyError
from inexact.explore import Store
from inexact.explore.store import Measurement, TrialRecord


def measured(key: str = "k", n: int = 11) -> Measurement:
    correct = np.random.default_rng(n).random(n) < 0.5
    return Measurement(key=key, split="validation", plan="p", correct=correct, accounts={"energy_saving": 12.5}, seconds=0.5)


def trial(number: int = 0, status: str = "done") -> TrialRecord:
    return TrialRecord(
        id=number, genome=(1, 0, 2), plan="p", measurement="k", n=11, status=status, traceback="", seed=3, started=1.0, finished=2.0
    )


@pytest.mark.parametrize("n", [1, 7, 8, 9, 1000])
def test_measurements_round_trip(tmp_path: Path, n: int) -> None:
    with Store(tmp_path / "s.db") as opened:
        opened.save_measurement(measured(n=n))
    with Store(tmp_path / "s.db") as opened:
        found = opened.measurement("k")
        assert opened.measurement("other") is None
    assert found is not None
    assert found.correct.tolist() == measured(n=n).correct.tolist()
    assert found.accounts == {"energy_saving": 12.5}


def test_trials_and_settings_round_trip(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as opened:
        opened.save_trial(trial(), measured())
        opened.save_trial(trial(1, "failed"), None)
        opened.save_settings({"a": [1, 2], "b": "text"})
        opened.save_settings({"b": None})
    with Store(tmp_path / "s.db") as opened:
        assert opened.trials() == [trial(), trial(1, "failed")]
        assert opened.settings() == {"a": [1, 2], "b": None}


def test_a_trial_and_its_measurement_are_written_together(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as opened:
        opened.save_trial(trial(), measured("first"))
        with pytest.raises(StudyError, match=r"s\.db must be a study file: UNIQUE constraint"):
            opened.save_trial(trial(), measured("second"))
        assert opened.measurement("second") is None


def test_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Store(path) as opened:
        opened.save_trial(trial(), measured())
        pages = opened._database.connection.execute("PRAGMA page_count").fetchone()[0]
        opened._database.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OutputError, match=r"s\.db could not be written: database or disk is full; what is finished is kept"):
            opened.save_measurement(measured("large", 10**6))
        assert opened.trials() == [trial()]
        assert opened.measurement("large") is None


def test_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.db"
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with Store(path) as opened:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StudyError, match="must be free; another process has been writing to it"):
            opened.save_settings({"a": 1})
        other.execute("ROLLBACK")
        other.close()
        opened.save_settings({"a": 1})


def test_not_a_study(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"This is a text, longer than a header of SQLite would be. " * 40)
    with pytest.raises(StudyError, match=r"s\.db must be a study file: file is not a database; choose another --out"):
        Store(path)


def test_another_schema(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StudyError, match="must have the schema version 1; it has 99"):
        Store(path)


def test_folder_missing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"s\.db could not be opened or written: unable to open database file"):
        Store(tmp_path / "missing" / "s.db")
