"""What a campaign has found so far, one JSON file that grows by whole cells and lets it go on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.errors import AttackError
from inexact.core.files import write_text

FORMAT = 1
Flags = NDArray[np.bool_]


@final
class Record:
    """Cells by key. path: None keeps them in memory only."""

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self.path = path
        self.fingerprint = fingerprint
        self.cells: dict[str, dict[str, Any]] = self._read() if path is not None and path.exists() else {}

    def _read(self) -> dict[str, dict[str, Any]]:
        assert self.path is not None
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            known = content["format"], content["fingerprint"], content["cells"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AttackError(
                f"{self.path} must be the record of an attack campaign; it is not: delete it or choose another --out"
            ) from error
        if known[:2] != (FORMAT, self.fingerprint):
            raise AttackError(
                f"{self.path} holds a campaign of other networks, images, seed or version; go on with what it was started with, "
                "or choose another --out"
            )
        found: dict[str, dict[str, Any]] = known[2]
        return found

    def add(self, key: str, cell: Mapping[str, Any]) -> None:
        """Keep a finished cell; the file is replaced as a whole."""
        self.cells[key] = dict(cell)
        if self.path is not None:
            write_text(self.path, json.dumps({"format": FORMAT, "fingerprint": self.fingerprint, "cells": self.cells}))


def written(flags: Tensor) -> str:
    """bool [N] as a string of 0 and 1."""
    return "".join("1" if flag else "0" for flag in flags.tolist())


def read(flags: str) -> Flags:
    """The bool [N] `written` wrote."""
    return np.array([flag == "1" for flag in flags], dtype=np.bool_)


def numbers(values: Tensor) -> list[float]:
    """float [N], six digits."""
    return [float(f"{value:.6g}") for value in values.to(torch.float64).tolist()]
