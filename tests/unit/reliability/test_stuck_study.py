"""The comparison of multipliers under stuck-at faults: rows, resumption, verdicts, words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inexact.core.errors import FaultError
from inexact.reliability import stuck_facts, stuck_study
from inexact.reliability.stuck_study import EXACT, Row, Settings


def settings(**changes: object) -> Settings:
    units = stuck_study.named((EXACT, "trunc(cut=6,signed=true)"))
    small = Settings(units=units, cases=("lenet5:mnist",), images=4, layered=1, nets=1, elements=1)
    return replace(small, **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_rows_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.jsonl"
    small = settings()
    rows = stuck_study.run(small, file)
    # each unit: healthy, 32 bits, one net; the first one also bits in 5 layers and 3 bits x 2 values in an element
    assert len(rows) == 2 * 34 + 5 * 32 + 6
    assert {row.kind for row in rows} == {"none", "bit", "net", "element"}
    assert all(len(row.right) == 4 for row in rows)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-3]) + "\n")
    measured: list[str] = []
    original = stuck_study._Job.measured

    def noted(job: stuck_study._Job) -> Row:
        measured.append(job.site)
        return original(job)

    monkeypatch.setattr(stuck_study._Job, "measured", noted)
    again = stuck_study.run(small, file)
    assert len(measured) == 3
    assert again == rows


def test_settings_and_files_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="must be signed 8x8 multipliers, which exact is not"):
        settings(units=stuck_study.named(("exact",)))
    with pytest.raises(FaultError, match="a case must be NETWORK:DATA, as in lenet5:mnist, not 'lenet5'"):
        settings(cases=("lenet5",))
    with pytest.raises(FaultError, match="a comparison needs a unit and an image"):
        settings(images=0)
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1}\n')
    with pytest.raises(FaultError, match="must hold rows of this comparison, one JSON object a line"):
        stuck_study.read(other)
    with pytest.raises(FaultError, match="the rows must hold the exact unit"):
        stuck_facts.pairs([row("trunc", "none", "", right([1, 1, 1, 1] * 50))], EXACT)


def right(pattern: Sequence[int]) -> str:
    return np.packbits(np.array(pattern, bool)).tobytes().hex()


def row(unit: str, kind: str, site: str, correct: str, *, value: int = 0, scope: str = "all") -> Row:
    return Row(case="net:data", unit=unit, kind=kind, scope=scope, site=site, value=value, images=200, correct=correct)  # type: ignore[arg-type]


def made() -> list[Row]:
    """The exact unit loses 10 points by bit 9 and 90 by bit 15, the approximate one 80 and 10; a net costs 50."""

    def share(percent: int) -> str:
        return right([1] * (2 * percent) + [0] * (200 - 2 * percent))

    return [
        row(EXACT, "none", "", share(100)),
        row(EXACT, "bit", "9", share(90), value=1),
        row(EXACT, "bit", "15", share(10), value=1),
        row("approx", "none", "", share(95)),
        row("approx", "bit", "9", share(15), value=1),
        row("approx", "bit", "15", share(85), value=1),
        row("approx", "net", "n7", share(45), value=1),
        row("approx", "bit", "9", share(95), value=1, scope="conv1"),
    ]


def test_verdicts_compare_losses_on_the_same_images() -> None:
    more, less = stuck_facts.pairs(made(), EXACT)
    assert (more.site, more.verdict, less.site, less.verdict) == ("9", "more", "15", "less")
    assert [more.loss, more.exact_loss, more.excess] == pytest.approx([80, 10, 70])
    assert [less.loss, less.exact_loss, less.excess] == pytest.approx([10, 90, -80])
    assert [more.gap, less.gap] == pytest.approx([75, -75])
    assert (more.by_accuracy, less.by_accuracy) == ("more", "less")
    assert more.gap_ci[0] < more.gap < more.gap_ci[1]
    assert more.excess_ci[0] < more.excess < more.excess_ci[1]
    assert more.loss_ci[0] < more.loss < more.loss_ci[1]


def test_an_interval_of_equal_values_is_not_empty() -> None:
    found = stuck_facts.mean_interval(np.zeros(100, np.int64), 0.95)
    assert list(found) == pytest.approx([-0.02718, 0.02718], abs=1e-4)
    values = np.array([1, 0, 0, -1, 1, 1, 0, 0] * 200)
    half = 1.96 * float(values.std()) / 40
    assert list(stuck_facts.mean_interval(values, 0.95)) == pytest.approx([0.25 - half, 0.25 + half], abs=2e-3)


def test_words_follow_from_the_numbers() -> None:
    rows = made()
    found, nets = stuck_facts.pairs(rows, EXACT), stuck_facts.net_losses(rows)
    assert [net.unit for net in nets] == ["approx"]
    assert [nets[0].loss, nets[0].critical] == pytest.approx([50, 1])
    lines = stuck_facts.conclusion(found, nets, {("net:data", EXACT): 100.0, ("net:data", "approx"): 95.0})
    text = "\n".join(lines)
    assert (
        "(2 pairs of an approximate and the exact unit), the approximate one loses more in 1, less in 1 and no provable difference" in text
    )
    assert (
        "The largest difference against approximation: net:data, bit 9 stuck at 1 in all layers: the exact unit loses 10.0 points [" in text
    )
    assert (
        "The largest difference in favour of approximation: net:data, bit 15 stuck at 1 in all layers: the exact unit loses 90.0 points ["
        in text
    )
    assert "By the accuracy that is left instead, the approximate unit is worse in 1 of 2 pairs and better in 1." in text
    assert "bits 8 to 11: more in 1, less in 0 of 1 (80.0 against 10.0 points)" in text
    assert "approx: 100 % [21, 100]" in text
    assert "net:data approx: 95.0 %, more in 1, less in 1 of 2" in text
