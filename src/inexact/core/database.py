"""A transactional SQLite file that survives kill -9, and one sentence for everything that can go wrong with it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final

from inexact.core.errors import InexactError, OutputError

BUSY_SECONDS = 30.0
"""How long another process is waited for."""


@final
class Database:
    """An open file in write-ahead mode. path: `:memory:` keeps nothing. schema: statements that make the tables of a new file.

    what: what the file must be, for messages, as "a study file". foreign: error for files that are not, that have another version of the
    schema, or that another process holds. Raises OutputError where none can be opened or written.
    """

    def __init__(self, path: str | Path, *, schema: str, version: int, what: str, foreign: type[InexactError]) -> None:
        self.path = str(path)
        self.what = what
        self.foreign = foreign
        with self.guarded():
            self.connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            with self.guarded():
                self.connection.execute("PRAGMA journal_mode = WAL")
                self.connection.execute("PRAGMA synchronous = NORMAL")
            self._prepare(schema, version)
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self, schema: str, version: int) -> None:
        with self.guarded():
            found = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
            if found == 0:
                self.connection.executescript(f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {version}; COMMIT;")
        if found not in (0, version):
            raise self.foreign(
                f"{self.path} must have the schema version {version}; it has {found}, written by another version of inexact: "
                "choose another --out or use that version"
            )

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.guarded():
            return self.connection.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, None when there is none."""
        return next(iter(self.rows(query, values)), None)

    def close(self) -> None:
        """Close the file; everything committed stays."""
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written together, or nothing."""
        with self.guarded():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back on its own; then there is nothing left to undo.
                with contextlib.suppress(sqlite3.OperationalError):
                    self.connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Errors of SQLite become one sentence."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise self._operational(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise self.foreign(f"{self.path} must be {self.what}: {error}; choose another --out") from error

    def _operational(self, reason: str) -> InexactError:
        if "locked" in reason or "busy" in reason:
            said = f"{self.path} must be free; another process has been writing to it for {BUSY_SECONDS:.0f} s: wait or stop it"
            return self.foreign(said)
        if "full" in reason:
            return OutputError(f"{self.path} could not be written: {reason}; what is finished is kept, free some space and go on")
        return OutputError(f"{self.path} could not be opened or written: {reason}; check the folder's permissions and free space")
