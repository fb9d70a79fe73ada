"""`inexact attack bitflip|sidechannel|trojan|extract`: answers, records that are gone on from, what bad input gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from inexact.cli import app, run

BITFLIP = ["attack", "bitflip", "--unit", "exact", "--unit", "drum(k=3)", "--runs", "2", "--flips", "2", "--batch", "16", "--images", "60"]
TRACES = [
    "attack",
    "sidechannel",
    "--unit",
    "exact",
    "--filter",
    "0",
    "--runs",
    "2",
    "--snr",
    "10",
    "--traces",
    "128",
    "--images",
    "4",
    "--threads",
    "1",
]


def answer(arguments: list[str]) -> dict[str, Any]:
    found = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert found.exit_code == 0
    content: dict[str, Any] = json.loads(found.stdout)
    return content


@pytest.mark.slow
def test_bit_flips_answer_and_go_on_from_their_record(tmp_path: Path) -> None:
    record, drawn = tmp_path / "run.json", tmp_path / "flips.svg"
    found = answer([*BITFLIP, "--out", str(record), "--picture", str(drawn)])
    assert [len(found["networks"][unit]["top1_after"]) for unit in ("exact", "drum(k=3)")] == [3, 3]
    assert "flips" in found["conclusion"][0]
    assert drawn.read_text(encoding="utf-8").startswith("<svg")
    parts = json.loads(record.read_text(encoding="utf-8"))["parts"]
    assert len(parts) == 12
    assert answer([*BITFLIP, "--out", str(record)])["networks"] == found["networks"]


@pytest.mark.slow
def test_side_channel_answers(tmp_path: Path) -> None:
    found = answer([*TRACES, "--picture", str(tmp_path / "traces.svg")])
    assert found["traces_tried"] == [32, 64, 128]
    assert found["found"]["exact"]["distinct_weights"] == 255
    assert len(found["found"]["exact"]["success"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*TRACES, "--snr", "0"], "the signal-to-noise ratio must be a positive number, not 0.0"),
        ([*TRACES, "--traces", "0"], "traces must be at least 1, not 0"),
        ([*TRACES, "--layer", "conv9"], "the network has no layer 'conv9'; did you mean"),
        ([*TRACES, "--leakage", "heat"], "no leakage is called 'heat'"),
        ([*TRACES, "--unit", "exact"], "every --unit must be given once, not exact, exact"),
        (["attack", "trojan", "insert", "--unit", "table"], "table needs path="),
        (["attack", "trojan", "detect", "--unit", "voted"], "has none; import one with `inexact unit import FILE.v`"),
        (["attack", "extract", "--attack", "borrow"], "no extraction attack is called 'borrow'"),
        (["attack", "extract", "--budget", "0"], "query budgets must be at least 1, not 0"),
    ],
)
def test_bad_input_gets_a_sentence(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments, "--threads", "1"]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_trojan_is_inserted_and_written(tmp_path: Path) -> None:
    import numpy as np

    from inexact import circuits

    wanted = ["attack", "trojan", "insert", "--unit", "drum(k=3)", "--declare", "wce", "--search", "100", "--images", "100"]
    found = answer([*wanted, "--out", str(tmp_path)])
    assert found["metrics"]["wce"] <= found["declared"]["wce"]
    written = circuits.read_verilog(tmp_path / "trojan.v")
    assert np.array_equal(circuits.table(written), np.load(tmp_path / "trojan.npy"))
    assert json.loads((tmp_path / "trojan.json").read_text(encoding="utf-8"))["sha256"] == found["sha256"]
