"""The attack packages: imported when an attack runs, and the global random states they draw from."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from inexact.core.errors import MissingDependencyError


def package(name: str) -> Any:
    """A module of ART or pyautoattack. Raises MissingDependencyError that names the extra which brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"this attack comes from the package {name.split('.', maxsplit=1)[0]}, which is not installed; "
            "install it with: pip install 'inexact[security]'"
        ) from error


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the generators of Python, NumPy and torch, which the packages use, and put them back afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
