"""Search spaces: the shipped one, files, mappings, bare unit specs, JSON; seeds; Pareto sets; settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inexact.core.errors import PlanError, SpecError, StudyError
from inexact.core.families import FAMILIES
from inexact.explore import Settings, Space, candidates
from inexact.explore.accounts import Total
from inexact.explore.pareto import non_dominated, spread
from inexact.explore.plot import plot_front
from inexact.explore.seeds import initial_genomes
from inexact.explore.space import EXACT, LayerChoices, Option, SpaceText
from inexact.nn import Rule

from .conftest import made_up_space

LAYERS = {"conv1": "Conv2d", "conv2": "Conv2d", "fc": "Linear"}


def test_groups_may_list_accumulators() -> None:
    text = '[[group]]\nmultipliers = ["exact"]\ncodings = ["signed"]\naccumulators = ["exact", "accumulator(adder=loa(low=6),width=24)"]\n'
    found = candidates(SpaceText(text=text), {"conv": "Conv2d"})["conv"]
    assert {rule.accumulator for rule in found} == {"exact", "accumulator(adder=loa(low=6,width=24),width=24)"}


def test_shipped_space() -> None:
    found = candidates(None, LAYERS)
    assert list(found) == list(LAYERS)
    rules = found["conv1"]
    assert rules[0] == EXACT
    assert len(rules) == len(set(rules)) > 30
    assert {rule.coding for rule in rules} == {"signed", "unsigned", "sign_magnitude"}
    families = {rule.unit.family_name for rule in rules}
    assert families >= {"exact", "trunc", "bam", "drum", "mitchell", "kulkarni", "roba", "operand_trunc", "perforation"}


@pytest.mark.parametrize("family", FAMILIES)
def test_one_family_of_the_shipped_space(family: str) -> None:
    rules = candidates(None, LAYERS, families=(family,))["conv1"]
    assert len(rules) > 4
    assert rules[0].families == frozenset()
    assert {name for rule in rules for name in rule.families} == {family}


def test_families_of_a_rule() -> None:
    everything = Rule(
        multiplier="trunc(cut=2,width=(5,4))", precision="int(a_bits=5,b_bits=5)", coding="sign_magnitude", reduction="zero_skipping"
    )
    assert everything.families == set(FAMILIES)
    assert candidates([everything], LAYERS, families=FAMILIES[1:])["fc"] == [EXACT, everything.but(reduction="none")]
    assert candidates([everything], LAYERS, families=FAMILIES[:2])["fc"] == [EXACT]
    assert Rule(accumulator="accumulator(adder=loa(low=6),width=24)", coding="signed").families == {"approximate_units"}
    assert Rule(precision="e4m3").families == {"precision_scaling"}
    assert Rule(precision="int(calibration=mse)").families == set()


def test_mapping_leaves_other_layers_exact() -> None:
    found = candidates({"conv*": ["exact", "trunc(cut=4)"], "fc": ["drum(k=4)"]}, LAYERS)
    assert [rule.coding for rule in found["conv1"]] == ["signed", "unsigned", "sign_magnitude"]
    assert [rule.recovery for rule in found["conv2"][1:]] == ["shared_column(gain=true)", "bias_correction(gain=true)"]
    assert {rule.unit.family_name for rule in found["fc"]} == {"exact", "drum"}
    only = candidates({"fc": ["drum(k=4)"]}, LAYERS)
    assert only["conv1"] == [EXACT]


def test_list_holds_for_every_layer() -> None:
    rule = Rule(multiplier="trunc(cut=2,signed=true)", coding="signed")
    found = candidates([rule, "trunc(cut=2,width=(8,4))"], LAYERS)
    assert found["fc"] == found["conv1"]
    assert rule in found["fc"]
    assert found["fc"][-1].format.b_bits == 4


def test_file_fits_widths(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        '[[group]]\nlayers = ["type:Linear"]\nmultipliers = ["trunc(cut=9)", "mitchell"]\nprecisions = ["w4a8", "int8"]\n'
        'codings = ["sign_magnitude"]\nrecoveries = ["none"]\n'
    )
    rules = candidates(path, LAYERS)["fc"][1:]
    assert [(r.unit.family_name, r.unit.width) for r in rules] == [
        ("trunc", (8, 3)),
        ("trunc", (8, 7)),
        ("mitchell", (8, 3)),
        ("mitchell", (8, 7)),
    ]
    assert candidates(path, LAYERS)["conv1"] == [EXACT]
    narrow = SpaceText(text='[[group]]\nmultipliers = ["trunc(cut=12)"]\nprecisions = ["w4a4"]')
    assert candidates(narrow, LAYERS)["fc"] == [EXACT]  # 12 columns cannot be cut from a 4x4 unit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[group", "the space file must be TOML"),
        ("x = 1", r"must hold \[\[group\]\] tables with multipliers"),
        ('[[group]]\nmultiplier = ["exact"]', "has no entry 'multiplier'; did you mean 'multipliers'"),
        ("[[group]]\nmultipliers = []", "multipliers in a .* must be a list of texts with at least one entry"),
        ('[[group]]\nmultipliers = ["trunc(cut=4,width=6)"]', "options of a search space must fit each other: unit and format must agree"),
    ],
)
def test_bad_files(text: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        candidates(SpaceText(text=text), LAYERS)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"space file .* must be a readable TOML file"):
        candidates(tmp_path / "missing.toml", LAYERS)
    with pytest.raises(PlanError, match="plan key 'conv3' must match a layer; none does; did you mean"):
        candidates({"conv3": ["exact"]}, LAYERS)
    with pytest.raises(StudyError, match="must be a list of unit specs or rules, not the text 'exact'"):
        candidates({"fc": "exact"}, LAYERS)


def test_json_round_trip() -> None:
    space = made_up_space()
    assert Space.from_json(space.to_json()) == space
    assert space.plan((0, 1, 2, 3)).rules["four"] == Rule(multiplier="trunc(cut=6)")


def test_initial_genomes_are_predicted_to_be_good() -> None:
    space = made_up_space()

    def cost(genome: tuple[int, ...]) -> Total:
        options = space.choose(genome)
        energy = {option.rule: option.energy_pj for option in space.layers[0].options}
        rules = [option.rule for option in options.values()]
        return Total(energy_pj=sum(energy[r] for r in rules), area_um2=10.0 * len(set(rules)), cycles=1.0)

    found = initial_genomes(space, cost, 40)
    assert found[0] == (0, 0, 0, 0)
    assert len(found) == len(set(found)) <= 40
    assert found == initial_genomes(space, cost, 40)
    assert any(len(set(genome)) == 1 and any(genome) for genome in found)  # one unit network-wide
    rows = [(sum(o.impact for o in space.choose(g).values()), cost(g).energy_pj) for g in found]
    assert len({row[0] for row in rows}) > 3
    assert initial_genomes(space, cost, 1) == [(0, 0, 0, 0)]


def test_non_dominated_by_brute_force() -> None:
    points = np.random.default_rng(0).integers(0, 6, size=(60, 3))
    keep = non_dominated(points)
    for i, p in enumerate(points):
        beaten = any((q <= p).all() and (q < p).any() for q in points)
        twin = any((q == p).all() for q in points[:i])
        assert keep[i] == (not beaten and not twin)


def test_spread_keeps_both_ends() -> None:
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0], 3) == [1, 2, 0]
    assert spread([2.0, 1.0], 5) == [1, 0]


def test_plot_without_trials() -> None:
    assert plot_front([]) == "no trial was measured"


def test_settings() -> None:
    known = Settings(network="n", data="d", trials=7)
    assert Settings.from_json(known.to_json()) == known
    assert known.agrees(Settings(network="n", data="d", trials=9))
    assert not known.agrees(Settings(network="n", data="d", trials=7, seed=1))
    with pytest.raises(SpecError, match=r"trials must be 1\.\.1000000, not 0"):
        Settings(network="n", data="d", trials=0)
    with pytest.raises(StudyError, match="no objective is called 'energy'; did you mean 'energy_pj'"):
        Settings(network="n", data="d", objectives=("top1", "energy"))
    with pytest.raises(StudyError, match="no family is called 'units'"):
        Settings(network="n", data="d", families=("units",))
    with pytest.raises(StudyError, match="needs at least one family"):
        Settings(network="n", data="d", families=())
    with pytest.raises(StudyError, match="objectives must be top1 and at least one more, not energy_pj"):
        Settings(network="n", data="d", objectives=("energy_pj",))
    with pytest.raises(StudyError, match="max_drop must be a finite number of points, not nan"):
        Settings(network="n", data="d", max_drop=float("nan"))
    with pytest.raises(StudyError, match="written by another version"):
        Settings.from_json({"network": "n"})


def test_plans_of_one_exact_unit_in_many_widths_are_among_the_seeds() -> None:
    """Each layer tolerates another width, and small units save a little more there; in company they cost more than they save."""
    widths = ("w4a4", "w5a5", "w6a6")
    wide = [Rule(coding="sign_magnitude", precision=precision) for precision in widths]
    small = [Rule(coding="sign_magnitude", precision=p, multiplier=f"trunc(cut=1,width=({p[3]},{int(p[1]) - 1}))") for p in widths]
    layers = []
    for place, name in enumerate(("one", "two", "three")):
        options = [Option(rule=Rule(coding="sign_magnitude"), energy_pj=100.0)]
        for index in range(3):
            harm = 1e-3 if index >= place else 1.0
            options.append(Option(rule=wide[index], impact=harm, energy_pj=50.0 + 10 * index))
            options.append(Option(rule=small[index], impact=harm, energy_pj=49.0 + 10 * index))
        layers.append(LayerChoices(layer=name, options=tuple(options)))
    space = Space(layers=tuple(layers))

    def cost(genome: tuple[int, ...]) -> Total:
        options = space.choose(genome)
        chosen = {option.rule.multiplier for option in options.values() if not option.rule.exact}
        units = len(chosen) + any(option.rule.exact for option in options.values())
        return Total(energy_pj=sum(option.energy_pj for option in options.values()) + 20 * (units - 1), area_um2=units, cycles=1.0)

    def worth(genome: tuple[int, ...]) -> float:
        chosen = space.choose(genome)
        return 1e3 * sum(option.impact > 0.1 for option in chosen.values()) + cost(genome).energy_pj

    best = min(initial_genomes(space, cost, 60), key=worth)
    assert [option.rule for option in space.choose(best).values()] == wide


def test_numbers_and_blocks_take_units_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        '[[group]]\nlayers = ["type:Linear"]\nmultipliers = ["exact", "lmul(format=e2m3)"]\n'
        'precisions = ["e2m3", "e4m3", "mxint8", "int8"]\ncodings = ["signed", "sign_magnitude"]\nrecoveries = ["bias_correction"]\n'
    )
    rules = candidates(path, LAYERS)["fc"][1:]
    found = [(rule.precision, rule.multiplier, rule.coding, rule.recovery) for rule in rules]
    assert found == [
        ("e2m3", "exact", "signed", "none"),
        ("e4m3", "exact", "signed", "none"),
        ("mxint8", "exact", "signed", "none"),
        ("int8", "exact(signed=true)", "signed", "bias_correction"),
        ("int8", "exact(width=(8,7))", "sign_magnitude", "bias_correction"),
        ("e2m3", "lmul(format=e2m3)", "signed", "none"),
    ]
