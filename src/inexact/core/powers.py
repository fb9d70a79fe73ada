"""Sums of powers of two with a few choices a term: values of additive power-of-two codes."""

from __future__ import annotations

import itertools


def additive_powers(base_bits: int, terms: int) -> tuple[int, ...]:
    """The value behind each code of `base_bits * terms` bits, in units of the smallest power; the field of term 0 is lowest.

    A field of 0 is no power; c = 1..2**base_bits - 1 is 2**(terms - 1 - i + (c - 1) * terms) in term i. No two codes have one value.

    Reference: Y. Li, X. Dong, W. Wang, Additive powers-of-two quantization, ICLR 2020, arXiv:1909.13144, equation 5
    """
    choices = [[0, *(2 ** (terms - 1 - term + place * terms) for place in range(2**base_bits - 1))] for term in range(terms)]
    return tuple(sum(chosen) for chosen in itertools.product(*reversed(choices)))
