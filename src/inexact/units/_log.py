"""Leading-one arithmetic shared by the logarithmic and dynamic-range multipliers."""

from __future__ import annotations

import numpy as np

from inexact.units._base import Integers
from inexact.units._gates import GateCount, barrel_shifter, encoder, gate_costs, leading_one, one_hot_select, ripple_adder


def floor_log2(x: Integers) -> Integers:
    """Position of the leading one of non-negative integers below 2**53; 0 for 0."""
    # frexp of an integer is exact below 2**53: mantissa in [0.5, 1), so the exponent is the bit length
    return np.asarray(np.maximum(np.frexp(x.astype(np.float64))[1] - 1, 0), dtype=np.int64)


def fraction_bits(x: Integers, exponent: Integers, bits: int) -> Integers:
    """The first `bits` bits of the fraction f of x = 2**exponent (1 + f), as an integer below 2**bits; the rest is cut off."""
    return np.asarray(((x - (np.int64(1) << exponent)) << bits) >> exponent, dtype=np.int64)


def scaled(mantissa: Integers, bits: int, exponent: Integers) -> Integers:
    """floor(mantissa * 2**(exponent - bits)): a mantissa with `bits` fraction bits put back at its place."""
    shift = exponent - bits
    return np.where(shift >= 0, mantissa << np.maximum(shift, 0), mantissa >> np.maximum(-shift, 0))


def normaliser(bits: int, kept: int) -> GateCount:
    """Leading one of a `bits`-bit operand, its binary position, and the `kept` bits below it: selected or shifted, whichever is less."""
    selected = encoder(bits) + one_hot_select(kept, bits)
    shifted = encoder(bits).then(barrel_shifter(bits - 1, bits - 1, keep=bits - 1))
    return leading_one(bits).then(min(selected, shifted, key=_cells))


def _cells(gates: GateCount) -> float:
    weights = gate_costs()["cell_area"]
    return float(sum(count * weights[name] for name, count in gates.counts().items()))


def denormaliser(width: tuple[int, int], mantissa: int) -> GateCount:
    """Adder of the two exponents, shifter of a `mantissa`-bit number over the product's bits, zero detection."""
    out = sum(width)
    exponents = ripple_adder((max(width) - 1).bit_length())
    return exponents.then(barrel_shifter(mantissa, out - 1, keep=out)).then(GateCount(and2=out, or2=1, levels=1))
