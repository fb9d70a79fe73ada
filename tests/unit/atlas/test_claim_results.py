"""Running claims, and the file that keeps what came out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from inexact.atlas import claims
from inexact.core.errors import ClaimError
from inexact.metrics import profile

from .claim_files import record, write

PROFILE = "inexact.atlas.claims.checks.unit_metric.profile"
"""What the check measures with."""

WRONG = {"id": "wrong", "number": "13"}


def two(folder: Path) -> tuple[claims.Claim, ...]:
    return claims.read_claims(write(folder, record(), record(**WRONG, why="it is 12.25")))


def test_results_are_kept_and_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, path = two(tmp_path), tmp_path / "results.json"
    found = claims.run(known, path, command="inexact claim run")
    assert {name: result.verdict for name, result in found.found.items()} == {"truncation-mae": "reproduced", "wrong": "contradicted"}
    again = claims.Results.load(path)
    assert again == found
    assert again.of(known[0]) == found.found["truncation-mae"]

    def forbidden(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(PROFILE, forbidden)
    assert claims.run(known, path) == found  # nothing is measured a second time
    with pytest.raises(AssertionError):
        claims.run(known, path, again=True)


def test_a_run_that_is_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, path = two(tmp_path), tmp_path / "results.json"
    asked: list[str] = []

    def stops(unit: Any) -> Any:
        asked.append(unit.spec)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return profile(unit)

    monkeypatch.setattr(PROFILE, stops)
    with pytest.raises(KeyboardInterrupt):
        claims.run(known, path)
    assert list(claims.Results.load(path).found) == ["truncation-mae"]
    assert list(claims.run(known, path).found) == ["truncation-mae", "wrong"]
    assert len(asked) == 3


def test_a_changed_record_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    claims.run(two(tmp_path), path)
    changed = claims.read_claims(write(tmp_path, record(number="12.3")))
    assert claims.Results.load(path).of(changed[0]) is None
    assert claims.run(changed, path).found["truncation-mae"].verdict == "contradicted"
    assert claims.Results.load(path).found["wrong"].verdict == "contradicted"  # what is not asked for stays


def test_what_this_machine_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INEXACT_REFERENCE_DATA", str(tmp_path))
    check = '{ kind = "unit_metric", target = "evoapproxlib:mul8u_2HH", metric = "mae" }'
    (claim,) = claims.read_claims(write(tmp_path, record(check=check)))
    result = claims.run_claim(claim)
    assert (result.verdict, result.measured) == ("not runnable here", None)
    assert "put evoapproxlib_master_8x8.npz" in result.reason
    path = tmp_path / "results.json"
    claims.run([claim], path)
    assert claims.run([claim], path).found[claim.id].verdict == "not runnable here"  # tried again, not taken as settled


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inexact": "0.0.1"}, "must come from this version of inexact"),
        ({"claim_results": 99}, "not from 0.1.0, format 99; choose another --results, or run the claims again"),
        ({"results": [{"id": "x"}]}, "a result must have the fields of this version"),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    known, path = two(tmp_path), tmp_path / "results.json"
    claims.run(known[:1], path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ClaimError, match=re.escape(message)):
        claims.run(known, path)


def test_files_that_hold_no_results_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("{}")
    with pytest.raises(ClaimError, match="must be a file that `inexact claim run --results` wrote"):
        claims.Results.load(path)
    with pytest.raises(ClaimError, match="cannot be read"):
        claims.Results.load(tmp_path / "absent.json")
    claims.run(two(tmp_path)[:1], path := tmp_path / "good.json")
    path.write_text(path.read_text().replace('"reproduced"', '"true"'))
    with pytest.raises(ClaimError, match="a verdict must be one of reproduced, contradicted, inconclusive, not runnable here, not 'true'"):
        claims.Results.load(path)


def test_an_error_of_one_claim_stops_no_other(tmp_path: Path) -> None:
    broken = '{ kind = "unit_metric", target = "trunc(cut=99)", metric = "mae" }'
    found = claims.run(claims.read_claims(write(tmp_path, record(id="broken", check=broken), record()))).found
    assert (found["broken"].verdict, found["truncation-mae"].verdict) == ("not runnable here", "reproduced")
    assert found["broken"].reason == "cut must be 0..2*width-1 (0..15), not 99"


@pytest.mark.slow
def test_workers_give_what_one_process_gives(tmp_path: Path) -> None:
    known = two(tmp_path)
    alone, together = claims.run(known), claims.run(known, workers=2)
    assert {name: result.measured for name, result in together.found.items()} == {
        name: result.measured for name, result in alone.found.items()
    }


def test_the_page_names_contradictions_and_why(tmp_path: Path) -> None:
    known = two(tmp_path)
    text = claims.page(known, claims.run(known))
    assert "| the claim itself | 1 | 1 | 0 | 0 | 0 |" in text
    row = "| `wrong`: without four columns the mean error is 12.25 | 13 lsb (± 0.01) | 12.25 lsb | it is 12.25 |"
    assert (
        f"## Contradicted\n\n### 1 of the claim itself\n\n| claim | published | measured | why |\n| --- | --- | --- | --- |\n{row}\n"
        in text
    )
    assert "## Inconclusive" not in text
    example = text.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "example.toml").write_text(example, encoding="utf-8")
    assert [claim.id for claim in claims.read_claims(tmp_path / "example.toml")] == ["drum-k6-again"]
    assert claims.verdicts(known, claims.Results.empty()) == {"not run": 2}
