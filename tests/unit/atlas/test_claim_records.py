"""Reading claims: what a record must say, and the sentence when it does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inexact.atlas import claims
from inexact.core.errors import ClaimError

from .claim_files import record, write


def test_a_record_is_read(tmp_path: Path) -> None:
    (found,) = claims.read_claims(write(tmp_path, record(work="drum2015", proxy="none of it")))
    assert (found.id, found.work, found.check.family_name) == ("truncation-mae", "drum2015", "unit_metric")
    assert found.band == pytest.approx((12.24, 12.26))
    row = found.to_json()
    assert row["expected"] == {"value": 12.25, "unit": "lsb", "tolerance": "± 0.01", "low": found.band[0], "high": found.band[1]}
    assert {"id", "source", "statement", "provenance", "cost", "family", "kind", "proxy", "sha256"} <= set(row)


def test_the_hash_is_of_what_a_result_depends_on(tmp_path: Path) -> None:
    def digest(**changes: str) -> str:
        return claims.read_claims(write(tmp_path, record(**changes)))[0].sha256

    assert digest(statement="other words", why="a reason") == digest()
    assert digest(number="12.26") != digest() != digest(tolerance="{ absolute = 0.02 }")
    assert digest(check='{ kind = "unit_metric", target = "trunc(cut=5)", metric = "mae" }') != digest()


BAD = [
    ({"tolerance": None}, "claim 'truncation-mae' must have an entry 'tolerance': without it nothing can agree or disagree"),
    ({"provenance": None}, "must have an entry 'provenance', one of read, recalled, computed: whence the number"),
    ({"provenance": "'guessed'"}, "provenance must be one of read, recalled, computed, not"),
    ({"check": '{ kind = "unit_metrics" }'}, "no kind of check is called 'unit_metrics'; did you mean 'unit_metric' or "),
    ({"check": "{ target = 3 }"}, "no kind of check is called None."),
    ({"work": "drum2016"}, "no work has the key 'drum2016'; did you mean 'drum2015'"),
    (
        {"source": "somebody"},
        "source must name a DOI (doi:10.…), an arXiv number (arXiv:…) or an address, unless `work` does; not 'somebody'",
    ),
    ({"number": "about 12"}, "number must be a decimal number as it is printed, not 'about 12'"),
    ({"unit": "%"}, "unit must be 'lsb', which unit_metric measures, not '%'"),
    ({"id": "Truncation MAE"}, "id must be lower-case words and digits joined by hyphens, not 'Truncation MAE'"),
    ({"cost": "cheap"}, "cost must be one of fast, slow, network, not 'cheap'"),
    ({"family": "units"}, "family must be one of computation_reduction, approximate_units"),
    ({"tolerances": "x"}, "has no entry 'tolerances'; did you mean 'tolerance'?"),
    ({"statement": ""}, "statement must be a text in quotes, not ''"),
    ({"tolerance": "0.01"}, "tolerance must be a table, not 0.01"),
    (
        {"tolerance": "{ absolut = 0.01 }"},
        "tolerance must be one of absolute, relative, printed, direction, not 'absolut'; did you mean 'absolute'?",
    ),
    ({"tolerance": "{ absolute = -1 }"}, "tolerance absolute must be a number >= 0, not -1"),
    (
        {"tolerance": "{ absolute = 1, relative = 1 }"},
        "tolerance must hold exactly one of absolute, relative, printed, direction, not absolute, relative",
    ),
    ({"tolerance": '{ printed = "up" }'}, "tolerance printed must be 'rounded' or 'cut', not 'up'"),
    ({"tolerance": '{ direction = "above" }'}, "tolerance direction must be 'at_least' or 'at_most', not 'above'"),
    ({"check": '{ kind = "unit_metric", target = "exact" }'}, "unit_metric needs the parameter 'metric'"),
    ({"check": '{ kind = "unit_metric", target = 3, metric = "mae" }'}, "target of unit_metric must be a text, not 3"),
    (
        {"check": '{ kind = "unit_metric", target = "exact", metrics = "mae" }'},
        "unit_metric has no parameter 'metrics'; did you mean 'metric'?",
    ),
    ({"check": '{ kind = "unit_metric", target = "exact", metric = "med" }'}, "metric must be one of error_probability, mae"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[f"{number}" for number in range(len(BAD))])
def test_bad_records_are_refused(tmp_path: Path, changes: dict[str, str | None], message: str) -> None:
    path = write(tmp_path, record(**changes))
    with pytest.raises(ClaimError, match=re.escape(message)):
        claims.read_claims(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[claim", "must be TOML: "),
        ("[claim]\nid = 'x'", "must hold [[claim]] tables and nothing else"),
        ("version = 1", "must hold [[claim]] tables and nothing else"),
        (record() + "\n" + record(), "every claim must have an id of its own; 'truncation-mae' is there twice"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ClaimError, match=re.escape(message)):
        claims.read_claims(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match=r"file of claims .*absent\.toml cannot be read"):
        claims.read_claims(tmp_path / "absent.toml")


def test_filters(tmp_path: Path) -> None:
    two = claims.read_claims(write(tmp_path, record(), record(id="other", cost="slow", work="drum2015")))
    assert [claim.id for claim in claims.select(two, costs=("slow",))] == ["other"]
    assert [claim.id for claim in claims.select(two, kinds=("unit_metric",), families=("approximate_units",))] == [
        "truncation-mae",
        "other",
    ]
    assert claims.select(two, ids=("other",), costs=("fast",)) == []
    with pytest.raises(ClaimError, match="no claim has the id 'truncation-mea'; did you mean 'truncation-mae'"):
        claims.select(two, ids=("truncation-mea",))
    with pytest.raises(ClaimError, match=r"no claim has the work 'mbm2018'\. `inexact claim list` shows all"):
        claims.select(two, of_works=("mbm2018",))
