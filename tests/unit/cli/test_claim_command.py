"""`inexact claim`: list, show, run, report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inexact.cli import run

CLAIM = """[[claim]]
id = "truncation-mae"
source = "a derivation, doi:10.1109/VLSISP.1993.404467"
statement = "without four columns the mean error is 12.25"
number = "12.25"
unit = "lsb"
tolerance = { absolute = 0.01 }
family = "approximate_units"
provenance = "computed"
cost = "fast"
check = { kind = "unit_metric", target = "trunc(cut=4)", metric = "mae" }
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "claims.toml"
    path.write_text(CLAIM)
    return str(path)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["claim", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "list", "--work", "drum2015", "--cost", "fast", "--verdict", "reproduced")["claims"]
    assert {"id", "source", "verdict", "measured", "expected"} <= set(found[0])
    assert {row["work"] for row in found} == {"drum2015"}
    assert {row["verdict"] for row in found} == {"reproduced"}
    row = next(row for row in found if row["id"] == "drum-k6-mean")
    assert row["expected"] == {"value": 1.47, "unit": "%", "tolerance": "printed digits, cut", "low": 1.46, "high": 1.48}
    assert row["measured"]["value"] == pytest.approx(1.468, abs=1e-3)
    assert run(["claim", "list", "--kind", "closed_form"]) == 0
    out = capsys.readouterr().out
    assert "perforation-closed-form" in out
    assert "4 claims: 4 reproduced" in out


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claim", "show", "date2025-rm6-max-error"]) == 0
    out = capsys.readouterr().out
    assert "measured    321 lsb (all 16384 pairs, uniform operands, 16384 counted" in out
    assert "verdict     contradicted\n" in out
    assert "why         The table the authors released removes exactly six columns" in out
    assert answer(capsys, "show", "bam-4-4-product")["measured"]["value"] == 3440


def test_run_and_report(capsys: pytest.CaptureFixture[str], file: str, tmp_path: Path) -> None:
    results, page = str(tmp_path / "results.json"), str(tmp_path / "page.md")
    (row,) = answer(capsys, "run", "--file", file, "--results", results)["claims"]
    assert (row["verdict"], row["measured"]["value"]) == ("reproduced", 12.25)
    assert run(["claim", "run", "--file", file, "--results", results]) == 0
    assert "1 claim: 1 reproduced" in capsys.readouterr().out
    assert answer(capsys, "list", "--file", file)["claims"][0]["verdict"] == "not run"
    content = answer(capsys, "report", "--file", file, "--results", results, "--out", page)
    assert (content["claims"], content["verdicts"], content["file"]) == (1, {"reproduced": 1}, page)
    assert "| the claim itself | 1 | 0 | 0 | 0 | 0 |" in Path(page).read_text()
    assert run(["claim", "report", "--file", file, "--results", results]) == 0
    assert capsys.readouterr().out.startswith("# Claims")


def test_check_compares_with_the_package(capsys: pytest.CaptureFixture[str], file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INEXACT_REFERENCE_DATA", raising=False)
    assert run(["claim", "run", "bam-4-4-mae", "loa-bias", "adapt-1l2h-wce", "--check"]) == 0  # the last one cannot be run here
    capsys.readouterr()
    assert run(["claim", "run", "--file", file, "--check"]) == 1
    assert "the verdict must be the one that comes with the package; it is not for truncation-mae" in capsys.readouterr().err


def test_unknown_claims_get_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claim", "run", "drum-k6-meen"]) == 1
    assert "error: no claim has the id 'drum-k6-meen'; did you mean 'drum-k6-mean'" in capsys.readouterr().err
    assert run(["claim", "show", "zzz"]) == 1
    assert "no claim has the id 'zzz'. `inexact claim list` shows all" in capsys.readouterr().err
    assert run(["claim", "list", "--work", "drum2051"]) == 1
    assert "no claim has the work 'drum2051'; did you mean 'drum2015'" in capsys.readouterr().err


def test_listing_loads_no_torch() -> None:
    code = (
        "import sys; from inexact.cli import run; run(['claim', 'list', '--json']); "
        "assert not {'torch', 'scipy.stats', 'inexact.nn', 'inexact.explore'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
