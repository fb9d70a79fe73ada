"""A study on the map, and what a reviewer asks for."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from inexact.atlas import complexity, mine
from inexact.atlas.pictures import bubble_map
from inexact.core.errors import StudyError
from inexact.explore import Store

LAYERS = [{"kind": "conv", "macs": 900_000}, {"kind": "linear", "macs": 100_000}, {"kind": "add", "macs": 5_000}]
TEST = {"n": 10_000, "drop": 0.4, "drop_ci": [0.1, 0.7]}
NARROW = "[plan]\nversion = 1\n[plan.rules.default]\nprecision = 'int(a_bits=6,b_bits=6)'\n"
DRUM = "[plan]\nversion = 1\n[plan.rules.default]\nmultiplier = 'drum(k=4)'\n"
REPORT: dict[str, Any] = {
    "network": "resnet8",
    "data": "fashion-mnist",
    "max_drop": 1.0,
    "seed": 0,
    "best": {"layers": LAYERS, "test": TEST},
    "trials": [{"status": "done", "plan_toml": NARROW}, {"status": "done", "plan_toml": DRUM}],
}


def asked(report: dict[str, Any]) -> dict[str, mine.Request]:
    return {request.rule: request for request in mine.requests(mine.evaluation_of(report), complexity.field())}


def saved(folder: Path, report: dict[str, Any] | None) -> Path:
    with Store(folder / "study.db") as store:
        store.save_settings({"settings": {"network": "resnet8", "data": "fashion-mnist"}, **({} if report is None else {"report": report})})
    return folder / "study.db"


def test_a_study_is_read_from_its_file_or_folder(tmp_path: Path) -> None:
    path = saved(tmp_path, REPORT)
    assert mine.read_study(path) == mine.read_study(tmp_path) == REPORT


def test_where_a_study_lies() -> None:
    field = complexity.field()
    own = mine.evaluation_of(REPORT)
    found = mine.place(own, field)
    assert (found["macs"], found["network_tier"], found["data_tier"]) == (1_000_000, 2, 1)
    assert found["score"] == pytest.approx(7.389, abs=0.001)
    assert found["scored"] == 16
    assert found["harder"] == sum(one.score > found["score"] for one in field.evaluations if one.score is not None)
    assert "yours" in bubble_map(field, own.cell)
    assert "yours" not in bubble_map(field)


def test_what_is_asked_of_a_small_study() -> None:
    found = asked(REPORT)
    assert list(found) == ["data", "network", "layers", "seeds"]
    assert found["data"].text == "evaluate on data harder than Fashion-MNIST: 100 classes or ImageNet (tiers 3, 4)"
    assert found["data"].reason.startswith("49 of the 57 works with a known data set use harder ones")
    assert "depthwise convolutions and one with attention" in found["layers"].text


def test_what_is_asked_of_others() -> None:
    best = {"layers": LAYERS, "test": TEST | {"n": 500, "drop_ci": [-0.5, 1.3]}}
    found = asked(REPORT | {"best": best, "trials": REPORT["trials"][1:]})
    assert found["images"].text == "measure on 1000 test images or more, not on 500"
    assert found["interval"].reason == "the upper end of its 95 % interval lies above the limit of 1 points"
    assert "exact multipliers on narrower operands" in found["rival"].text


def test_a_large_study_is_asked_less() -> None:
    layers = [{"kind": "conv", "macs": 2 * 10**9}, {"kind": "product", "macs": 10**6}]
    found = asked(REPORT | {"network": "own:network", "data": "ImageNet", "best": {"layers": layers, "test": TEST}})
    assert list(found) == ["seeds"]


def test_own_data_and_no_design() -> None:
    found = asked(REPORT | {"data": "folder/of/images"})
    assert found["data"].text.startswith("describe folder/of/images: classes, image size")
    nothing = mine.evaluation_of(REPORT | {"best": None})
    assert (nothing.macs, nothing.cell) == (None, None)
    assert mine.place(nothing, complexity.field())["score"] is None


def test_studies_that_cannot_be_placed(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="must hold a study"):
        mine.read_study(tmp_path)
    other = tmp_path / "other.db"
    other.touch()
    with pytest.raises(StudyError, match=r"must be the study.db of a study, or its folder; it is called other.db"):
        mine.read_study(other)
    with pytest.raises(StudyError, match="must hold a finished study; this one has 0 trials and no end"):
        mine.read_study(saved(tmp_path, None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"best": None, "trials": [{"status": "done", "plan_toml": "x = 1"}]}, "it lacks 'plan'"),
        ({"best": {"layers": LAYERS, "test": {"top1": 90.0}}}, "it lacks 'n'"),
        ({"best": {"layers": [{"kind": "conv"}], "test": TEST}}, "it lacks 'macs'"),
        ({"max_drop": "one"}, "it cannot be read: could not convert string to float: 'one'"),
    ],
)
def test_a_report_of_another_version(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=rf"must be as this version writes it \([\d.]+\); {message}, and was written by version 0.0.9"):
        mine.evaluation_of(REPORT | {"versions": {"inexact": "0.0.9"}} | change)
    with pytest.raises(StudyError, match="it lacks 'best', and was written by version unknown: run the study again in another folder"):
        mine.evaluation_of({"network": "x", "data": "y"})


def test_a_study_of_another_version(tmp_path: Path) -> None:
    path = saved(tmp_path, REPORT)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(StudyError, match="must have the schema version 1; it has 7"):
        mine.read_study(path)
