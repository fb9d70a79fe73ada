"""The catalogue's schema, what breaks it, and what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inexact.atlas import _records, works
from inexact.core.errors import CatalogueError, UnknownNameError
from inexact.core.families import FAMILIES

GOOD: dict[str, Any] = {
    "key": "drum",
    "title": "DRUM",
    "authors": ["S. Hashemi"],
    "venue": "ICCAD",
    "year": 2015,
    "family": "approximate_units",
    "subclass": "multiplier_dynamic_segment",
    "technique": "Segments from the leading one.",
    "granularity": "uniform",
    "adaptivity": "static",
    "provenance": "read",
    "source": "abstract",
    "reported": {"energy": "71.45% power saving"},
}


def one(**changes: Any) -> works.Work:
    record = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return works.parse({"work": [record]})[0]


def test_the_catalogue_holds_155_works_of_which_132_were_read() -> None:
    found = works.works()
    assert len(found) == 155
    assert sum(work.provenance == "read" for work in found.values()) == 132
    counts = {family: sum(work.family == family for work in found.values()) for family in FAMILIES}
    assert counts == {"computation_reduction": 23, "approximate_units": 74, "precision_scaling": 16}


def test_what_is_from_memory_is_kept_as_structure() -> None:
    snapea = works.get("snapea2018")
    assert snapea.datasets == ("ImageNet",)
    assert snapea.networks == ("AlexNet", "GoogLeNet", "SqueezeNet", "VGGNet")
    assert snapea.recalled["networks"] == snapea.networks
    assert snapea.remembered("datasets")
    assert not snapea.remembered("reported")
    assert works.get("ansari2020").networks == ("MLP", "CNN")
    assert works.get("ansari2020").recalled["networks"] == ("LeNet-6",)
    assert not any("recalled" in str(value) for work in works.works().values() for value in (work.title, work.technique, work.networks))


def test_unknown_stays_unknown() -> None:
    work = works.get("jiao2018reuse")
    assert work.doi is None
    assert work.datasets == ()
    assert work.to_json()["doi"] is None
    assert set(work.to_json()["reported"]) == {"energy", "area", "speed", "accuracy", "note"}


def test_works_from_memory_report_no_numbers() -> None:
    assert not any(work.reported.known() for work in works.works().values() if work.provenance == "recalled")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "approximate_unit"}, "work 'drum': family must be one of .*did you mean 'approximate_units'"),
        ({"provenance": "recalled"}, "must come from a source that was read .* not from 'abstract'"),
        ({"source": None}, "must come from a source that was read"),
        ({"doi": "doi:10.1/x"}, r"doi must look like 10.1145/3527156, not 'doi:10.1/x'"),
        ({"arxiv": "1906"}, "arxiv must look like 1906.03180, not '1906'"),
        ({"year": "2015"}, r"year must be a whole number 1950..2100, not '2015'"),
        ({"titel": "x"}, "work 'drum' has no entry 'titel'; did you mean 'title'"),
        ({"datasets": "MNIST"}, "datasets must be a list of texts, not 'MNIST'"),
        ({"retraining": "yes"}, "retraining must be one of none, part, optional, required, not 'yes'"),
        ({"title": " "}, "work 'drum': title must be text, not ' '"),
        ({"key": "DRUM 15"}, "key must be small letters, digits and _, not 'DRUM 15'"),
        ({"reported": {"power": "1 mW"}}, "work 'drum', reported has no entry 'power'"),
        ({"reported": "1 mW"}, "reported must be a table, not '1 mW'"),
        ({"recalled": ["title"]}, "recalled must be a table of lists"),
        ({"recalled": {"titles": ["x"]}}, "recalled has no entry 'titles'; did you mean 'title'"),
    ],
)
def test_a_record_that_breaks_the_schema_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        one(**changes)


def test_keys_are_unique_and_files_of_their_version(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="key 'drum' must be unique; it comes twice"):
        works.parse({"work": [GOOD, GOOD]})
    with pytest.raises(CatalogueError, match=r"must hold \[\[work\]\] tables"):
        works.parse({"work": []})
    with pytest.raises(CatalogueError, match="work 1 must be a table, not 3"):
        works.parse({"work": [3]})
    with pytest.raises(CatalogueError, match="must have version = 1, not 2: it belongs to another version"):
        _records.read("version = 2", "own.toml")
    with pytest.raises(CatalogueError, match="must be TOML"):
        _records.read("version = ", "own.toml")
    with pytest.raises(CatalogueError, match="cannot be read"):
        works.load(tmp_path / "none.toml")


def test_a_catalogue_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('version = 1\n[[work]]\nkey = "a"\ntitle = "A"\nvenue = "V"\nyear = 2020\nfamily = "survey"\nsubclass = "s"\n'
                    'technique = "t"\ngranularity = "uniform"\nadaptivity = "static"\nprovenance = "recalled"\n')  # fmt: skip
    assert works.get("a", works.load(path)).title == "A"


def test_an_unknown_work_has_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="no work is called 'drum2016'; did you mean 'drum2015'"):
        works.get("drum2016")
