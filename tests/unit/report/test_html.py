from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from inexact.core.errors import OutputError
from inexact.report import render, write_html
from inexact.report._exits import lines
from inexact.report._layers import short
from inexact.report.html import LIMIT, embedded

VOID = {"meta", "wbr", "link", "br", "img", "input", "hr"}
Report = dict[str, Any]


class Page(HTMLParser):
    """Collects elements and fails on a tag that is closed in the wrong order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"<{tag}> repeats an attribute"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words).replace("\u202f", " "))

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag and all(attrs.get(key) == value for key, value in wanted.items())]

    def of_class(self, tag: str, word: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag and word in (attrs.get("class") or "").split()]


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_page_is_well_formed_and_its_ids_are_unique(report: Report) -> None:
    page = Page(render(report))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    anchors = {attrs["href"] for attrs in page.all("a") if (attrs["href"] or "").startswith("#")}
    assert {f"#{name}" for name in ids} >= anchors
    assert len(anchors) >= 7


def test_page_loads_nothing_from_outside(report: Report) -> None:
    page = render(report)
    for tag, attrs in Page(page).elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "use", "image"}
        assert "src" not in attrs
        assert "srcset" not in attrs
        assert tag == "a" or "href" not in attrs
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|WebSocket|\bimport\b *\(", page)


def test_two_hundred_trials_stay_below_one_megabyte(make_report: Callable[..., Report], tmp_path: Path) -> None:
    path = write_html(make_report(200), tmp_path / "report.html")
    assert path.stat().st_size < 1_000_000
    assert sum(entry is not None for entry in data_of(path.read_text())["trials"].values()) == 188


def test_a_huge_study_loses_dominated_plans_first_and_says_so(make_report: Callable[..., Report]) -> None:
    report = make_report(3000)
    page = render(report)
    assert len(page.encode()) < LIMIT
    front = {str(trial["id"]) for trial in report["front"]}
    kept = {name for name, entry in data_of(page)["trials"].items() if entry is not None}
    assert front
    assert kept == front
    assert "dominated or failed trials are not in this file" in page


def test_answer_states_saving_drop_interval_and_images(report: Report) -> None:
    text = Page(render(report)).text
    assert "saves 11.4 % of the accelerator’s energy" in text
    assert "multipliers only: 58.3 %" in text
    assert "a drop of 0.72 points [0.36, 1.08] (95 % interval) against float32, on 10 000 test images." in text
    assert "Chosen on the validation split: drop 0.61" in text
    assert "The interval’s upper end, 1.08, lies above the limit of 1." in text
    assert "rest on a declared model: gate-count model" in text


def test_test_drop_above_the_limit_is_said_plainly(report: Report) -> None:
    report["best"]["test"]["drop"] = 1.4
    assert "On the test images the drop lies above the limit of 1." in Page(render(report)).text


def test_a_gain_is_called_a_gain(report: Report) -> None:
    report["best"]["test"].update(drop=-0.2, drop_ci=[-0.5, 0.1])
    assert "at a gain of 0.20 points [−0.50, 0.10]" in Page(render(report)).text


def test_every_measured_trial_is_drawn_once_in_each_plot(report: Report) -> None:
    page = Page(render(report))
    measured = [trial for trial in report["trials"] if trial["drop"] is not None]
    assert len(page.of_class("g", "point")) == 2 * len(measured)
    assert len(page.of_class("g", "best")) == 2
    front = [trial for trial in measured if trial["on_front"]]
    assert len(page.of_class("g", "front")) == 2 * (len(front) - 1)
    focusable = [attrs for attrs in page.of_class("g", "point") if attrs.get("tabindex") == "0"]
    assert len(focusable) == 2 * len(front)
    assert page.of_class("g", "best")[0]["data-id"] == str(report["best"]["trial"])
    assert f"Trial {report['best']['trial']}: chosen design, energy saving" in page.text


def test_every_drawing_has_an_accessible_name(report: Report) -> None:
    for attrs in Page(render(report)).all("svg"):
        assert attrs.get("aria-hidden") == "true" or attrs.get("aria-label")


def test_markers_tell_images_and_split(report: Report) -> None:
    text = Page(render(report)).text
    for count in {trial["n_images"] for trial in report["trials"] if trial["drop"] is not None}:
        measured = sum(trial["n_images"] == count and trial["drop"] is not None for trial in report["trials"])
        assert f"validation, {count:,} images ({measured})".replace(",", " ").replace("validation ", "validation,") in text


def test_nothing_satisfied(make_report: Callable[..., Report]) -> None:
    page = Page(render(make_report(40, satisfied=False)))
    assert "No design found satisfies a drop of at most 1 point" in page.text
    assert "the smallest drop, of trial" in page.text
    assert "The front is empty." in page.text
    assert "No plan was chosen." in page.text


def assert_whole(page: Page) -> None:
    """Every section is still there, and nothing missing shows as a Python value."""
    for heading in ("Savings against accuracy", "The chosen plan, layer by layer", "Where the energy goes", "Error of each unit"):
        assert heading in page.text
    assert not re.search(r"\b(None|nan|undefined)\b", page.text)


@pytest.mark.parametrize(
    "key", ["best", "trials", "front", "units", "provenance", "energy", "float32", "int8", "versions", "settings", "max_drop", "title"]
)
def test_a_missing_part_is_no_error(report: Report, key: str) -> None:
    del report[key]
    assert_whole(Page(render(report)))


@pytest.mark.parametrize("key", ["layers", "validation", "test", "savings", "ceiling", "plan_toml", "trial", "area_saving"])
def test_a_missing_part_of_the_chosen_design_is_no_error(report: Report, key: str) -> None:
    report["best"][key] = None
    assert_whole(Page(render(report)))


def test_an_empty_result_still_makes_a_page() -> None:
    text = Page(render({})).text
    assert "No design was measured" in text
    assert "No trial was run." in text


def test_numbers_that_are_not_finite_are_shown_as_missing(report: Report) -> None:
    report["best"]["test"]["p_value"] = float("nan")
    report["trials"][0]["energy_saving"] = float("inf")
    report["units"][0]["error_heatmap"][3][3] = float("nan")
    page = render(report)
    assert "nan" not in Page(page).text.lower().split()
    assert data_of(page)["maps"][0] is None


def test_text_from_outside_cannot_become_markup(report: Report) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    report.update(title=evil, network=evil, command=evil, settings={evil: evil}, versions={evil: evil})
    report["trials"][0].update(plan_toml=evil, error=evil, status=evil, split=evil)
    report["best"].update(plan_toml=evil)
    report["best"]["layers"][0].update(name=evil, multiplier=evil, coding=evil, kind=evil)
    report["units"][0].update(spec=evil, sha256=evil, cost={evil: {"value": 1, "unit": evil, "source": evil}})
    report["provenance"].append({"quantity": evil, "value": evil, "unit": evil, "source": evil + " https://x.org/" + evil, "node": evil})
    report["energy"]["best"][evil] = 1.0
    page = render(report)
    parsed = Page(page)
    assert len(parsed.all("script")) == 2
    assert not parsed.all("img")
    assert not any(name.startswith("on") for _, attrs in parsed.elements for name in attrs)
    assert evil in data_of(page)["plans"]


def test_embedded_json_has_no_character_that_html_reads() -> None:
    content = {"a": "</script><!-- & \u2028"}
    written = embedded(content)
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == content


def test_failed_trials_show_their_last_line_and_fold_the_rest(report: Report) -> None:
    page = Page(render(report))
    assert 'Trial 5: FormatError: width must be 8, not <9> & "more"' in page.text
    assert "60 trials, 4 of them failed." in page.text


def test_provenance_marks_what_is_unverified_and_links_sources(report: Report) -> None:
    page = Page(render(report))
    assert "8 quantities. 3 rest on a declared model" in page.text
    assert page.all("a", href="https://doi.org/10.1109/ISSCC.2014.6757323")


def test_heat_map_covers_every_block_once(report: Report) -> None:
    page = render(report)
    chart = re.search(r'<svg class="heat".*?</svg>', page, re.DOTALL)
    assert chart
    runs = [int(width) for width in re.findall(r"M\d+ \d+h(\d+)v1", chart[0])]
    assert sum(runs) == 32 * 32
    assert len(data_of(page)["maps"][0]) == 32


def test_write_html_is_atomic_and_names_the_target(report: Report, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "report.html"
    with pytest.raises(OutputError, match=re.escape(f"{target} could not be written: No such file or directory; nothing was left behind")):
        write_html(report, target)
    assert list(tmp_path.iterdir()) == []
    assert write_html(report, tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_same_result_same_bytes(report: Report) -> None:
    assert render(report) == render(json.loads(json.dumps(report)))


def test_more_components_than_colours_are_drawn_together_but_all_listed(report: Report) -> None:
    parts = {f"part_{index}": 1e6 * (20 - index) for index in range(13)}
    report["energy"] = {"unit": "pJ", "baseline": parts, "best": {**parts, "part_0": 1e6, "part_12": 0.0}}
    page = Page(render(report))
    colours = [name for attrs in page.of_class("rect", "block") if (name := (attrs["class"] or "").split()[0])]
    assert len(colours) == 16
    assert len(set(colours)) == 8
    assert "6 smaller ones" in page.text
    assert all(f"part {index}" in page.text for index in range(13))


def test_the_study_says_why_nothing_was_chosen(make_report: Callable[..., Report]) -> None:
    assert "the best reached 3.2 points" in Page(render(make_report(20, satisfied=False))).text


def test_operand_ranges_follow_width_and_sign(report: Report) -> None:
    report["units"][0]["metrics"].update(width=[8, 4], signed=False)
    report["units"][2]["metrics"].update(width=[8, 8], signed=True)
    page = Page(render(report))
    assert "a, activation 0 to 255" in page.text
    assert "b, weight 0 to 15" in page.text
    assert "a, activation −128 to 127" in page.text


def test_reductions_have_a_column_where_there_are_some(report: Report) -> None:
    assert "<th>reduction" not in render(report)
    raw = copy.deepcopy(report)
    raw["best"]["layers"][1] |= {"reduction": "zero_skipping(gate=false)", "products": 0.334}
    page = render(raw)
    assert "<th>reduction" in page
    assert "zero skipping<small class=wrap>gate = false</small><small>33 % of the products</small>" in page


EXITS = {
    "images": 1000,
    "test_images": 10000,
    "leave": [
        {"after": "stage1", "tau": 0.9, "share": 0.405, "test_share": 0.4287},
        {"after": "stage2", "tau": 1.0, "share": 0.0, "test_share": None},
        {"after": "end", "tau": None, "share": 0.595, "test_share": 0.5713},
    ],
    "worst_latency_ms": {"value": 0.143, "unit": "ms", "source": "model"},
    "test_savings": {"with_dram": {"value": 61.97, "unit": "%", "source": "model"}},
}


def test_early_exits_have_a_table_where_there_are_some(report: Report) -> None:
    assert "Early exits" not in render(report)
    page = render({**report, "best": {**report["best"], "exits": EXITS}})
    assert "<th scope=row>stage1</th><td class=n>0.9</td><td class=n>40.5 %</td><td class=n>42.9 %</td>" in page
    assert "<th scope=row>stage2</th><td class=n>closed</td><td class=n>0.0 %</td><td class=n>–</td>" in page
    assert "means over 1\u202f000 validation images; by those of 10\u202f000 test images 62.0 % of the energy is saved" in page
    assert lines({"exits": EXITS}) == [
        "inputs leave after stage1 40.5 % (0.9), stage2 0.0 % (closed), end 59.5 %",
        "Savings and latency are means over 1\u202f000 validation images; by those of 10\u202f000 test images 62.0 % of the energy is "
        "saved; an input that leaves nowhere takes 0.143 ms.",
    ]
    assert lines({}) == []


def test_answer_says_which_components_the_saving_comes_from(report: Report) -> None:
    report["energy"]["best"].update(dram=3.7e6, sign_logic=0.5e6)
    text = Page(render(report)).text
    assert "Of the 26.8 % saved, in points: DRAM 18.2, multiplier 10.9, all else −2.3." in text
    assert "the saving if every multiplication were free" in text


def test_a_saving_beyond_the_ceiling_of_multipliers_is_explained(report: Report) -> None:
    explanation = "A saving beyond its ceiling comes from elsewhere too"
    assert explanation not in Page(render(report)).text
    report["best"]["savings"]["with_dram"]["value"] = 45.1
    text = Page(render(report)).text
    assert explanation in text
    assert "45.1 % (ceiling 19.6 %)" in text


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("int(a_bits=6,b_bits=4,calibration=mse)", "a 6, w 4 bits<small class=wrap>calibration = mse</small>"),
        ("int8", "int8"),
        ("bias_correction(gain=true)", "bias correction<small class=wrap>gain = true</small>"),
        ("sign_magnitude", "sign-magnitude"),
        (None, "–"),
        ("<x>(<y>)", "&lt;x&gt;<small class=wrap>&lt;y&gt;</small>"),
    ],
)
def test_specs_fit_a_narrow_column(spec: str | None, shown: str) -> None:
    assert short(spec) == shown
