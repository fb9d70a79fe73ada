from __future__ import annotations

import re

import pytest

from inexact.report._heatmap import by_value, css_class, grid, level
from inexact.report.charts import WIDTH, Bar, Scale, legend, limit_bars, marker, stacked_bars, tick_label, ticks


@pytest.mark.parametrize(
    ("low", "high", "places"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (-0.3, 1.0, [0.0, 0.5, 1.0]), (0, 100, [0, 20, 40, 60, 80, 100]), (3, 3, [3])],
)
def test_ticks_are_round_and_inside(low: float, high: float, places: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(places)


def test_tick_label_has_the_decimals_of_its_step() -> None:
    assert tick_label(-0.4, 0.2) == "\u22120.4"
    assert tick_label(20, 20) == "20"
    assert tick_label(0.25, 0.05) == "0.25"


def test_scale_clips_to_its_ends() -> None:
    scale = Scale(low=0, high=10, start=100, end=200)
    assert [scale(value) for value in (-5, 0, 5, 10, 99)] == [100, 100, 150, 200, 200]


def test_stacked_bars_lengths_are_proportional() -> None:
    drawn = stacked_bars([("one", "4", {"a": 1.0, "b": 3.0}), ("two", "2", {"b": 2.0})], label="l", unit="pJ")
    widths = [float(width) for width in re.findall(r'<rect class="s\d block" x="[\d.]+" y="[\d.]+" width="([\d.]+)"', drawn)]
    assert widths == pytest.approx([WIDTH / 4, WIDTH * 3 / 4, WIDTH / 2])
    assert re.findall(r'<rect class="(s\d) block"', drawn) == ["s0", "s1", "s1"]


def test_limit_bars_draw_saving_and_ceiling_from_zero() -> None:
    drawn = limit_bars([Bar(label="chip", value=25.0, shown="25 %", spread=(20.0, 30.0), limit=50.0)], label="l", title="t")
    saving = re.search(r'<rect class="s0" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    ceiling = re.search(r'<rect class="ceiling" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    assert saving
    assert ceiling
    assert saving[1] == ceiling[1]
    assert float(ceiling[2]) == pytest.approx(2 * float(saving[2]), abs=0.2)


def test_a_loss_is_drawn_left_of_zero() -> None:
    drawn = limit_bars([Bar(label="chip", value=-10.0, shown="")], label="l", title="t")
    bar = re.search(r'<rect class="s0" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    assert bar
    assert float(bar[1]) == pytest.approx(2.0)
    assert float(bar[2]) > 0


def test_labels_are_escaped() -> None:
    drawn = stacked_bars([("<b>", "<i>", {"<u>": 1.0})], label='"<s>', unit="<pJ>") + legend(["<q>"])
    assert not re.search(r"<(b|i|u|s|q|pJ)>", drawn)


def test_markers_differ() -> None:
    assert len({marker(shape, 10, 10, 5) for shape in range(4)}) == 4


def test_colour_level_is_signed_and_zero_only_for_zero() -> None:
    assert [level(value, 10.0) for value in (0.0, 1e-9, -1e-9, 10.0, -10.0, 5.0)] == [0, 1, -1, 7, -7, 4]
    assert [css_class(step) for step in (-7, 0, 3)] == ["n7", "z", "p3"]


@pytest.mark.parametrize("raw", [None, [], [[]], [1, 2], [[1, 2], [3]], [[1, None]], "ab"])
def test_what_is_no_matrix_is_refused(raw: object) -> None:
    assert grid(raw) is None


def test_signed_maps_are_drawn_in_order_of_value() -> None:
    assert by_value([[0, 1, -2, -1], [10, 11, 8, 9]]) == [[8, 9, 10, 11], [-2, -1, 0, 1]]
