"""What a plan rests on: its techniques' references, matched with the catalogue, without importing them."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from inexact import nn, precision
from inexact.atlas import cite, registries, sources
from inexact.core.errors import PlanError, UnknownNameError
from inexact.precision._base import NAMED


def written(folder: Path, plan: nn.Plan) -> Path:
    path = folder / "plan.toml"
    plan.save(path)
    return path


def test_a_plan_is_cited_by_techniques_and_formats(tmp_path: Path) -> None:
    rules = {"conv1": nn.Rule(multiplier="drum(k=6)", coding="sign_magnitude"), "fc": nn.Rule(multiplier="mbm", coding="sign_magnitude")}
    found = cite.citations(written(tmp_path, nn.Plan(rules).keep("conv2")), network="resnet8", data="fashion-mnist")
    assert {one.key: one.used for one in found} == {
        "jacob2018": ("format:int",),
        "drum2015": ("multiplier:drum",),
        "mbm2018": ("multiplier:mbm",),
        "he2016": ("network:resnet8",),
        "xiao2017": ("data:fashion-mnist",),
    }
    assert [one.work for one in found] == [None, "drum2015", "mbm2018", None, None]
    assert "doi = {10.1109/CVPR.2018.00286}" in found[0].text


def test_chains_nested_units_and_accumulators(tmp_path: Path) -> None:
    rule = nn.Rule(
        multiplier="sign_magnitude(multiplier=bam(hbl=1,vbl=5))",
        coding="signed",
        recovery="weight_tuning + bias_correction(gain=true)",
        accumulator="accumulator(adder=loa(low=4),width=32,order=tree(radix=4))",
    )
    path = written(tmp_path, nn.Plan({"default": rule}))
    used = cite.used_in(cite._read(path))
    assert set(used) == {
        "format:int",
        "multiplier:sign_magnitude",
        "multiplier:bam",
        "recovery:weight_tuning",
        "recovery:bias_correction",
        "adder:loa",
    }
    keys = {one.work for one in cite.citations(path)}
    assert {"mahdiani2010", "alwann2019", "tasoulas2020"} <= keys


def test_exits_and_other_number_systems(tmp_path: Path) -> None:
    plan = nn.Plan({"default": nn.Rule(precision="e4m3", multiplier="lmul(format=e4m3)")}, exits=nn.Exits(after=("stage1",), tau=0.9))
    found = {one.key: one for one in cite.citations(written(tmp_path, plan))}
    assert found["lmul2024"].used == ("float multiplier:lmul",)
    assert found["cdl2016"].used == ("plan:exits",)
    assert found["teerapittayanon2016"].work is None


def test_references_that_share_a_name_keep_both() -> None:
    merged = cite._merged([("a", "A. Smith, One thing, 2015"), ("b", "B. Smith, Another thing, 2015"), ("c", "A. Smith, One thing, 2015")])
    assert [(one.key, one.used) for one in merged] == [("smith2015", ("a", "c")), ("smith2015-2", ("b",))]


@pytest.mark.parametrize("use", registries.techniques())
def test_docstrings_are_found_without_importing(use: str) -> None:
    noun, _, name = use.partition(":")
    assert sources.docstring(noun, name) == _cleaned(registries.family(noun)[name].__doc__)


def _cleaned(doc: str | None) -> str:
    return inspect.cleandoc(doc or "")


@pytest.mark.parametrize("spec", ["int8", "w4a8", "int(a_bits=4)", "apot", *sorted(NAMED)])
def test_formats_are_named_as_the_library_names_them(spec: str) -> None:
    assert cite.format_name(spec) == precision.get(spec).family_name


def test_references_of_a_docstring() -> None:
    doc = "One line.\n\nText.\n\nReference: A. Bee, Title, ICCAD 2015, doi:10.1109/X.2015.1; derived, docs/x.md; C. Dee,\nOther, 2016"
    assert sources.references(doc) == ["A. Bee, Title, ICCAD 2015, doi:10.1109/X.2015.1", "C. Dee, Other, 2016"]
    assert sources.references("One line.") == []
    assert sources.identifiers("x, doi:10.1109/X.2015.1, arXiv:1504.08362") == ("10.1109/X.2015.1", "1504.08362")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "[plan]\nversion = 1\n[plan.rules.default]\nmultiplier = 'drumm'",
            UnknownNameError,
            "no multiplier is called 'drumm'; did you mean",
        ),
        ("[plan]\nversion = 1\n[plan.rules.default]\nprecision = 'int'", None, ""),
        ("[plan]\nversion = 1\n[plan.rules.default]\nprecision = 'e4m9'", UnknownNameError, "no format is called 'e4m9'; did you mean"),
        ("[plan]\nversion = 1\n[plan.rules]\ndefault = 3", PlanError, "a rule must be a table, not 3"),
        ("[rules]", PlanError, "a plan must have a"),
        ("[plan", PlanError, "a plan must be TOML"),
    ],
)
def test_bad_plans(tmp_path: Path, text: str, error: type[Exception] | None, message: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    if error is None:
        assert cite.citations(path)
        return
    with pytest.raises(error, match=message):
        cite.citations(path)


def test_unknown_files_networks_and_data(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        cite.citations(tmp_path / "none.toml")
    with pytest.raises(UnknownNameError, match="no network is called 'resnet9'; did you mean"):
        cite.citations(network="resnet9")
    with pytest.raises(UnknownNameError, match="no data set is called 'mnis'; did you mean 'mnist'"):
        cite.citations(data="mnis")
