"""Stored words: integer codes as the bits a memory holds, and codes with one bit flipped."""

from __future__ import annotations

import torch
from torch import Tensor

from inexact.nn import Rule


def flipped_a(rule: Rule, codes: Tensor, bit: Tensor) -> Tensor:
    """Activation codes, int64, with bit `bit` (int64, same shape) of each word inverted: two's complement if signed, else binary."""
    return flipped_word(codes, bit, rule.format.a_bits, signed=rule.coding == "signed")


def flipped_b(rule: Rule, codes: Tensor, bit: Tensor) -> Tensor:
    """Weight codes with a bit inverted; under sign-magnitude coding the word's upper bit is the sign of the other bits' number."""
    bits = rule.format.b_bits
    if rule.coding != "sign_magnitude":
        return flipped_word(codes, bit, bits, signed=rule.coding == "signed")
    codes = codes.long()
    changed = torch.where(codes < 0, -1, 1) * (codes.abs() ^ _power(bit))
    return torch.where(bit == bits - 1, -codes, changed)


def flipped_word(values: Tensor, bit: Tensor, bits: int, *, signed: bool) -> Tensor:
    """Integers, int64, of words `bits` wide with one bit inverted."""
    return wrapped((values.long() & ((1 << bits) - 1)) ^ _power(bit), bits, signed=signed)


def _power(bit: Tensor) -> Tensor:
    return torch.ones_like(bit) << bit


def wrapped(values: Tensor, bits: int, *, signed: bool = True) -> Tensor:
    """int64 values modulo 2**bits, as two's complement or from 0 on."""
    low = values & ((1 << bits) - 1)
    return torch.where(low >> (bits - 1) == 1, low - (1 << bits), low) if signed else low
