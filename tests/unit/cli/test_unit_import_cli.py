"""`inexact unit import` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inexact.cli import run
from inexact.units import get


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lut = get("kulkarni").table().astype(np.int64)
    lut[:, 3] += 1  # not symmetric
    (tmp_path / "stranger.txt").write_text("\n".join(" ".join(map(str, row)) for row in lut))
    return tmp_path / "stranger.txt"


def test_import_gives_a_spec_that_works(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unit", "import", "stranger.txt", "--first", "a", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == "stranger.npy"
    unit = get(found["unit"]["spec"])
    assert np.array_equal(unit.table(), np.loadtxt(table, dtype=np.int64))
    assert run(["unit", "show", found["unit"]["spec"]]) == 0


def test_text_says_what_was_assumed(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unit", "import", str(table), "--first", "b", "--out", "units/mine"]) == 1  # no such folder
    capsys.readouterr()
    assert run(["unit", "import", str(table), "--first", "b", "--out", "mine"]) == 0
    out = capsys.readouterr().out
    assert "assumed: read as 8x8 unsigned: mean error" in out
    assert "assumed: the first index is b, the weight" in out
    assert "written: mine.npy" in out


def test_refusals_are_one_sentence(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unit", "import", str(table)]) == 1
    assert "state which operand the first index is with --first" in capsys.readouterr().err
    assert run(["unit", "import", str(table), "--width", "8by8"]) == 2
    assert "must be bits such as 8 or 8x4, not '8by8'" in capsys.readouterr().err
    np.save("own.npy", get("exact").table())
    assert run(["unit", "import", "own.npy", "--out", "own"]) == 1
    assert "must not replace the file it came from" in capsys.readouterr().err


def test_a_table_in_this_folder_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("own.npy", get("exact").table().astype(float))
    before = Path("own.npy").read_bytes()
    assert run(["unit", "import", "own.npy"]) == 0
    assert "written: own.unit.npy" in capsys.readouterr().out
    assert Path("own.npy").read_bytes() == before
