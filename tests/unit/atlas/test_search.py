"""Words, filters, and BibTeX."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inexact.atlas import works
from inexact.atlas.bibtex import bibtex
from inexact.atlas.search import Filter, search
from inexact.core.errors import CatalogueError, UnknownNameError


def keys(**wanted: Any) -> set[str]:
    chosen = Filter(**wanted)
    return {key for key, work in works.works().items() if chosen(work)}


def test_all_words_must_be_there_and_titles_count_most() -> None:
    assert search("control variate")[0].key in {"zervakis2021cv", "zervakis2024cv"}
    assert {work.key for work in search("near-threshold boost")} >= {"greentpu2019"}
    assert search("zervakis control") != []
    assert search("zervakis snapea") == []


def test_a_search_takes_what_sql_would_trip_over() -> None:
    assert search('drum" OR "') == search("drum or")
    with pytest.raises(CatalogueError, match="a search must have a word, not ' \" '"):
        search(' " ')


def test_a_search_within_a_filter() -> None:
    chosen = Filter(family="precision_scaling")
    found = search("bit serial", within=[work for work in works.works().values() if chosen(work)])
    assert {work.key for work in found} >= {"stripes2016", "loom2018"}
    assert all(work.family == "precision_scaling" for work in found)


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        ({"dataset": "ImageNet"}, "kim2019mitchell", "alwann2019"),
        ({"dataset": "tiny imagenet"}, "agn2022", "kim2019mitchell"),
        ({"network": "ResNet-50"}, "axbxp2020", "maxdnn2022"),
        ({"network": "VGG16"}, "caxcnn2020", "maxdnn2022"),
        ({"recovery": "bias"}, "tasoulas2020", "alwann2019"),
        ({"adaptivity": "runtime", "family": "approximate_units"}, "tasoulas2020", "drq2020"),
        ({"first": 2024}, "qosnets2024", "agn2022"),
        ({"last": 2012}, "mahdiani2010", "agn2022"),
        ({"status": "here", "granularity": "uniform"}, "drum2015", "rookies2022"),
        ({"retraining": "required"}, "axtrain2018", "alwann2019"),
        ({"subclass": "bit_serial"}, "unpu2018", "dstripes2017"),
    ],
)
def test_filters(wanted: dict[str, Any], inside: str, outside: str) -> None:
    found = keys(**wanted)
    assert outside not in found
    assert inside in found
    assert 0 < len(found) < 155


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"family": "precision"}, "no work has family 'precision'.*Known: computation_reduction"),
        ({"dataset": "ImageNets"}, "no work was evaluated on a dataset called 'ImageNets'; did you mean 'imagenet'"),
        ({"network": "ResNet-51"}, "no work was evaluated on a network called 'ResNet-51'; did you mean"),
        ({"status": "there"}, "no work has status 'there'; did you mean 'here'"),
    ],
)
def test_names_that_no_work_carries(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        Filter(**wanted)


def test_bibtex_of_conference_journal_and_preprint() -> None:
    assert bibtex(works.get("drum2015")) == (
        "@inproceedings{drum2015,\n"
        "  title = {{DRUM: A Dynamic Range Unbiased Multiplier for Approximate Applications}},\n"
        "  author = {S. Hashemi and R. I. Bahar and S. Reda},\n"
        "  booktitle = {ICCAD},\n"
        "  year = {2015},\n"
        "  doi = {10.1109/ICCAD.2015.7372600},\n"
        "}\n"
    )
    assert "@article{kim2019mitchell" in bibtex(works.get("kim2019mitchell"))
    assert "eprint = {2410.00907}" in bibtex(works.get("lmul2024"))
    assert "author = {{INRS-ECCoLe group}}" in bibtex(works.get("dyrecmul2023"))


def test_bibtex_says_what_is_from_memory() -> None:
    assert "note = {metadata from memory, check before citing}" in bibtex(works.get("axnn2014"))
    assert "note = {authors from memory, check before citing}" in bibtex(works.get("scmac2019"))
    assert "note = {perhaps also ISCAS 2022, from memory}" in bibtex(works.get("heam2022"))


def test_every_work_has_an_entry_of_its_own_key() -> None:
    for key, work in works.works().items():
        head, _, rest = bibtex(work).partition(",\n")
        assert head.partition("{")[2] == key
        assert rest.endswith("}\n")


def test_entries_are_escaped() -> None:
    work = replace(works.get("drum2015"), title="A & B: 50% of #1", group="C_D", authors=())
    assert r"title = {{A \& B: 50\% of \#1}}" in bibtex(work)
    assert r"author = {{C\_D}}" in bibtex(work)
