"""Energy of each elementary event of an accelerator, as (value, low, high) in pJ, from its technology table."""

from __future__ import annotations

from dataclasses import dataclass

from inexact.hardware._constants import Sram, Technology, Triple, product, scaled

COLUMN_TABLE_KIB = 0.5
"""Smallest memory of the cited table: holds the 256 16-bit entries a correction column looks up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Energies in pJ: multiply = one exact 8x8 multiplication; *_bit = per bit of width; the rest per event."""

    multiply: Triple
    add_bit: Triple
    register_bit: Triple
    xor_bit: Triple
    mux_bit: Triple
    and_bit: Triple
    requantise: Triple
    float_multiply: Triple
    float_add: Triple
    cache_bit: Triple
    dram_bit: Triple


def rates(technology: Technology) -> Rates:
    """The elementary energies of a node. Single gates cost their share of a full adder (gate-count model)."""
    add = scaled(technology["adder_energy"].triple, 1 / 32)
    return Rates(
        multiply=technology["multiplier_energy"].triple,
        add_bit=add,
        register_bit=scaled(technology["register_energy"].triple, 1 / 32),
        xor_bit=product(add, technology["xor_ratio"].triple),
        mux_bit=product(add, technology["mux_ratio"].triple),
        and_bit=product(add, technology["and_ratio"].triple),
        requantise=technology["requantise_energy"].triple,
        float_multiply=technology["float_multiply_energy"].triple,
        float_add=technology["float_add_energy"].triple,
        cache_bit=scaled(technology["cache_energy"].triple, 1 / 64),
        dram_bit=technology["dram_energy"].triple,
    )


def column_table(technology: Technology, a_bits: int) -> Sram:
    """The memory that holds f(a) in one PE of a correction column: 2^a_bits entries of 16 bits."""
    return technology.memory(max(COLUMN_TABLE_KIB, 2**a_bits * 16 / 8 / 1024))
