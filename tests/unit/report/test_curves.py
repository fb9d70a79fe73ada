"""Curves as SVG: one document, every point and band at its place, text escaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from inexact.report.curves import HEIGHT_OF_PANEL, LEFT, RIGHT, TOP, WIDTH, Curve, Panel, picture

NAME = "{http://www.w3.org/2000/svg}"


def test_points_and_bands_lie_where_their_values_are() -> None:
    curve = Curve(label="a < b", points=((1.0, 10.0), (0.0, 30.0)), band=((5.0, 15.0), (25.0, 35.0)))
    drawn = ElementTree.fromstring(picture("T & U", "V", [Panel(title="top-1, %", curves=(curve,)), Panel(title="e", curves=(curve,))]))
    circles = drawn.findall(f"{NAME}circle")
    assert len(circles) == 4
    assert [float(circle.attrib["cx"]) for circle in circles[:2]] == [LEFT, WIDTH - RIGHT]
    # values 5..35 with a margin of 1.5 at both ends
    places = [round(TOP + HEIGHT_OF_PANEL * (1 - (value - 3.5) / 33), 1) for value in (30, 10)]
    assert [float(circle.attrib["cy"]) for circle in circles[:2]] == places
    (band, _) = drawn.findall(f"{NAME}polygon")
    assert len(band.attrib["points"].split()) == 4
    texts = [text.text for text in drawn.findall(f"{NAME}text")]
    assert "T & U" in texts
    assert "a < b" in texts
    assert drawn.attrib["aria-label"] == "T & U"


def test_one_point_alone_is_drawn() -> None:
    drawn = picture("T", "V", [Panel(title="e", curves=(Curve(label="x", points=((1.0, 2.0),)),))])
    assert len(re.findall("<circle", drawn)) == 1
    assert "nan" not in drawn


def test_a_logarithmic_axis_spaces_powers_evenly() -> None:
    curve = Curve(label="x", points=((10.0, 1.0), (100.0, 2.0), (1000.0, 3.0)))
    drawn = ElementTree.fromstring(picture("T", "V", [Panel(title="e", curves=(curve,))], logarithmic=True))
    first, middle, last = (float(circle.attrib["cx"]) for circle in drawn.findall(f"{NAME}circle"))
    assert middle - first == last - middle
    assert {"10", "100", "1000"} <= {text.text for text in drawn.findall(f"{NAME}text")}
