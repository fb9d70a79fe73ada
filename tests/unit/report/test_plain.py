from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from rich.console import Console

from inexact.report import summary_table


def shown(report: dict[str, Any]) -> str:
    console = Console(width=140, file=io.StringIO(), force_terminal=False)
    console.print(summary_table(report))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue().replace("\u202f", " ")


def test_front_is_listed_and_the_choice_marked(report: dict[str, Any]) -> None:
    lines = shown(report).splitlines()
    rows = [line for line in lines if "validation │" in line]
    assert len(rows) == len(report["front"])
    starred = [line for line in rows if "│ * │" in line]
    assert len(starred) == 1
    assert f" {report['best']['trial']} " in starred[0]


def test_caption_says_what_was_measured_and_saved(report: dict[str, Any]) -> None:
    text = shown(report)
    assert "validation drop is at most 1 point" in text
    assert "test: drop 0.72 [0.36, 1.08] points against float32" in text
    assert "energy saved, multipliers only: 58.3 %\n" in re.sub(" +\n", "\n", text)
    assert "energy saved, whole accelerator, with DRAM: 11.4 %; multipliers alone at most 19.6 %" in text
    assert "Of the 10.9 % saved, in points: multiplier 10.9." in text
    assert text.count("source: gate-count model") == 1


def test_an_origin_stands_on_one_line(report: dict[str, Any]) -> None:
    for saving in report["best"]["savings"].values():
        saving["source"] = "model m: energy saved"
    report["best"]["savings"]["with_dram"]["source"] = "model m: energy saved; declared model for control"
    report["best"]["area_saving"]["source"] = "model m: area saved"
    lines = re.sub(r" *\n", " ", shown(report).partition("source: ")[2]).strip()
    assert lines == "model m: energy saved; declared model for control; area saved"


def test_nothing_satisfied_prints_the_message(make_report: Callable[..., dict[str, Any]]) -> None:
    assert "no design drops at most 1 point; the best reached 3.2 points" in shown(make_report(20, satisfied=False))


def test_an_empty_result_prints() -> None:
    assert "No design meets a drop of at most" in shown({})
