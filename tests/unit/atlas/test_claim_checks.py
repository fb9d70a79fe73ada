"""Kinds of checks against independent computation."""

from __future__ import annotations

import math
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from inexact import hardware, units
from inexact.atlas.claims import Measured, kinds
from inexact.atlas.claims.checks import design_saving, drop_difference, network_drop
from inexact.atlas.claims.checks._base import Check
from inexact.atlas.claims.checks.closed_form import evaluate
from inexact.core.errors import ClaimError, UnavailableError
from inexact.metrics import paired_difference


def measured(kind: str, **parameters: object) -> Measured:
    return kinds[kind](**parameters)()


def test_sampled_errors_hold_the_enumerated_ones() -> None:
    unit = units.get("drum(k=3,width=6)")
    pairs = [(int(unit(a, b)) - a * b, a * b) for a, b in product(range(1, 64), repeat=2)]
    errors = np.array([100 * error / exact for error, exact in pairs])
    expected = {"mean": errors.mean(), "mean_abs": abs(errors).mean(), "std": errors.std(), "error_probability": 100 * (errors != 0).mean()}
    for statistic, value in expected.items():
        found = measured("relative_error", target=unit.spec, statistic=statistic, samples=40_000)
        assert abs(found.value - value) < 2 * (found.high - found.value), statistic  # four standard errors
        assert found.high - found.low < 0.1 * abs(value) + 0.5, statistic


def test_the_largest_error_is_found() -> None:
    unit = units.get("realm(segments=4)")
    a, b = np.meshgrid(np.arange(128, 256), np.arange(128, 256))
    largest = (100 * abs(unit(a, b) - a * b) / (a * b)).max()
    assert measured("largest_error", target=unit.spec, normalised=True, drawn=2000).value == pytest.approx(largest)


def test_a_formula_that_is_wrong_shows() -> None:
    specs = ("trunc(cut=2)", "trunc(cut=3)")
    assert measured("closed_form", targets=specs, metric="wce", formula="(cut - 1) * 2**cut + 1").value == 0
    assert measured("closed_form", targets=specs, metric="wce", formula="cut * 2**cut + 1").value == pytest.approx(25 / 17 - 1, abs=0.4)
    assert measured("closed_form", targets=("exact",), metric="mae", formula="0.5").value == 0.5


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("__import__('os')", "a formula must be arithmetic of numbers and parameters, not \"__import__('os')\""),
        ("cut if n else 1", "a formula must be arithmetic of numbers and parameters, not 'cut if n else 1'"),
        ("2 **", "a formula must be arithmetic of numbers and parameters, not '2 **'"),
        ("1 / (n - n)", "not '1 / (n - n)': float division by zero"),
        ("depth", "a formula may name n, not 'depth'"),
    ],
)
def test_formulas_are_arithmetic(formula: str, message: str) -> None:
    with pytest.raises(ClaimError, match=re.escape(message)):
        evaluate(formula, {"n": 8.0})


def test_distortion_of_a_constant_error_is_bias() -> None:
    table = np.add.outer(np.zeros(4, int), np.zeros(4, int)) + np.multiply.outer(np.arange(4), np.arange(4)) + 1
    unit = units.from_table(table.astype(np.int32), signed=False, width=(2, 2))
    check = kinds["gemm_distortion"](target=unit, shows="bias_share", depth=16, size=8, repeats=3)  # type: ignore[call-arg]
    assert check.measure().value == pytest.approx(100)


def test_distortion_follows_mean_and_variance() -> None:
    found = measured("gemm_distortion", target="trunc(cut=6)", shows="closed_form", depth=128, size=32, repeats=40)
    assert found.low < 1 < found.high
    assert measured("gemm_distortion", target="trunc(cut=8)", shows="bias_share", depth=256, size=16, repeats=5).value > 95


def test_a_unit_is_its_circuit() -> None:
    same = ("exact(signed=true)", "trunc(cut=2,signed=true)")
    assert measured("table_identity", targets=same, circuits=("mul8s_1KV8", "mul8s_1KVA")).value == 0
    assert measured("table_identity", targets=same, circuits=("mul8s_1KVA", "mul8s_1KV8")).value == 2


def test_silicon_is_that_of_the_catalogue() -> None:
    saved = measured("silicon_ratio", target="trunc(cut=8)", reference="exact", figure="energy_pj", saving=True)
    ratio = measured("silicon_ratio", target="trunc(cut=8)", reference="exact", figure="energy_pj")
    assert saved.value == pytest.approx(100 * (1 - ratio.value))
    assert saved.low < saved.value < saved.high
    with pytest.raises(ClaimError, match=r"the catalogue of synthesised units has no 'drum\(k=9\)'"):
        measured("silicon_ratio", target="drum(k=9)", reference="exact", figure="area_um2")


def test_boundaries_are_those_of_the_machines() -> None:
    assert tuple(hardware.BOUNDARIES) == design_saving.BOUNDARIES
    with pytest.raises(ClaimError, match="boundary must be one of multiplier, array, on_chip, with_dram, not 'chip'"):
        measured("design_saving", network="lenet5", data="mnist", rules={}, boundary="chip")


def test_the_conversion_that_drops_signs(reference_data: Path) -> None:
    # pairs whose entries the field's commonest table has wrong
    assert measured("converted_table", circuit="mul8s_1L2H", shows="entries").value == 12_414
    assert measured("converted_table", circuit="mul8s_1L2H", shows="wce").value == 32_384
    # of the exact circuit only products of -128, whose size has no code: with 127 others, in both orders
    assert measured("converted_table", circuit="mul8s_1KV8", shows="entries").value == 2 * 127


def test_tables_that_are_not_there(monkeypatch: pytest.MonkeyPatch, reference_data: Path) -> None:
    with pytest.raises(UnavailableError, match=r"no published circuit of EvoApproxLib's master branch .* is called 'mul8u_XYZ'"):
        measured("unit_metric", target="evoapproxlib:mul8u_XYZ", metric="mae")
    monkeypatch.delenv("INEXACT_REFERENCE_DATA")
    with pytest.raises(UnavailableError, match="name that in INEXACT_REFERENCE_DATA"):
        measured("unit_metric", target="evoapproxlib:mul8u_2HH", metric="mae")


def test_shapes_name_their_layers() -> None:
    with pytest.raises(ClaimError, match="alexnet has no layer 'conv9'; layers: conv1, conv2"):
        measured("mapped_network", network="alexnet", machine="eyeriss-like", shows="macs", layers=("conv9",))
    with pytest.raises(ClaimError, match="no shapes of a network called 'alexnat'; did you mean 'alexnet'"):
        measured("mapped_network", network="alexnat", machine="eyeriss-like", shows="macs")
    with pytest.raises(ClaimError, match="a_bits must hold one number, or one for each of the 2 layers, not 3"):
        measured(
            "precision_gain",
            network="alexnet",
            machine="stripes-like",
            layers=("fc2", "fc3"),
            a_bits=(8, 8, 8),
            b_bits=(16,),
            shows="speed",
        )


def test_drops_are_paired_and_differences_combined(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    answers = {
        (data, name): generator.random(500) < share for data in ("a", "b") for name, share in (("float", 0.95), ("x", 0.9), ("y", 0.8))
    }

    def right(_network: str, data: str, rules: dict[str, str], _images: int) -> np.ndarray:
        return answers[data, rules.get("is", "float")]

    for module in (network_drop, drop_difference):
        monkeypatch.setattr(module, "correct", right)
    found = measured("network_drop", network="n", data="a", rules={"is": "x"}, images=500)
    expected = paired_difference(answers["a", "float"], answers["a", "x"])
    assert (found.value, found.low, found.high) == pytest.approx((100 * expected.drop, 100 * expected.low, 100 * expected.high))
    paired = measured("drop_difference", network="n", data="a", more={"is": "y"}, less={"is": "x"}, images=500)
    assert paired.value == pytest.approx(100 * (answers["a", "x"].mean() - answers["a", "y"].mean()))
    other = measured("drop_difference", network="n", data="a", more={"is": "y"}, less={"is": "y"}, data_less="b", images=500)
    drops = [paired_difference(answers[data, "float"], answers[data, "y"]) for data in ("a", "b")]
    assert other.value == pytest.approx(100 * (drops[0].drop - drops[1].drop))
    assert other.low == pytest.approx(other.value - 100 * math.hypot(drops[0].drop - drops[0].low, drops[1].high - drops[1].drop))


def test_a_check_gives_a_number_within_its_interval() -> None:
    class Odd(Check):
        family_name = "odd"

        @property
        def unit(self) -> str:
            return "1"

        def measure(self) -> Measured:
            return Measured(value=2.0, low=0.0, high=1.0)

    with pytest.raises(ClaimError, match=r"odd must give a number within its interval, not 2\.0 in 0\.0 to 1\.0"):
        Odd()()


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("network_drop", {"network": "lenet5", "data": "mnist", "rules": {}, "images": 10}, "images must be at least 50, not 10"),
        ("unit_result", {"target": "exact", "a": 1, "b": 1, "shows": "sum"}, "shows must be one of product, relative_error, not 'sum'"),
        ("table_identity", {"targets": ("exact",), "circuits": ()}, "targets and circuits must be as many, not 1 and 0"),
        ("closed_form", {"targets": (), "metric": "mae", "formula": "1"}, "targets must hold at least one unit"),
        (
            "nest_count",
            {"loops": "0: P2", "kept": {"inputs": [0]}},
            "kept must name the levels of inputs, weights and outputs, not of inputs",
        ),
        ("gemm_distortion", {"target": "exact", "shows": "bias_share", "repeats": 1}, "repeats must be at least 2 for an interval, not 1"),
        (
            "training_difference",
            {"network": "lenet5", "data": "mnist", "rules": {}, "better": "finetune", "worse": "finetune", "seeds": 1},
            "seeds must be at least 2 for an interval, not 1",
        ),
        ("largest_error", {"target": "exact", "starts": 0}, "starts must be 1 to drawn (1000000), not 0"),
        (
            "metric_ranking",
            {"network": "lenet5", "data": "mnist", "better": "mae", "worse": "nmed", "targets": ("exact",)},
            "targets must hold at least 8 units, not 1",
        ),
    ],
)
def test_parameters_are_checked(kind: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ClaimError, match=re.escape(message)):
        kinds[kind](**parameters)


def test_a_guard_band_grows_with_age_and_shift() -> None:
    bands = [measured("guard_band", years=years).value for years in (0.0, 1.0, 10.0)]
    assert bands[0] == 0
    assert bands[0] < bands[1] < bands[2]
    assert measured("guard_band", ten_years=0.1).value > 2 * bands[2]
