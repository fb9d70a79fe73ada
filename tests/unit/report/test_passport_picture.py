"""The picture of a unit's error: a small, well-formed, self-contained document whose axes are where they say."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from inexact import units
from inexact.report.passport import picture


def errors(spec: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    unit = units.multipliers.get(spec)
    return unit.table().astype(np.int64) - unit.exact_table()


def pixels(document: str) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    found = re.search(r"data:image/png;base64,([^\"]+)", document)
    assert found is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("RGB"))


@pytest.mark.parametrize("spec", ["mitchell", "drum(k=4)", "trunc(cut=8)", "exact"])
def test_well_formed_small_and_the_same_each_time(spec: str) -> None:
    document = picture(spec, errors(spec), signed=False)
    root = ET.fromstring(document)
    assert root.attrib["role"] == "img"
    assert spec in root.attrib["aria-label"]
    assert len(document) < 120_000
    assert document == picture(spec, errors(spec), signed=False)
    assert ("no error" in document) == (spec == "exact")


def test_the_name_is_escaped() -> None:
    document = picture('a<b>&"c"', np.ones((4, 4), np.int64), signed=False)
    assert "a<b>" not in document
    assert 'a<b>&"c"' in "".join(ET.fromstring(document).itertext())


def test_activations_go_up_and_negative_operands_come_first() -> None:
    unsigned, signed = np.zeros((256, 256), np.int64), np.zeros((256, 256), np.int64)
    unsigned[3, 200] = 9
    signed[128, 130] = -9  # a = -128, b = -126
    found = pixels(picture("u", unsigned, signed=False))
    assert np.argwhere((found != 255).any(2)).tolist() == [[255 - 3, 200]]
    assert found[252, 200, 0] > found[252, 200, 2]  # red: above exact
    found = pixels(picture("s", signed, signed=True))
    assert np.argwhere((found != 255).any(2)).tolist() == [[255, 2]]
    assert found[255, 2, 2] > found[255, 2, 0]


def test_the_histogram_says_when_it_is_logarithmic() -> None:
    table = np.zeros((64, 64), np.int64)
    table[0, :5] = [1, 2, 3, 4, 60]
    assert "logarithmic" in picture("skewed", table, signed=False)
    assert "logarithmic" not in picture("even", np.arange(4096).reshape(64, 64), signed=False)
