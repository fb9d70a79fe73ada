"""The page of an attack campaign."""

from __future__ import annotations

import re
from typing import Any

from inexact.report.attack import render


def found(robust: float) -> dict[str, Any]:
    return {
        "robust": robust,
        "ci": [robust - 5, robust + 5],
        "strongest": "pgd, adaptive",
        "queries": 22.0,
        "backward_passes": 20.0,
        "sources": [["twin_exact", robust]],
    }


def result() -> dict[str, Any]:
    shown = {"float32": found(40.0), "exact": found(41.0), "approximate": found(37.25)}
    difference = {"points": 3.75, "ci": [-1.0, 8.5], "p_value": 0.2}
    picture = {"image": 4, "largest": 0.1, "before": "AAAA", "after": "BBBB", "change": "CCCC"}
    line = {"pictures": [picture], "measure": "linf", "epsilon": 0.1, "attacks": 4, **shown, "difference": difference}
    alarm = {
        "network": "approximate",
        "gradient": "white_box",
        "name": "noise",
        "title": "noise of the same size finds more",
        "raised": True,
        "found": "5 % <left>",
    }
    source = {"zero": 0.25, "not_finite": 0.0, "agreement": 0.61}
    return {
        "network": "lenet5",
        "data": "mnist",
        "images": 200,
        "clean": {name: {"robust": 99.0, "ci": [96.0, 99.8]} for name in shown},
        "threats": {"adaptive": "everything"},
        "rows": [{"attack": "pgd", "threat": "adaptive", **line}],
        "worst": [line],
        "alarms": [alarm],
        "audit": {"approximate": {"sources": {"straight_through": source}}},
        "verdict": ["No difference is shown & that is all."],
        "command": "inexact attack run",
        "plan_toml": ["[plan]"],
    }


def test_every_number_is_on_the_page() -> None:
    page = render(result())
    for part in (
        "37.2 [32.2, 42.2]",
        "3.8 [\u22121.0, 8.5]",
        "ALARM",
        "0.61",
        "5 % &lt;left&gt;",
        "twin_exact 37.2",
        "No difference is shown &amp; that is all.",
    ):
        assert part in page, part
    assert "$" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_the_page_loads_nothing_and_closes_what_it_opens() -> None:
    page = render(result())
    assert not re.search(r"(src|href)=\"(?!#|data:image/png)", page)
    assert page.count("<img ") == 3
    for tag in ("section", "table", "svg", "figure", "ul", "dl", "details"):
        assert page.count(f"<{tag}") == page.count(f"</{tag}>"), tag


def test_missing_parts_are_left_out() -> None:
    page = render({"network": "<b>"})
    assert "Adversarial robustness of &lt;b&gt;" in page
    assert "No adaptive attacker was run." in page
