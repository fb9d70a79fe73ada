"""The study's memory: one transactional SQLite file that survives kill -9, answers repeated measurements and lets a study resume.

Tables: `settings` (key, JSON text), `measurements` (what a plan did on the first n images of a split, by content hash) and
`trials` (the order of the search). A trial and its measurement are written in one transaction.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import OutputError, StudyError

SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0

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


class Store:
    """The open file. `:memory:` keeps nothing. Use as a context manager or call `close()`."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        with self._guarded():
            self._connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            self._check_version()
        except BaseException:
            self._connection.close()
            raise

    def _check_version(self) -> None:
        with self._guarded():
            version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        if version not in (0, SCHEMA_VERSION):
            raise StudyError(
                f"{self.path} must have the schema version {SCHEMA_VERSION}; it has {version}, written by another version of inexact: "
                "choose another --out or use that version"
            )

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; everything committed stays."""
        self._connection.close()

    def settings(self) -> dict[str, Any]:
        """All settings by key."""
        with self._guarded():
            return {key: json.loads(value) for key, value in self._connection.execute("SELECT key, value FROM settings")}

    def save_settings(self, values: dict[str, Any]) -> None:
        """Write or replace settings, in one transaction."""
        rows = [(key, json.dumps(value)) for key, value in values.items()]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)

    def measurement(self, key: str) -> Measurement | None:
        """The measurement with this key, None when there is none."""
        with self._guarded():
            row = self._connection.execute(
                "SELECT key, split, plan, n, correct, accounts, seconds FROM measurements WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        correct = np.unpackbits(np.frombuffer(row[4], dtype=np.uint8), count=row[3]).astype(bool)
        return Measurement(key=row[0], split=row[1], plan=row[2], correct=correct, accounts=json.loads(row[5]), seconds=row[6])

    def save_measurement(self, measurement: Measurement) -> None:
        """Write or replace one measurement."""
        with self._transaction() as connection:
            _put(connection, measurement)

    def trials(self) -> list[TrialRecord]:
        """All trials in order."""
        with self._guarded():
            rows = self._connection.execute(
                "SELECT id, genome, plan, measurement, n, status, traceback, seed, started, finished FROM trials ORDER BY id"
            ).fetchall()
        names = ("id", "genome", "plan", "measurement", "n", "status", "traceback", "seed", "started", "finished")
        return [TrialRecord(**{**dict(zip(names, row, strict=True)), "genome": tuple(json.loads(row[1]))}) for row in rows]

    def save_trial(self, trial: TrialRecord, measurement: Measurement | None) -> None:
        """Write one finished trial and, unless it failed, its measurement, in one transaction."""
        values = (trial.id, json.dumps(list(trial.genome)), trial.plan, trial.measurement, trial.n, trial.status, trial.traceback)
        with self._transaction() as connection:
            if measurement is not None:
                _put(connection, measurement)
            connection.execute(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, trial.seed, trial.started, trial.finished)
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guarded():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back on its own; then there is nothing left to undo.
                with contextlib.suppress(sqlite3.OperationalError):
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise _operational(self.path, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise StudyError(f"{self.path} must be a study file: {error}; choose another --out") from error


def _put(connection: sqlite3.Connection, measurement: Measurement) -> None:
    bits = np.packbits(measurement.correct).tobytes()
    text = json.dumps(measurement.accounts)
    row = (measurement.key, measurement.split, measurement.plan, len(measurement.correct), bits, text, measurement.seconds, time.time())
    connection.execute("INSERT OR REPLACE INTO measurements VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def _operational(path: str, reason: str) -> OutputError | StudyError:
    if "locked" in reason or "busy" in reason:
        return StudyError(f"{path} must be free; another process has been writing to it for {BUSY_SECONDS:.0f} s: wait or stop it")
    if "full" in reason:
        return OutputError(f"{path} could not be written: {reason}; finished trials are kept, free some space and resume the study")
    return OutputError(f"{path} could not be opened or written: {reason}; check the folder's permissions and free space")
