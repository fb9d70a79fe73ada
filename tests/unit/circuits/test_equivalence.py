"""Equivalence: by structure, by exhaustive simulation, by SAT, and the honest `unknown`."""

from __future__ import annotations

import sys

import pytest

from inexact.circuits import ADDERS, Builder, Circuit, adder, equivalence, equivalent, evaluate, multiplier
from inexact.circuits.multipliers import KINDS
from inexact.core.errors import CircuitError


def wrong_once(bits: int) -> Circuit:
    """A ripple adder that errs for a single pair of operands."""
    b = Builder("trojan")
    x, y = b.input("a", bits), b.input("b", bits)
    (total,) = b.include(adder(bits), x, y)
    hit = 1
    for place, wire in enumerate((*x, *y)):
        hit = b.and_(hit, wire if place % 3 else b.not_(wire))
    b.output("y", [b.xor_(total[0], hit), *total[1:]])
    return b.build()


@pytest.mark.parametrize("kind", KINDS)
def test_multipliers_by_simulation(kind: str) -> None:
    answer = equivalent(multiplier((9, 6), signed=True), multiplier((9, 6), signed=True, kind=kind, adder="brent_kung"))
    assert answer
    assert answer.verdict == "equal"
    assert answer.method == "simulation"


def test_the_same_gates_need_no_simulation() -> None:
    answer = equivalent(multiplier(32), multiplier(32).renamed("twin"))
    assert (answer.verdict, answer.method) == ("equal", "structure")


@pytest.mark.parametrize("core", [True, False])
@pytest.mark.parametrize("bits", [3, 8])
def test_the_one_differing_pair_is_found(bits: int, core: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not core:
        monkeypatch.setattr(equivalence, "core", lambda: None)
    good, bad = adder(bits), wrong_once(bits)
    answer = equivalent(good, bad)
    assert (answer.verdict, answer.method) == ("different", "simulation")
    assert answer.counterexample is not None
    assert int(evaluate(good, *answer.counterexample)) != int(evaluate(bad, *answer.counterexample))


@pytest.mark.parametrize("kind", ADDERS)
def test_wide_adders_by_sat(kind: str) -> None:
    answer = equivalent(adder(32, kind="carry_select", signed=True), adder(32, kind=kind, signed=True))
    assert answer.verdict == "equal"
    assert answer.method == ("structure" if kind == "carry_select" else "sat")


def test_sat_finds_the_needle() -> None:
    good, bad = adder(30, kind="kogge_stone"), wrong_once(30)
    answer = equivalent(good, bad)
    assert (answer.verdict, answer.method) == ("different", "sat")
    assert answer.counterexample is not None
    assert int(evaluate(good, *answer.counterexample)) == sum(answer.counterexample)
    assert int(evaluate(bad, *answer.counterexample)) != sum(answer.counterexample)


def test_random_operands_find_coarse_differences() -> None:
    answer = equivalent(multiplier(20, signed=True), multiplier(20, signed=True, constant=4))
    assert (answer.verdict, answer.method) == ("different", "simulation")


def test_what_cannot_be_decided_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = multiplier(20), multiplier(20, kind="booth")
    answer = equivalent(*wide, seconds=0.2)
    assert not answer
    assert answer.verdict == "unknown"
    assert "undecided after 0.2 s; 65536 random operands agree" in answer.reason
    monkeypatch.setitem(sys.modules, "pysat.solvers", None)
    answer = equivalent(*wide)
    assert answer.verdict == "unknown"
    assert "pip install 'inexact[sat]'" in answer.reason


def test_results_are_compared_as_numbers() -> None:
    def passed(width: int, signed: bool) -> Circuit:
        b = Builder("wire")
        x = b.input("x", 4)
        b.output("y", (*x, *[x[3] if signed else 0] * (width - 4)), signed=signed)
        return b.build()

    assert equivalent(passed(4, False), passed(9, False))
    assert equivalent(passed(4, True), passed(9, True))
    assert equivalent(passed(4, False), passed(4, True)).counterexample == (8,)


def test_inputs_are_matched_by_name() -> None:
    def difference(first: str, second: str) -> Circuit:
        b = Builder("ordered")
        words = {name: b.input(name, 5) for name in (first, second)}
        (total,) = b.include(adder(5), words["p"], (*words["q"][1:], 0))
        b.output("y", total)
        return b.build()

    assert equivalent(difference("p", "q"), difference("q", "p"))
    with pytest.raises(CircuitError, match="must have inputs of equal widths"):
        equivalent(adder(4), adder((4, 5)))


def test_counterexamples_are_operand_values() -> None:
    answer = equivalent(multiplier(6, signed=True), multiplier(6, signed=True, constant=1))
    assert answer.counterexample == (0, 0)
    lowered = equivalent(multiplier((4, 6), signed=True), multiplier((4, 6)))
    assert lowered.counterexample is not None
    a, b = lowered.counterexample
    assert min(a, b) < 0
    assert -8 <= a < 8
    assert -32 <= b < 32
