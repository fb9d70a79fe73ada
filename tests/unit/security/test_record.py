"""Records of long runs: parts are made once, foreign files are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from inexact.core.errors import AttackError
from inexact.security.record import Record


def test_a_part_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert Record(path, {"runs": 2}).part("first", lambda: (1, 2)) == [1, 2]
    assert Record(path, {"runs": 2}).part("first", lambda: 0) == [1, 2]


def test_other_settings_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    Record(path, {"runs": 2}).part("first", lambda: 1)
    with pytest.raises(AttackError, match="holds an attack with other runs; go on with what it was started with, or choose another --out"):
        Record(path, {"runs": 3})
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(AttackError, match="must be the record of an attack, or not exist yet"):
        Record(path, {"runs": 2})
