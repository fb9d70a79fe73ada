"""Integer codes as the words that memories hold, and words as codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inexact.core.workload import Coding

Codes = NDArray[np.int64]


def words_of(codes: Codes, bits: int, coding: Coding) -> Codes:
    """How codes are stored: sign and magnitude under that coding (top bit = minus), else two's complement or plain binary."""
    if coding == "sign_magnitude":
        return np.asarray(np.abs(codes) | ((codes < 0).astype(np.int64) << (bits - 1)), dtype=np.int64)
    return codes & ((1 << bits) - 1)


def codes_of(words: Codes, bits: int, coding: Coding) -> Codes:
    """The codes that words stand for; a word that says minus nothing is 0."""
    top = 1 << (bits - 1)
    if coding == "sign_magnitude":
        return np.where(words & top, -(words & (top - 1)), words)
    return np.asarray(np.where(words & top, words - 2 * top, words) if coding == "signed" else words, dtype=np.int64)
