"""Published numbers as executable checks: what a work claims, how it is measured here, and what comes out."""

from inexact.atlas.claims._claim import COSTS, FAMILIES, PROVENANCES, Claim, claims, read_claims, select
from inexact.atlas.claims._page import expected_text, page, shown, verdicts
from inexact.atlas.claims._results import Result, Results, shipped_results
from inexact.atlas.claims._run import run, run_claim
from inexact.atlas.claims._tolerance import VERDICTS, Tolerance, verdict
from inexact.atlas.claims.checks._base import Check, Measured, kinds

__all__ = [
    "COSTS",
    "FAMILIES",
    "PROVENANCES",
    "VERDICTS",
    "Check",
    "Claim",
    "Measured",
    "Result",
    "Results",
    "Tolerance",
    "claims",
    "expected_text",
    "kinds",
    "page",
    "read_claims",
    "run",
    "run_claim",
    "select",
    "shipped_results",
    "shown",
    "verdict",
    "verdicts",
]
