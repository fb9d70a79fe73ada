"""Plans: key grammar, TOML round trip, messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from inexact.core.errors import PlanError, SpecError, UnknownNameError
from inexact.nn import Plan, Rule

LAYERS = {"conv1": "Conv2d", "layer1.conv": "Conv2d", "layer2.conv": "Conv2d", "fc1": "Linear", "fc2": "Linear"}


def spec(plan: Plan, layer: str) -> str | None:
    rule = plan.resolve(LAYERS)[layer]
    return None if rule is None else str(rule.multiplier)


def test_stronger_keys_win_whatever_the_order() -> None:
    plan = Plan(
        {
            "default": "trunc(cut=1)",
            "type:Linear": "trunc(cut=2)",
            r"re:layer\d\.conv": "trunc(cut=3)",
            "layer1*": "trunc(cut=5)",
            "fc2": "trunc(cut=6)",
        }
    )
    found = {name: spec(plan, name) for name in LAYERS}
    assert found == {
        "conv1": "trunc(cut=1)",
        "layer1.conv": "trunc(cut=5)",
        "layer2.conv": "trunc(cut=3)",
        "fc1": "trunc(cut=2)",
        "fc2": "trunc(cut=6)",
    }


def test_first_of_equal_kind_wins() -> None:
    plan = Plan({"fc*": "trunc(cut=2)", "*1": "trunc(cut=3)"})
    assert spec(plan, "fc1") == "trunc(cut=2)"
    assert spec(plan, "conv1") == "trunc(cut=3)"


def test_layers_no_key_matches_stay_in_float32() -> None:
    assert spec(Plan({"fc1": "exact"}), "conv1") is None


def test_keep_leaves_float32() -> None:
    plan = Plan(multiplier="trunc(cut=2)", precision="int8").keep("conv1", "fc*")
    assert [spec(plan, name) for name in LAYERS] == [None, "trunc(cut=2)", "trunc(cut=2)", None, None]


def test_exact_fits_any_format_and_coding() -> None:
    assert Rule(precision="w4a8").unit.width == (8, 4)
    assert Rule(precision="int6", coding="signed").unit.signed


def test_toml_round_trip(tmp_path: Path) -> None:
    plan = Plan(
        {
            "fc1": None,
            "re:layer.*": Rule(multiplier="drum(k=4)", coding="sign_magnitude", recovery="bias_correction(gain=true)"),
            "type:Linear": Rule(precision="int(b_bits=4,granularity=per_channel)", padding="skipped"),
        },
        multiplier="trunc(cut=4)",
    )
    assert Plan.from_toml(plan.to_toml()) == plan
    assert hash(Plan.from_toml(plan.to_toml())) == hash(plan)
    plan.save(tmp_path / "p.toml")
    assert Plan.load(tmp_path / "p.toml") == plan
    assert plan.with_rule("fc1", "exact") != plan


def test_a_key_that_matches_nothing_suggests_near_names() -> None:
    with pytest.raises(PlanError, match=r"plan key 'conv_1' must match a layer; none does; did you mean 'conv1'"):
        Plan({"conv_1": "exact"}).resolve(LAYERS)
    with pytest.raises(PlanError, match=r"plan key 'type:Linea' must match a layer; none does; did you mean 'Linear'"):
        Plan({"type:Linea": "exact"}).resolve(LAYERS)


def test_unit_value_out_of_range() -> None:
    with pytest.raises(SpecError, match=r"cut must be .*not 99"):
        Plan(multiplier="trunc(cut=99)")


def test_unknown_unit_suggests() -> None:
    with pytest.raises(UnknownNameError, match="no multiplier is called 'trnc'; did you mean 'trunc'"):
        Plan(multiplier="trnc(cut=4)")


def test_width_mismatch() -> None:
    with pytest.raises(
        PlanError, match=r"unit and format must agree in width: w4a8 under unsigned coding needs a 8x4 unit, drum\(k=5\) is 8x8"
    ):
        Rule(multiplier="drum(k=5)", precision="w4a8")


def test_unsigned_unit_under_signed_coding() -> None:
    with pytest.raises(PlanError, match=r"drum\(k=4\) is unsigned: use coding 'sign_magnitude' or 'unsigned', or make the unit signed"):
        Rule(multiplier="drum(k=4)", coding="signed")
    with pytest.raises(PlanError, match=r"needs a unit for unsigned operands; exact\(signed=true\) is signed: use coding 'signed'"):
        Rule(multiplier="exact(signed=true)", coding="unsigned")


def test_sign_magnitude_takes_a_narrower_unit() -> None:
    rule = Rule(multiplier="drum(k=4,width=(8,7))", coding="sign_magnitude")
    assert rule.unit.width == (8, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml [", "a plan must be TOML"),
        ("[other]\nx = 1", r"a plan must have a \[plan\] table"),
        ("[plan]\nversion = 1\n[plan.rules.conv1]\n[plan.default]", r"rules in \[plan.rules.<key>\] alone, not 'default'"),
        (
            "[plan]\nversion = 1\n[plan.rules.conv1]\nmultiplyer = 'exact'",
            "rule 'conv1' has no entry 'multiplyer'; did you mean 'multiplier'",
        ),
    ],
)
def test_plan_files_that_are_not_plans(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Plan.from_toml(text)


def test_default_twice_is_refused() -> None:
    with pytest.raises(PlanError, match="default rule must be given once"):
        Plan({"default": "exact"}, coding="signed")


def test_bad_regular_expression() -> None:
    with pytest.raises(PlanError, match=r"plan key 're:\(' must hold a regular expression"):
        Plan({"re:(": "exact"})


def test_a_plan_shows_what_it_says_and_no_defaults() -> None:
    plan = Plan(multiplier="drum(k=4)").keep("fc<1>")
    assert repr(plan) == "Plan({'fc<1>': None, 'default': Rule(multiplier='drum(k=4)')})"
    assert eval(repr(plan)) == plan
    assert str(plan) == plan.to_toml()
    assert "[plan.rules.&quot;fc&lt;1&gt;&quot;]\nkeep = true" in plan._repr_html_()
