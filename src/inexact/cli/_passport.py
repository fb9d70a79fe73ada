"""What `unit show` gathers: operands, metrics over all pairs or a sample, the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from inexact.cli._operands import operands_of
from inexact.cli._unit_facts import contradictions, facts, is_wide, wide_facts
from inexact.core.errors import SpecError
from inexact.core.files import write_text
from inexact.metrics.wide import wide_profile
from inexact.units import Adder, Multiplier


def passport(
    unit: Multiplier | Adder,
    *,
    layer: str | None = None,
    data: str = "",
    coding: str | None = None,
    histograms: Path | None = None,
    picture: Path | None = None,
    exhaustive: bool | None = None,
    seed: int = 0,
    claims: Sequence[str] = (),
    name: str | None = None,
) -> dict[str, Any]:
    """The object of `unit show --json`; the picture is written on the way. name: of the file it came from, if any."""
    if is_wide(unit):
        if layer or histograms or picture or claims:
            raise SpecError(
                f"--layer, --histograms, --picture and --claim need a table, and {unit.spec} has {sum(unit.width)} operand bits"
            )
        return wide_facts(unit, _measured(unit, exhaustive, seed))
    if exhaustive is False:
        raise SpecError(f"{unit.spec} is narrow enough for all its pairs; --sampled is for wider units")
    found = facts(unit, operands_of(unit, layer, data, coding, histograms)) | {"contradictions": contradictions(unit, claims, name)}
    if picture is not None:
        from inexact.report.passport import picture as drawn  # an image library comes with it

        error = unit.table().astype(np.int64) - unit.exact_table()
        write_text(picture, drawn(unit.spec, error, signed=unit.signed))
    return found


def _measured(unit: Multiplier | Adder, exhaustive: bool | None, seed: int) -> Any:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"all pairs of {unit.spec}" if exhaustive else f"pairs of {unit.spec}", total=None)
        return wide_profile(
            unit, exhaustive=exhaustive, seed=seed, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
