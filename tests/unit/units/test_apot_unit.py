"""Additive powers of two: the netlist that takes stored exponents, against products worked out one by one."""

from __future__ import annotations

import itertools

import pytest

from inexact import circuits
from inexact.core.errors import SpecError
from inexact.core.powers import additive_powers
from inexact.hardware._pe import operands_of, stored_shares
from inexact.precision.apot import AdditivePowersOfTwo
from inexact.units import multipliers
from inexact.units.apot import AdditivePowers

SHAPES = [(2, 2, 6), (3, 1, 7), (1, 3, 3), (1, 4, 4), (2, 1, 3)]


@pytest.mark.parametrize(("base_bits", "terms", "bits"), SHAPES)
def test_codes_are_sums_of_the_published_levels(base_bits: int, terms: int, bits: int) -> None:
    """Equation 5 of the paper: term i is 0 or 2**-(i + j n), here in units of the smallest."""
    values = additive_powers(base_bits, terms)
    least = terms - 1 + (2**base_bits - 2) * terms
    levels = [[0, *(2.0 ** -(i + j * terms) for j in range(2**base_bits - 1))] for i in range(terms)]
    assert sorted(values) == sorted(sum(chosen) * 2**least for chosen in itertools.product(*levels))
    assert len(set(values)) == len(values) == 2 ** (base_bits * terms)
    assert max(values).bit_length() == bits
    assert tuple(sorted(values)) == AdditivePowersOfTwo(base_bits=base_bits, terms=terms).sizes


@pytest.mark.parametrize(("base_bits", "terms", "bits"), SHAPES)
def test_the_stored_code_is_multiplied_for_every_pair(base_bits: int, terms: int, bits: int) -> None:
    unit = AdditivePowers(base_bits=base_bits, terms=terms, width=(6, bits))
    circuit = unit.stored_circuit()
    assert circuit is not None
    assert [bus.width for bus in circuit.inputs] == [6, base_bits * terms]
    found = circuits.table(circuit)
    for code, value in enumerate(unit.stored_values()):
        assert found[:, code].tolist() == [a * value for a in range(64)]
        assert unit.table()[:, value].tolist() == [a * value for a in range(64)]  # and the binary code of a sum is exact


def test_other_weights_are_rounded_to_the_nearest_sum() -> None:
    unit = AdditivePowers(width=(4, 7))
    sums = sorted(unit.stored_values())
    for b in range(128):
        nearest = min(sums, key=lambda value: (abs(value - b), value))
        assert int(unit(3, b)) == 3 * nearest
    with pytest.raises(SpecError, match=r"apot needs weights of at most 8 bits, not 9: give width=\(8,8\)"):
        AdditivePowers(width=(8, 9))


def test_operands_are_counted_by_the_code_they_are_stored_as() -> None:
    unit = multipliers.get("apot(base_bits=1,terms=2,width=(8,3))")  # sums 0, 1, 2, 3; 4 to 7 become 3
    assert unit.stored_values() == (0, 2, 1, 3)
    assert stored_shares(unit, (0.3, 0.2, 0.1, 0.05, 0.05, 0.1, 0.1, 0.1)) == pytest.approx((0.3, 0.1, 0.2, 0.4))
    plain, signed = operands_of(unit, True, "network")
    assert plain.weights is not None
    assert signed.weights is not None
    assert [len(part or ()) for part in (*plain.weights, *signed.weights)] == [256, 4, 256, 8]
    assert sum(plain.weights[1] or ()) == pytest.approx(1, rel=1e-5)
    assert multipliers.get("exact").stored_circuit() is None
