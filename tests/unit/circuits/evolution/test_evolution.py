"""The search: what it returns meets its bounds, every instruction set agrees, interruptions change nothing, bad input is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inexact import kernels, metrics, units
from inexact.circuits import Circuit, adder, multiplier, table
from inexact.circuits.cells import library
from inexact.circuits.evolution import METRICS, Costs, Evolved, Goal, Settings, evolve
from inexact.circuits.evolution._genome import genome_of
from inexact.circuits.evolution._search import _Ladder
from inexact.core.errors import CheckpointError, CircuitError, FormatError, SpecError

RNG = np.random.default_rng(3)
SMALL = Settings(generations=3000, seed=2)


def _costs() -> Costs:
    return Costs.of(library())


def _weights(bits: int) -> tuple[float, ...]:
    """An uneven histogram with zeros."""
    drawn = RNG.random(1 << bits) ** 4
    return tuple(np.where(drawn < 0.05, 0, drawn).tolist())


def _unit(circuit: Circuit) -> units.Multiplier:
    return units.from_circuit(circuit)


def _metric(goal: Goal, circuit: Circuit) -> float:
    """By the passport and the analysis of variance, from the circuit's table."""
    unit = _unit(circuit)
    if goal.metric in ("rms_folded", "rms_column"):
        return float(getattr(metrics.anova(unit, goal.weight_a, goal.weight_b), goal.metric))
    if goal.metric.startswith("weighted"):
        return float(metrics.profile(unit, goal.weight_a, goal.weight_b).metrics()[goal.metric.removeprefix("weighted_")])
    return float(metrics.profile(unit).metrics()[goal.metric])


TARGETS = {"mae": 9.0, "mse": 200.0, "error_probability": 0.3, "wce": 60.0, "weighted_mae": 5.0, "weighted_mse": 90.0}
TARGETS |= {"rms_folded": 8.0, "rms_column": 8.0}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_bounds_hold_and_metrics_are_those_of_the_passport(metric: str, signed: bool) -> None:
    weights = _weights(6) if metric.startswith(("weighted", "rms")) else None
    goal = Goal(metric=metric, weight_a=weights, weight_b=None if weights is None else weights[::-1])
    start = multiplier(6, kind="dadda", signed=signed)
    (found,) = evolve(start, goal, [TARGETS[metric]], _costs(), SMALL)
    (exact,) = evolve(start, Goal(), [1e-9], _costs(), Settings(generations=1))
    assert found.metric <= TARGETS[metric]
    # weights are integers of 20 bits in the search
    assert found.metric == pytest.approx(_metric(goal, found.circuit), rel=1e-4 if weights else 1e-12)
    assert found.cost < exact.cost or metric == "error_probability"


def test_the_free_correction_is_that_of_the_analysis_of_variance() -> None:
    """With weights that are exact in 20 bits nothing is rounded."""
    weights = tuple(float(x) for x in np.repeat([1, 2, 3, 2], 64))
    for metric in ("rms_folded", "rms_column"):
        goal = Goal(metric=metric, weight_a=weights, weight_b=weights[::-1])
        (found,) = evolve(multiplier(8), goal, [40.0], _costs(), Settings(generations=400))
        assert found.metric == pytest.approx(_metric(goal, found.circuit), rel=1e-9)


def test_constraints() -> None:
    goal = Goal(metric="mae", zero_exact=True, wce=50, bias=0.25)
    found = evolve(multiplier(8), goal, [2.0, 12.0], _costs(), Settings(generations=8000))
    for one in found:
        profile = metrics.profile(_unit(one.circuit)).metrics()
        assert profile["zero_exact"]
        assert profile["wce"] <= 50
        assert abs(profile["mean_error"]) <= 0.25
        assert profile["mae"] <= one.target
    assert found[1].cost <= found[0].cost


def test_adders_and_unequal_widths() -> None:
    (found,) = evolve(adder(8), Goal(metric="wce"), [6.0], _costs(), Settings(generations=3000, operation="sum"))
    a = np.arange(256)
    assert np.abs(table(found.circuit) - np.add.outer(a, a)).max() == found.metric <= 6
    (uneven,) = evolve(multiplier((8, 4)), Goal(), [5.0], _costs(), SMALL)
    assert metrics.profile(_unit(uneven.circuit)).metrics()["mae"] == pytest.approx(uneven.metric)


def test_a_rung_starts_from_the_cheapest_circuit_known() -> None:
    rough = units.get("trunc(cut=6)").circuit()
    assert rough is not None
    error = metrics.profile(units.get("trunc(cut=6)")).metrics()["mae"]
    settings = Settings(generations=1)
    alone = evolve(multiplier(8), Goal(), [1.0, error], _costs(), settings)
    helped = evolve(multiplier(8), Goal(), [1.0, error], _costs(), settings, others=[rough])
    assert helped[0].cost == alone[0].cost
    assert helped[1].cost < alone[1].cost
    assert helped[1].metric == pytest.approx(error)
    with pytest.raises(SpecError, match="must have the operands of"):
        evolve(multiplier(8), Goal(), [1.0], _costs(), settings, others=[multiplier(7)])


def test_every_instruction_set_takes_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for metric in ("mae", "mse", "wce", "rms_column"):
        results = []
        for isa in kernels.isas():
            monkeypatch.setattr("inexact.circuits.evolution._search.isa", lambda isa=isa: isa)
            (found,) = evolve(multiplier(8), Goal(metric=metric), [30.0], _costs(), Settings(generations=600))
            results.append((found.circuit, found.metric, found.cost))
        assert all(result == results[0] for result in results)


def _same(x: list[Evolved], y: list[Evolved]) -> bool:
    return [(e.circuit, e.metric, e.cost, e.target) for e in x] == [(e.circuit, e.metric, e.cost, e.target) for e in y]


def test_interruptions_and_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inexact.circuits.evolution._search.SLICE", 700)
    settings = Settings(generations=2000, islands=2, seed=4)
    given = (multiplier(5), Goal(), [1.0, 4.0], _costs(), settings)
    whole = evolve(*given)

    class StopError(Exception):
        pass

    path = tmp_path / "run.json"
    for limit in (1, 2, 1):
        seen: list[int] = []

        def stop(done: int, total: int, limit: int = limit, seen: list[int] = seen) -> None:
            assert 0 < done <= total
            seen.append(done)
            if len(seen) > limit:
                raise StopError

        with pytest.raises(StopError):
            evolve(*given, checkpoint=path, progress=stop)
    assert _same(evolve(*given, checkpoint=path), whole)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert _same(evolve(*given), whole)
    assert not _same(evolve(*given[:-1], Settings(generations=2000, islands=2, seed=5)), whole)


def test_checkpoints_of_other_searches(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    evolve(multiplier(4), Goal(), [1.0], _costs(), Settings(generations=10), checkpoint=path)
    with pytest.raises(CheckpointError, match="is the checkpoint of an evolution with another seed circuit, goal or settings"):
        evolve(multiplier(4), Goal(metric="wce"), [1.0], _costs(), Settings(generations=10), checkpoint=path)
    path.write_text(json.dumps({"identity": 3}))
    with pytest.raises(CheckpointError, match="must be the checkpoint of an evolution, but cannot be read"):
        evolve(multiplier(4), Goal(), [1.0], _costs(), Settings(generations=10), checkpoint=path)


def test_bad_input() -> None:
    with pytest.raises(SpecError, match="no metric to evolve towards is called 'wec'; did you mean 'wce'"):
        Goal(metric="wec")
    with pytest.raises(SpecError, match="the bound wce must be 0 or more"):
        Goal(wce=-1)
    with pytest.raises(FormatError, match="weights of operand a must be 16 numbers"):
        evolve(multiplier(4), Goal(weight_a=(1.0,)), [1.0], _costs(), SMALL)
    with pytest.raises(CircuitError, match="must have at most 16 bits together to be evolved, not 18"):
        evolve(multiplier(9), Goal(), [1.0], _costs(), SMALL)
    with pytest.raises(SpecError, match="targets must be positive numbers"):
        evolve(multiplier(4), Goal(), [0.0], _costs(), SMALL)
    with pytest.raises(SpecError, match="rms_column needs 5 bits of operand b, not 4"):
        evolve(multiplier(4), Goal(metric="rms_column"), [1.0], _costs(), SMALL)
    rough = units.get("trunc(cut=8)").circuit()
    assert rough is not None
    with pytest.raises(SpecError, match="must meet the smallest target, mae <= 1, but has"):
        evolve(rough, Goal(), [1.0], _costs(), SMALL)
    with pytest.raises(SpecError, match=r"must meet the constraints \(wce <= 3, zero_exact\), but does not; begin with an exact one"):
        evolve(rough, Goal(wce=3, zero_exact=True), [1000.0], _costs(), SMALL)


def test_the_compiled_search_refuses_genomes_that_are_none() -> None:
    ladder = _Ladder(multiplier(4), Goal(), _costs(), SMALL, [1.0])
    genome = genome_of(multiplier(4), 2, 8)
    genome.nodes[0, 1] = len(genome.nodes) * 2 + 10
    with pytest.raises(ValueError, match="a node must read what comes before it"):
        ladder.evolver(genome, 0)
