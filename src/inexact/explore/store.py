"""The study's memory: one transactional SQLite file that survives kill -9, answers repeated measurements and lets a study resume.

Tables: `settings` (key, JSON text), `measurements` (what a plan did on the first n images of a split, by content hash) and
`trials` (the order of the search). A trial and its measurement are written in one transaction.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from inexact.core.database import Database
from inexact.core.errors import StudyError

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS measurements (
  key TEXT PRIMARY KEY, split TEXT NOT NULL, plan TEXT NOT NULL, n INTEGER NOT NULL, correct BLOB NOT NULL, accounts TEXT NOT NULL,
  seconds REAL NOT NULL, finished REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trials (
  id INTEGER PRIMARY KEY, genome TEXT NOT NULL, plan TEXT NOT NULL, measurement TEXT NOT NULL, n INTEGER NOT NULL, status TEXT NOT NULL,
  traceback TEXT NOT NULL, seed INTEGER NOT NULL, started REAL NOT NULL, finished REAL NOT NULL);
"""

Correct = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one plan did: bool [n] right answers on the first n images of `split`, and its accounts (savings, plain JSON)."""

    key: str
    split: str
    plan: str
    correct: Correct
    accounts: dict[str, Any]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial as searched. n: images it was judged on (a later promotion may have measured more). status: "done" or "failed"."""

    id: int
    genome: tuple[int, ...]
    plan: str
    measurement: str
    n: int
    status: str
    traceback: str
    seed: int
    started: float
    finished: float


@final
class Store:
    """The open file. `:memory:` keeps nothing. Use as a context manager or call `close()`."""

    def __init__(self, path: str | Path) -> None:
        self._database = Database(path, schema=_SCHEMA, version=SCHEMA_VERSION, what="a study file", foreign=StudyError)
        self.path = self._database.path

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; everything committed stays."""
        self._database.close()

    def settings(self) -> dict[str, Any]:
        """All settings by key."""
        return {key: json.loads(value) for key, value in self._database.rows("SELECT key, value FROM settings")}

    def save_settings(self, values: dict[str, Any]) -> None:
        """Write or replace settings, in one transaction."""
        rows = [(key, json.dumps(value)) for key, value in values.items()]
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)

    def measurement(self, key: str) -> Measurement | None:
        """The measurement with this key, None when there is none."""
        row = self._database.row("SELECT key, split, plan, n, correct, accounts, seconds FROM measurements WHERE key = ?", (key,))
        if row is None:
            return None
        correct = np.unpackbits(np.frombuffer(row[4], dtype=np.uint8), count=row[3]).astype(bool)
        return Measurement(key=row[0], split=row[1], plan=row[2], correct=correct, accounts=json.loads(row[5]), seconds=row[6])

    def save_measurement(self, measurement: Measurement) -> None:
        """Write or replace one measurement."""
        with self._database.transaction() as connection:
            _put(connection, measurement)

    def trials(self) -> list[TrialRecord]:
        """All trials in order."""
        names = ("id", "genome", "plan", "measurement", "n", "status", "traceback", "seed", "started", "finished")
        rows = self._database.rows(f"SELECT {', '.join(names)} FROM trials ORDER BY id")
        return [TrialRecord(**{**dict(zip(names, row, strict=True)), "genome": tuple(json.loads(row[1]))}) for row in rows]

    def save_trial(self, trial: TrialRecord, measurement: Measurement | None) -> None:
        """Write one finished trial and, unless it failed, its measurement, in one transaction."""
        values = (trial.id, json.dumps(list(trial.genome)), trial.plan, trial.measurement, trial.n, trial.status, trial.traceback)
        with self._database.transaction() as connection:
            if measurement is not None:
                _put(connection, measurement)
            connection.execute(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, trial.seed, trial.started, trial.finished)
            )


def _put(connection: sqlite3.Connection, measurement: Measurement) -> None:
    bits = np.packbits(measurement.correct).tobytes()
    text = json.dumps(measurement.accounts)
    row = (measurement.key, measurement.split, measurement.plan, len(measurement.correct), bits, text, measurement.seconds, time.time())
    connection.execute("INSERT OR REPLACE INTO measurements VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
