"""Stuck-at faults: every one against the netlist walked cell by cell with the site forced; lists, names, facts, refusals."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from inexact import circuits, units
from inexact.circuits import Builder, Circuit, Op, fault_facts, stuck_at
from inexact.circuits.stuck_at import StuckAt
from inexact.core.errors import CircuitError, DataError

RandomCircuit = Callable[..., Circuit]


def walked(circuit: Circuit, fault: StuckAt, pattern: int) -> int:
    """The faulty result for one input pattern, bus after bus from the highest bit, by walking the cells."""
    bits = [0, 1]
    place = circuit.input_bits
    for bus in circuit.inputs:
        place -= bus.width
        bits += [pattern >> (place + i) & 1 for i in range(bus.width)]

    def read(wire: int, *, cell: int = -1, pin: int = -1, output: int = -1) -> int:
        hit = fault.wire == wire and (fault.stem or (fault.cell, fault.pin, fault.output) == (cell, pin, output))
        return fault.value if hit else bits[wire]

    for index, (op, sources, _) in enumerate(circuit.gates()):
        x, y, z = ([read(s, cell=index, pin=p) for p, s in enumerate(sources)] + [0, 0])[:3]
        single = [1 - x, x & y, x | y, x ^ y, 1 - (x & y), 1 - (x | y), 1 - (x ^ y), z if x else y]
        bits.extend([single[op]] if op < Op.HALF else [(x + y + z) & 1, (x + y + z) >> 1])
    value = sum(read(w, output=i) << i for i, w in enumerate(circuit.output_wires.tolist()))
    return value - (1 << circuit.output_bits) if circuit.signed and value >> (circuit.output_bits - 1) else value


@pytest.fixture(params=["compiled", "numpy"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "numpy":
        monkeypatch.setattr(stuck_at, "core", lambda: None)


@pytest.mark.parametrize("signed", [False, True])
def test_every_fault_of_random_circuits_follows_the_definition(path: None, signed: bool, random_circuit: RandomCircuit) -> None:
    circuit = random_circuit(11, (2, 3), cells=18, outputs=5, signed=signed)
    listed = stuck_at.faults(circuit, collapse=False)
    assert any(fault.cell >= 0 for fault in listed)
    assert any(fault.output >= 0 for fault in listed)
    for fault, found in zip(listed, stuck_at.tables(circuit, listed), strict=True):
        assert found.ravel().tolist() == [walked(circuit, fault, p) for p in range(32)], stuck_at.name_of(circuit, fault)


@pytest.mark.parametrize("adders_as_gates", [False, True])
def test_every_fault_of_a_multiplier_is_the_edited_netlist(adders_as_gates: bool) -> None:
    circuit = circuits.multiplier(4, kind="dadda", signed=True)
    if adders_as_gates:
        circuit = stuck_at.gate_level(circuit)
        assert not {"half", "full"} & set(circuit.counts())
        np.testing.assert_array_equal(circuits.table(circuit), circuits.table(circuits.multiplier(4, kind="dadda", signed=True)))
    listed = stuck_at.faults(circuit, collapse=False)
    for fault, found in zip(listed, stuck_at.tables(circuit, listed), strict=True):
        np.testing.assert_array_equal(found, circuits.table(stuck_at.faulty(circuit, fault)), stuck_at.name_of(circuit, fault))


def test_dropped_faults_have_an_equivalent_that_is_kept() -> None:
    circuit = stuck_at.gate_level(circuits.multiplier(3, kind="wallace"))
    whole, few = (stuck_at.faults(circuit, collapse=collapse) for collapse in (False, True))
    kept = {found.tobytes() for found in stuck_at.tables(circuit, few)}
    dropped = [fault for fault in whole if fault not in set(few)]
    assert (len(whole), len(few)) == (180, 138)
    assert all(found.tobytes() in kept for found in stuck_at.tables(circuit, dropped))


def chain() -> Circuit:
    b = Builder("chain", simplify=False)
    (x,), (y,) = b.input("x", 1), b.input("y", 1)
    both = b.and_(x, y)
    b.output("z", [both, b.or_(both, x)])
    return b.build()


def test_names_read_back() -> None:
    circuit = chain()
    names = [stuck_at.name_of(circuit, fault) for fault in stuck_at.faults(circuit, collapse=False) if not fault.value]
    assert names == ["x[0]", "x[0]->g0.0", "x[0]->g1.1", "y[0]", "n4", "n4->g1.0", "n4->z[0]", "n5"]
    assert stuck_at.find(circuit, "n4->g1.0", 1) == StuckAt(wire=4, value=1, cell=1, pin=0)


def test_redundant_logic_is_found() -> None:
    listed = fault_facts(chain())  # (x and y) or x = x: the OR's first input can never matter at 0
    assert [(fact.name, fact.fault.value) for fact in listed.undetectable] == [("n4->g1.0", 0)]
    assert listed.coverage == pytest.approx(1 - 1 / len(listed.facts))
    stuck = next(fact for fact in fault_facts(chain(), [stuck_at.find(chain(), "x[0]", 1)]).facts)
    # x = 1 gives z = 2 + y; right are 0, 0, 2, 3
    assert (stuck.error_probability, stuck.mean_error, stuck.mae, stuck.wce, stuck.bits) == (0.5, 1.25, 1.25, 3, 3)


def test_facts_weigh_operands() -> None:
    fault = [stuck_at.find(chain(), "x[0]", 1)]
    weights = np.array([[0, 3], [1, 0]])
    fact = fault_facts(chain(), fault, weights=weights).facts[0]
    assert (fact.error_probability, fact.mean_error, fact.wce) == (0.75, 0.75 * 3, 3)


def test_coverage_of_tests() -> None:
    circuit = units.get("exact(width=4)").circuit()
    assert circuit is not None
    listed = [fault for fault in stuck_at.faults(circuit) if fault.stem]
    everything = [np.array(side) for side in zip(*itertools.product(range(16), repeat=2), strict=True)]
    found = [circuits.coverage(circuit, tests, listed) for tests in ([[15], [15]], [[15, 0, 9], [15, 7, 11]], everything)]
    assert found == sorted(found)
    assert 0.2 < found[0] < found[1] < found[2]
    assert found[2] == fault_facts(circuit, listed).coverage == 1


def test_refusals(random_circuit: RandomCircuit) -> None:
    circuit = chain()
    with pytest.raises(CircuitError, match=r"chain has no net 'n9'.* nets that something reads are x\[0\] … n5"):
        stuck_at.find(circuit, "n9", 0)
    with pytest.raises(CircuitError, match="stuck at 0 or 1, not at 2"):
        stuck_at.find(circuit, "n4", 2)
    with pytest.raises(CircuitError, match="a fault list must hold a fault"):
        fault_facts(circuit, [])
    with pytest.raises(DataError, match=r"of shape \(2, 2\), not \(4,\)"):
        fault_facts(circuit, weights=np.ones(4))
    wide = circuits.adder(15, kind="ripple")
    with pytest.raises(CircuitError, match="at most 28 operand bits, not 30"):
        stuck_at.table(wide, stuck_at.faults(wide)[0])
