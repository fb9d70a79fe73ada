"""The netlist type and its builder."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from inexact.circuits import CELL, FAN_IN, ONE, ZERO, Builder, Bus, Circuit, Op, multiplier, simplified, table
from inexact.core.errors import CircuitError

TRUTH: dict[Op, Callable[[int, int, int], tuple[int, ...]]] = {
    Op.NOT: lambda x, y, z: (1 - x,),
    Op.AND: lambda x, y, z: (x & y,),
    Op.OR: lambda x, y, z: (x | y,),
    Op.XOR: lambda x, y, z: (x ^ y,),
    Op.NAND: lambda x, y, z: (1 - (x & y),),
    Op.NOR: lambda x, y, z: (1 - (x | y),),
    Op.XNOR: lambda x, y, z: (1 - (x ^ y),),
    Op.MUX: lambda x, y, z: (z if x else y,),
    Op.HALF: lambda x, y, z: ((x + y) & 1, (x + y) >> 1),
    Op.FULL: lambda x, y, z: ((x + y + z) & 1, (x + y + z) >> 1),
}


@pytest.mark.parametrize("simplify", [False, True])
@pytest.mark.parametrize("op", Op)
def test_every_cell_on_every_kind_of_input(op: Op, simplify: bool) -> None:
    """Inputs, their inverses, constants, in every combination: folding never changes the function."""
    choices = range(6)
    for pick in itertools.product(choices, repeat=FAN_IN[op]):
        b = Builder("cell", simplify=simplify)
        x = b.input("x", 3)
        sources = [(ZERO, ONE, *x, b.not_(x[0]))[i] for i in pick]
        b.output("y", b.place(op, sources))
        found = table(b.build())
        for pattern in range(8):
            bits = [pattern >> i & 1 for i in range(3)]
            values = [(0, 1, *bits, 1 - bits[0])[i] for i in pick]
            wanted = TRUTH[op](*[*values, 0, 0][:3])
            assert found[pattern] == sum(bit << i for i, bit in enumerate(wanted)), (op, pick, pattern)


def test_builder_shares_folds_and_drops() -> None:
    b = Builder("shared")
    x = b.input("x", 2)
    assert b.and_(x[0], x[1]) == b.and_(x[1], x[0])
    assert b.not_(b.not_(x[0])) == x[0]
    assert b.xor_(x[0], b.not_(x[0])) == ONE
    b.full_adder(x[0], x[1], ONE)
    b.output("y", [b.and_(x[0], x[1])])
    assert b.build().counts() == {"and": 1}


def test_half_read_adders_become_gates() -> None:
    b = Builder("sum only")
    x = b.input("x", 3)
    total, _ = b.full_adder(*x)
    b.output("y", [total])
    assert b.build().counts() == {"xor": 2}
    b = Builder("carry only")
    x = b.input("x", 3)
    _, carry = b.full_adder(*x)
    b.output("y", [carry])
    circuit = b.build()
    assert circuit.counts() == {"and": 2, "or": 2}
    np.testing.assert_array_equal(table(circuit), [0, 0, 0, 1, 0, 1, 1, 1])


def test_unsimplified_keeps_every_cell_until_asked() -> None:
    b = Builder("raw", simplify=False)
    x = b.input("x", 2)
    y = b.and_(x[0], ONE)
    b.or_(x[0], x[1])
    b.output("y", [b.and_(y, y), ZERO])
    circuit = b.build()
    assert circuit.counts() == {"and": 2, "or": 1}
    small = simplified(circuit)
    assert small.counts() == {}
    np.testing.assert_array_equal(table(small), table(circuit))


def test_include_places_a_circuit_inside_another() -> None:
    b = Builder("square sum")
    x, y = b.input("a", 4), b.input("b", 4)
    (product,) = b.include(multiplier(4), x, y)
    b.output("y", product)
    np.testing.assert_array_equal(table(b.build()), table(multiplier(4)))
    with pytest.raises(CircuitError, match="must be given words of its input widths, not of \\[4, 3\\] bits"):
        b.include(multiplier(4), x, y[:3])


def test_identity_is_content() -> None:
    one, other = multiplier(4), multiplier(4).renamed("other")
    assert one == other
    assert hash(one) == hash(other)
    assert one != multiplier(4, kind="wallace")
    assert len({one, other, multiplier(5)}) == 2
    with pytest.raises(ValueError, match="read-only"):
        one.cells["op"] = 0


def circuit_of(cells: list[tuple[int, int, int, int, int]], outputs: list[int], buses: tuple[Bus, ...] = (Bus("y", 1),)) -> Circuit:
    return Circuit("c", (Bus("x", 2),), buses, np.array(cells, CELL), np.array(outputs, np.int32))


def test_broken_netlists_are_refused() -> None:
    with pytest.raises(CircuitError, match=r"cell 0 of c must read wires before its own \(4\).* but in1 is 5"):
        circuit_of([(Op.AND, 2, 5, -1, 4), (Op.AND, 2, 3, -1, 5)], [4])
    with pytest.raises(CircuitError, match="but in2 is 3"):
        circuit_of([(Op.AND, 2, 3, 3, 4)], [4])
    with pytest.raises(CircuitError, match="must drive the wires 4"):
        circuit_of([(Op.AND, 2, 3, -1, 5)], [4])
    with pytest.raises(CircuitError, match="of a known kind"):
        circuit_of([(77, 2, 3, -1, 4)], [4])
    with pytest.raises(CircuitError, match=r"outputs of c must be wires 0\.\.3"):
        circuit_of([], [4])
    with pytest.raises(CircuitError, match="must have an output"):
        circuit_of([], [], ())
    with pytest.raises(CircuitError, match="'x' occurs twice"):
        circuit_of([], [2], (Bus("x", 1),))
    with pytest.raises(CircuitError, match="at most 64 bits together, but c has 65"):
        circuit_of([], [2] * 65, (Bus("y", 65),))
    with pytest.raises(CircuitError, match="one wire per output bit, but names 2 for 1"):
        circuit_of([], [2, 3])
    with pytest.raises(CircuitError, match="'y' of c must have at least 1 bit"):
        circuit_of([], [], (Bus("y", 0),))
    b = Builder("late")
    x = b.input("x", 2)
    b.and_(*x)
    with pytest.raises(CircuitError, match="must be declared before the first cell"):
        b.input("z", 1)
    with pytest.raises(CircuitError, match="must read wires that exist"):
        b.and_(x[0], 99)
