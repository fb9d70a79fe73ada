"""A campaign's memory: one transactional SQLite file that survives kill -9 and lets a campaign resume after the last finished chunk."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, final

from inexact.core.database import Database
from inexact.core.errors import FaultError
from inexact.reliability._records import Records

CAMPAIGN = "campaign.db"
"""The file in a campaign's folder."""
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
  fault INTEGER NOT NULL, number INTEGER NOT NULL, seconds REAL NOT NULL, records BLOB NOT NULL,
  PRIMARY KEY (fault, number)) WITHOUT ROWID;
"""


@final
class Store:
    """The open file; `:memory:` keeps nothing. FaultError for files that are no campaign's, OutputError where none can be written."""

    def __init__(self, path: str | Path) -> None:
        self._database = Database(path, schema=_SCHEMA, version=SCHEMA_VERSION, what="the file of a fault campaign", foreign=FaultError)
        self.path = self._database.path

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def value(self, key: str) -> Any:
        """A setting; None when there is none."""
        row = self._database.row("SELECT value FROM settings WHERE key = ?", (key,))
        return None if row is None else json.loads(row[0])

    def set_value(self, key: str, value: Any) -> None:
        """Write or replace a setting."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, json.dumps(value)))

    def claim(self, settings: dict[str, Any]) -> None:
        """Make the file that of a campaign. Raises FaultError when it is another's already."""
        kept = self.value("campaign")
        if kept is None:
            self.set_value("campaign", settings)
            return
        wanted = json.loads(json.dumps(settings))
        other = [key for key in {*kept, *wanted} if kept.get(key) != wanted.get(key)]
        if other:
            raise FaultError(f"{self.path} holds a campaign with other {', '.join(sorted(other))}; choose another --out or these options")

    def chunk(self, fault: int, number: int) -> Records | None:
        """A finished chunk; None when it is not there."""
        row = self._database.row("SELECT records FROM chunks WHERE fault = ? AND number = ?", (fault, number))
        return None if row is None else Records.from_bytes(row[0])

    def save_chunk(self, fault: int, number: int, seconds: float, records: Records) -> None:
        """Write a finished chunk."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?)", (fault, number, seconds, records.to_bytes()))

    def seconds(self, fault: int) -> float:
        """Time that workers spent on a fault's chunks."""
        ((total,),) = self._database.rows("SELECT COALESCE(SUM(seconds), 0) FROM chunks WHERE fault = ?", (fault,))
        return float(total)


def read_campaign(folder: Path) -> dict[str, Any] | None:
    """The report of the campaign in a folder, None when it is not finished. Raises FaultError where there is none."""
    if not (folder / CAMPAIGN).is_file():
        raise FaultError(f"{folder} must be the folder of a campaign, but has no {CAMPAIGN}: run inexact fault run --out {folder} first")
    with Store(folder / CAMPAIGN) as store:
        report: dict[str, Any] | None = store.value("report")
    return report
