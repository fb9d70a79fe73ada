"""Sections on faults and attacks in the report of a study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inexact.report import render
from inexact.report._fault_map import Frame, heat_map
from inexact.report.html import LIMIT

from .test_attack_page import result
from .test_html import Page

Report = dict[str, Any]


def rate(value: float, low: float, high: float) -> Report:
    return {"value": value, "ci": [low, high], "n": 2048}


def found(sdc1: Report, bits: int, layers: int = 2) -> Report:
    cells = [
        {"layer": f"layer<{layer}>", "bit": bit, "sites": 640, **(rate(bit, 0.5 * bit, 1.5 * bit) if bit else {})}
        for layer in range(layers)
        for bit in range(bits)
    ]
    return {
        "fault": "weight_flip",
        "n": 2048,
        "sdc1": sdc1,
        "sdc5": rate(0, 0, 0.19),
        "critical": rate(0.5, 0.2, 0.9),
        "drop": rate(-0.1, -0.3, 0.1),
        "cells": cells,
    }


def campaign(name: str, *, exact: bool, faults: list[Report]) -> Report:
    settings = {
        "confidence": 0.99,
        "margin": 0.002,
        "allocation": "neyman",
        "seed": 3,
        "about": {"protect": "none" if exact else "range_clip"},
    }
    return {
        "design": name,
        "exact": exact,
        "folder": "out/faults",
        "report": {"settings": settings, "images": 500, "top1": 91.25, "faults": faults},
    }


def with_campaigns(report: Report, *, layers: int = 2) -> Report:
    campaigns = [
        campaign("exact 8 bit", exact=True, faults=[found(rate(1.0, 0.5, 1.8), 8, layers)]),
        campaign("chosen, trial 3", exact=False, faults=[found(rate(3.0, 2.0, 4.5), 3, layers)]),
    ]
    row = {
        "fault": "weight_flip",
        "difference": {"points": 2.0, "ci": [0.72, 3.58], "confidence": 0.99},
        "verdict": "more",
        "sentence": "Under weight_flip, it loses 2.00 points more answers <than> the exact network.",
    }
    reliability = {"campaigns": campaigns, "comparisons": [{"design": "chosen, trial 3", "rows": [row]}], "unfinished": ["out/<half>"]}
    return report | {
        "reliability": reliability,
        "security": {"attacks": [{"design": "chosen, trial 3", "folder": "out/attacks", "result": result()}]},
    }


def test_rates_differences_and_verdicts_are_shown(report: Report) -> None:
    page = Page(render(with_campaigns(report)))
    for said in (
        "3.00 [2.00, 4.50]",
        "2.00 [0.72, 3.58]",
        "99 % intervals",
        "chosen, trial 3, range_clip",
        "loses 2.00 points more answers <than> the exact network",
        "The campaign in out/<half> is not finished",
        "margin 0.2 points, allocation neyman, seed 3; out/faults",
        "37.2 [32.2, 42.2]",
        "Alarms for masked gradients (1 raised)",
        "No difference is shown & that is all.",
    ):
        assert said in page.text, said
    names = {attrs["aria-label"] for attrs in page.all("svg") if "aria-label" in attrs}
    assert names >= {
        "SDC-1 rate of weight_flip by layer and bit, at most 7.00 %",
        "Robust accuracy against epsilon, largest change of a pixel (0..1)",
    }


def test_maps_of_one_fault_share_rows_columns_and_colours() -> None:
    wide, narrow = found(rate(1, 0, 2), 8), found(rate(1, 0, 2), 3)
    frame = Frame.of(wide, narrow)
    assert (frame.bits, frame.largest) == (tuple(range(8)), 7)
    alone, shared = heat_map(narrow), heat_map(narrow, frame)
    assert 'class="p7"' in alone
    assert "layer&lt;1&gt;, bit 2: SDC-1 2.00 [1.00, 3.00] %, 2048 faults of 640 sites" in shared
    assert 'class="p2"' in shared
    assert 'class="p7"' not in shared


def test_many_cells_have_no_tooltips_and_the_page_stays_small(make_report: Callable[..., Report]) -> None:
    page = render(with_campaigns(make_report(60), layers=200))
    assert len(page.encode()) < LIMIT
    assert "faults of 640 sites" not in page
    assert "faults of 640 sites" in render(with_campaigns(make_report(60), layers=20))


def test_a_study_without_campaigns_says_how_to_run_them(report: Report) -> None:
    page = Page(render(report)).text
    assert "No fault campaign was run on this study. inexact fault run --study adds one." in page
    assert "No design of this study was attacked. inexact attack run --study adds one." in page
