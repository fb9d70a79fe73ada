"""Flags and numbers of images as a record keeps them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Flags = NDArray[np.bool_]


def written(flags: Tensor) -> str:
    """bool [N] as a string of 0 and 1."""
    return "".join("1" if flag else "0" for flag in flags.tolist())


def read(flags: str) -> Flags:
    """The bool [N] `written` wrote."""
    return np.array([flag == "1" for flag in flags], dtype=np.bool_)


def numbers(values: Tensor) -> list[float]:
    """float [N], six digits."""
    return [float(f"{value:.6g}") for value in values.to(torch.float64).tolist()]
