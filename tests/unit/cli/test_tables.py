"""What tables show in a narrow terminal and to a program."""

from __future__ import annotations

import re

import pytest

from inexact.cli import _tables, run
from inexact.cli._estimate import show_compared


@pytest.mark.parametrize(
    "words",
    [
        ["accelerator", "list"],
        ["accelerator", "show", "edge-16x16"],
        ["atlas", "list", "--family", "precision_scaling"],
        ["atlas", "coverage"],
    ],
)
def test_tables_fit_80_columns_and_leave_nothing_out(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(words) == 0
    table = capsys.readouterr().out.split("`inexact")[0].split("surveys")[0].splitlines()[:-1]
    assert max(map(len, table)) <= 80
    assert not any(re.search(r"\S…", line) for line in table)  # a spread has blanks around it


def test_machines_keep_to_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run(["accelerator", "list"])
    assert re.search(r"^tpu-v1-like +256x256 +parallel +28 nm +700 +45,875 +28,928 +30$", capsys.readouterr().out, re.MULTILINE)


def test_machines_are_compared_side_by_side(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    names = ("cycles", "latency_ms", "energy_pj", "energy_per_mac", "tops_per_watt", "area_um2")
    shares = {place: {"value": 12.34} for place in ("array", "on_chip", "with_dram")}
    figures = {key: {"value": 2000000.0} for key in names} | {"node": "45 nm", "mac_share": shares, "savings": shares}
    show_compared([{"accelerator": name, **figures} for name in ("edge-16x16", "tpu-v1-like", "eyeriss-like")])
    lines = capsys.readouterr().out.splitlines()
    heads = [line.split()[3:] for line in lines if line.startswith(" exact 8 bit")]
    assert heads == [["edge-16x16", "tpu-v1-like"], ["eyeriss-like"]]
    assert [line.split()[-1] for line in lines if "saved, % with DRAM" in line] == ["12.3", "12.3"]
    assert max(map(len, lines)) <= 60


def test_what_no_terminal_shows_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert _tables.console().width == _tables.WIDE
    monkeypatch.setenv("COLUMNS", "90")
    assert _tables.console().width == 90


def test_claims_are_listed_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claim", "list", "--work", "drum2015"]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    assert any(re.fullmatch(r"reproduced +drum-k6-mean +fast +published 1\.47 % \(.*\); measured 1\.468 % .*", line) for line in lines)
    assert total.startswith(f"{len(lines)} claims: ")


def test_facets_of_claims_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claim", "list", "--family", "units"]) == 1
    assert re.search(
        r"no claim has the family 'units'.* Known: .*precision_scaling.*\. `inexact claim list` shows all", capsys.readouterr().err
    )


@pytest.mark.parametrize(("count", "shown"), [(0, "0 claims"), (1, "1 claim"), (12, "12 claims")])
def test_one_is_not_plural(count: int, shown: str) -> None:
    assert _tables.counted(count, "claim") == shown


def test_units_are_called_without_hashes() -> None:
    spec = f"table(path='mine.npy',content={'0f' * 32},width=(8,4))"
    assert _tables.called(spec) == "table(path='mine.npy',width=(8,4))"
    assert _tables.called(spec.replace("0f" * 32, f"'{'1e' * 32}'")) == "table(path='mine.npy',width=(8,4))"
    assert _tables.called(f"table(content='{'0f' * 32}')") == f"table(content='{'0f' * 32}')"
