from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from inexact.cli import doctor as doctor_module
from inexact.cli import run
from inexact.kernels import _dispatch


def test_json_is_one_object_with_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"version", "isa", "engines", "threads", "torch", "optional"} <= set(found)
    assert found["isa"] in found["isas"]
    assert found["engines"]["torch"] is True
    assert {"optuna", "foolbox", "c++", "yosys"} <= set(found["optional"])


def test_text_says_which_engine_is_in_use_without_the_core(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(_dispatch, "core", lambda: None)
    assert run(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "table no" in text
    assert "The compiled core is absent, so the torch engine is used" in text


def test_a_program_that_is_not_there_or_does_not_answer_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_module._program("no-such-program", "--version") is None
    monkeypatch.setattr("shutil.which", lambda _: "/no/such/path")
    assert doctor_module._program("yosys", "-V") is None


def test_a_forced_isa_that_is_absent_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("INEXACT_ISA", "sse9")
    assert run(["doctor"]) == 1
    assert "error: INEXACT_ISA must name a path of this machine" in capsys.readouterr().err


def test_every_extra_is_explained() -> None:
    root = Path(__file__).parents[3]
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    page = (root / "docs" / "install.md").read_text(encoding="utf-8")
    assert [name for name in extras if f"| `{name}` |" not in page] == []
    told = " ".join(doctor_module.PACKAGES.values())
    assert [name for name in extras if f"(extra: {name})" not in told] == ["test", "dev"]


def test_lines_of_programs_and_packages_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.partition("optional\n")[2].splitlines()
    assert len(lines) == len(doctor_module.PACKAGES) + len(doctor_module.TOOLS)
    assert all(line[36:59].strip() and line[59:61] == "  " and line[61] != " " for line in lines)
