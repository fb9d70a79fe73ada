"""The picture of a criticality map: one cell a fault, colours by loss, rows that fit."""

from __future__ import annotations

from xml.etree import ElementTree

from inexact.report.criticality import MOST_ROWS, picture

SVG = "{http://www.w3.org/2000/svg}"


def content(rows: int) -> dict[str, object]:
    loss = [[float(row), -2.0] for row in range(rows)]
    return {
        "title": "bits & <nets>",
        "row_name": "net",
        "column_name": "stuck at",
        "rows": [f"n{row}" for row in range(rows)],
        "columns": ["0", "1"],
        "loss": loss,
        "low": [[value - 1 for value in line] for line in loss],
        "high": [[value + 1 for value in line] for line in loss],
        "top1": 91.25,
        "images": 500,
    }


def test_cells() -> None:
    root = ElementTree.fromstring(picture(content(3)))
    cells = [cell for cell in root.iter(f"{SVG}rect") if cell.find(f"{SVG}title") is not None]
    assert len(cells) == 6
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles[4] == "net n2, stuck at 0: +2.0 points [+1.0, +3.0]"
    assert [cell.get("fill") for cell in cells[:2]] == ["#ffffff", "#2166ac"]
    assert cells[4].get("fill") == "#b2182b"
    assert any("without a fault 91.2 %" in (text.text or "") for text in root.iter(f"{SVG}text"))


def test_rows_that_cost_most_are_shown() -> None:
    text = picture(content(MOST_ROWS + 10))
    assert f"the {MOST_ROWS} of {MOST_ROWS + 10} rows that cost most" in text
    assert ">n9<" not in text
    assert ">n10<" in text
