"""Detection rates as SVG: a dot and an interval each."""

from __future__ import annotations

from xml.etree import ElementTree

from inexact.report import detection

SVG = "{http://www.w3.org/2000/svg}"


def test_detection_rates_have_a_dot_and_an_interval_each() -> None:
    one = {"tpr": 0.5, "tpr_ci": [0.2, 0.8]}
    root = ElementTree.fromstring(detection.picture({"1 pair": {"hash": one, "area": one}, "16 pairs": {"hash": one, "area": one}}, "who"))
    assert {"hash", "area", "1 pair", "16 pairs", "who"} <= {text.text for text in root.iter(f"{SVG}text")}
    dots = [circle for circle in root.iter(f"{SVG}circle") if circle.attrib["r"] == "3.5"]
    assert {circle.attrib["cx"] for circle in dots} == {"535"}
    assert len(dots) == 4
