"""What `inexact unit import` does with a file: read, judge, write, report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from inexact.cli._passport import passport
from inexact.core.errors import OutputError
from inexact.importers import Statement, import_unit
from inexact.units.table import TableUnit


def imported(
    source: str,
    out: str | None,
    *,
    width: str | None,
    signed: bool | None,
    first: str | None,
    index: Any,
    trust: bool,
    limit_s: float,
    claims: Sequence[str] = (),
) -> dict[str, Any]:
    """Import `source`, write the unit to `out`, and return what `unit import --json` prints."""
    found = import_unit(source, Statement(width=_widths(width), signed=signed, first=first, index=index), trust=trust, limit_s=limit_s)
    origin = Path(re.sub(r":\w+$", "", source))
    called = source.rpartition(":")[2] if origin.suffix == ".npz" and str(origin) != source else origin.stem
    suffix = ".npy" if isinstance(found.unit, TableUnit) else ".blif"
    target = Path(out) if out else Path(f"{called}{suffix}")
    target = target if target.suffix == suffix else target.with_name(f"{target.name}{suffix}")
    if not out and _same_file(target, origin):
        target = Path(f"{called}.unit{suffix}")
    if _same_file(target, origin):
        raise OutputError(f"the unit must not replace the file it came from ({origin}); name another with --out")
    unit = found.unit.save(target)
    return {
        "path": str(target),
        "assumptions": list(found.assumptions),
        "unit": passport(unit, claims=claims, name=called),
    }


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _widths(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if match is None:
        raise click.BadParameter(f"must be bits such as 8 or 8x4, not {text!r}", param_hint="--width")
    return int(match[1]), int(match[2] or match[1])
