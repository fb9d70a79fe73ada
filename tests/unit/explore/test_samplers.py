"""Every sampler: genomes inside the space, initial ones first, same seed same genomes, progress on an easy landscape."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np
import pytest

from inexact.core.errors import MissingDependencyError, SpecError, StudyError, UnknownNameError
from inexact.explore.samplers import Genome, Outcome, Sampler, failed, get, samplers
from inexact.explore.samplers._promise import Believed, promising
from inexact.explore.samplers.assisted import _boundary

SIZES = (4, 3, 5, 8, 2)
INITIAL = [(0, 0, 0, 0, 0), (1, 1, 1, 1, 1)]
MEMBERS = [member for _, cls in samplers.items() for member in cls.samples()]


def worth(genome: Genome) -> Outcome:
    lost = sum(gene**2 * (1 + place % 3) for place, gene in enumerate(genome)) / 20
    return Outcome((lost, -float(sum(genome))), violation=lost - 4)


def forecast(genomes: Sequence[Genome]) -> list[tuple[float, ...]]:
    return [(sum(gene**2 for gene in genome) / 1000, -float(sum(genome))) for genome in genomes]


def walk(sampler: Sampler, count: int, seed: int = 0, sizes: tuple[int, ...] = SIZES) -> list[Genome]:
    initial = [(0,) * len(sizes), (1,) * len(sizes)]
    search = sampler(sizes, objectives=2, initial=initial, seed=seed, forecast=forecast)
    found = []
    for _ in range(count):
        genome = search.ask()
        if genome is None:
            break
        assert search.ask() == genome
        found.append(genome)
        search.tell(worth(genome))
    return found


@pytest.mark.parametrize("sampler", MEMBERS, ids=lambda s: s.spec)
def test_contract(sampler: Sampler) -> None:
    found = walk(sampler, 60)
    assert found[:2] == INITIAL
    assert found == walk(sampler, 60)
    assert found != walk(sampler, 60, seed=1)
    assert all(len(g) == len(SIZES) and all(0 <= gene < size for gene, size in zip(g, SIZES, strict=True)) for g in found)
    assert get(sampler.spec) == sampler


@pytest.mark.parametrize("spec", ["nsga2(population=8)", "assisted(batch=20,population=40,generations=20)"])
def test_finds_better_genomes_than_random(spec: str) -> None:
    def best(sampler: Sampler) -> float:
        outcomes = [worth(genome) for genome in walk(sampler, 80, sizes=(8,) * 12)]
        return min(o.values[1] for o in outcomes if o.violation <= 0)

    assert best(get(spec)) < best(get("random"))


def test_assisted_without_a_forecast_is_nsga2() -> None:
    one, other = (get(spec)(SIZES, objectives=2, initial=INITIAL, seed=0) for spec in ("assisted", "nsga2"))
    for _ in range(30):
        genome = one.ask()
        assert genome == other.ask()
        assert genome is not None
        one.tell(worth(genome))
        other.tell(worth(genome))


def test_assisted_exhausts_a_small_space() -> None:
    search = get("assisted(batch=3,generations=2,population=4)")((2, 2), objectives=2, initial=[(0, 0)], forecast=forecast)
    found = set()
    while (genome := search.ask()) is not None:
        found.add(genome)
        search.tell(worth(genome))
    assert found == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_failed_genomes_do_not_stop_a_sampler() -> None:
    for sampler in MEMBERS:
        search = sampler(SIZES, objectives=2, initial=INITIAL, forecast=forecast)
        for _ in range(30):
            assert search.ask() is not None
            search.tell(failed(2))


def test_bad_input() -> None:
    random = get("random")
    with pytest.raises(StudyError, match=r"every layer of a search space must have at least one option, not \[3, 0\]"):
        random((3, 0), objectives=2)
    with pytest.raises(StudyError, match=r"must have one index per layer below \[3, 2\], not \[0, 2\]"):
        random((3, 2), objectives=2, initial=[(0, 2)])
    with pytest.raises(StudyError, match=r"tell\(\) must follow an ask\(\)"):
        random((3, 2), objectives=2).tell(Outcome((0.0, 0.0)))
    with pytest.raises(SpecError, match=r"population must be 4\.\.10000, not 1"):
        get("nsga2(population=1)")
    with pytest.raises(SpecError, match=r"offers must be 1\.\.1000, not 0"):
        get("nsga2(offers=0)")
    with pytest.raises(SpecError, match=r"pick must be limit or volume, not 'volumes'; did you mean 'volume'\?"):
        get("assisted(pick=volumes)")
    with pytest.raises(UnknownNameError, match="no sampler is called 'nsga'; did you mean 'nsga2'"):
        get("nsga")


def test_optuna_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    search = get("optuna_tpe")((3, 2), objectives=2)
    with pytest.raises(MissingDependencyError, match=r"need optuna 5 or newer; install the extra with: pip install 'inexact\[optuna\]'"):
        search.ask()


def test_boundary_tells_genomes_that_hold_from_those_that_do_not() -> None:
    assert 0.01 < _boundary([(0.3, False), (0.001, True), (0.01, True), (0.02, False)]) < 0.02
    assert _boundary([(0.001, True), (0.01, False), (0.012, True), (0.02, False)]) > 0.012  # of equally good ones the largest
    assert _boundary([(0.5, True)]) == 1.0
    assert _boundary([(0.5, False)]) == 0.25


def area(points: list[tuple[float, float]], worst: tuple[float, float]) -> float:
    """Of the union of the rectangles between points and the corner, strip by strip."""
    inside = sorted(point for point in points if point[0] < worst[0] and point[1] < worst[1])
    ends = [point[0] for point in inside[1:]] + [worst[0]]
    return sum((end - inside[i][0]) * (worst[1] - min(p[1] for p in inside[: i + 1])) for i, end in enumerate(ends))


def test_the_most_promising_offers_add_most_to_the_dominated_area() -> None:
    generator = np.random.default_rng(0)
    drawn = [(4 * drop, (1 - drop) ** 2 + cost / 5) for drop, cost in generator.random((30, 2)).tolist()]
    values: dict[Genome, tuple[float, float]] = {(i, 0): (pair[0], pair[1]) for i, pair in enumerate(drawn)}

    def scaled(genomes: Sequence[Genome]) -> list[tuple[float, ...]]:  # right but for their scale, so that nothing is left to chance
        return [(values[genome][0] / 8, values[genome][1]) for genome in genomes]

    told = {genome: Outcome(values[genome], violation=values[genome][0] - 1.0) for genome in list(values)[:6]}
    found = promising(values, told, scaled, slack=2.0, count=5)
    front, corner = [values[genome] for genome in told], (3.0, max(values[genome][1] for genome in told if values[genome][0] < 3.0))
    offers = [genome for genome in values if genome not in told]
    for genome in found:
        gains = {other: area([*front, values[other]], corner) for other in offers if other not in found[: found.index(genome)]}
        assert genome == max(gains, key=lambda other: gains[other])
        front.append(values[genome])
    believed = Believed.of(told, scaled, 2.0)
    assert believed is not None
    assert believed.factor == pytest.approx(8.0)
    assert believed.worst.tolist() == pytest.approx(list(corner))


def test_without_anything_measured_near_the_limit_offers_go_by_risk() -> None:
    told: dict[Genome, Outcome] = {(9,): Outcome((50.0, 0.0), violation=49.0), (8,): failed(2)}
    assert promising([(3,), (1,), (2,), (9,)], told, forecast, slack=2.0, count=2) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("plain", "helped"),
    [
        ("nsga2(population=8)", "nsga2(population=8,offers=10)"),
        ("nsga2(population=8)", "assisted(batch=8,population=20,generations=8,pick=volume)"),
    ],
)
def test_ranking_many_and_trying_few_dominates_more(plain: str, helped: str) -> None:
    def reached(spec: str, seed: int) -> float:
        outcomes = [worth(genome) for genome in walk(get(spec), 40, seed, sizes=(8,) * 6)]
        return area([(o.values[0], o.values[1]) for o in outcomes], (6.0, 0.0))

    assert all(reached(helped, seed) > reached(plain, seed) for seed in range(3))
