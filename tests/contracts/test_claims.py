"""Every claim: its record, the result that comes with the package, and, for the fast ones, the verdict measured now."""

from __future__ import annotations

from typing import Any

import pytest

from inexact.atlas import claims

FEWEST = 60
IN_NO_TIME = 0.06
"""Seconds; what took longer when the results were made is checked with --slow only."""

KNOWN = claims.claims()


def fast() -> list[Any]:
    found = []
    for claim in KNOWN:
        if claim.cost == "fast":
            result = claims.shipped_results().of(claim)
            marks = [] if result is not None and result.seconds < IN_NO_TIME else [pytest.mark.slow]
            found.append(pytest.param(claim, id=claim.id, marks=marks))
    return found


@pytest.mark.parametrize("claim", fast())
def test_fast_claims_come_out_as_shipped(claim: claims.Claim) -> None:
    shipped = claims.shipped_results().of(claim)
    assert shipped is not None
    result = claims.run_claim(claim)
    if result.verdict == "not runnable here":
        pytest.skip(result.reason)
    assert result.verdict == shipped.verdict


def test_every_claim_has_a_result_of_this_version() -> None:
    results = claims.shipped_results()
    assert [claim.id for claim in KNOWN if results.of(claim) is None] == []
    assert set(results.found) == {claim.id for claim in KNOWN}
    assert len(KNOWN) >= FEWEST


def test_verdicts_follow_from_what_was_measured() -> None:
    results = claims.shipped_results()
    for claim in KNOWN:
        result = results.of(claim)
        if result is not None and result.measured is not None:
            assert result.verdict == claims.verdict(result.measured.low, result.measured.high, claim.band), claim.id


def test_every_contradiction_says_why() -> None:
    results = claims.shipped_results()
    contradicted = [claim for claim in KNOWN if (result := results.of(claim)) is not None and result.verdict == "contradicted"]
    assert [claim.id for claim in contradicted if not claim.why] == []


@pytest.mark.parametrize("kind", list(claims.kinds))
def test_every_kind_of_check_is_used(kind: str) -> None:
    assert any(claim.check.family_name == kind for claim in KNOWN)
