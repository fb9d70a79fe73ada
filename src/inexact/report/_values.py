"""Reading numbers out of a result, and writing them for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from inexact.core.estimate import Estimate

Json = Mapping[str, Any]
"""A JSON object as it comes from a study's result."""

MINUS = "\u2212"
DASH = "\u2013"
THIN = "\u202f"

_ENERGY_STEPS = ((1e12, "J"), (1e9, "mJ"), (1e6, "\u00b5J"), (1e3, "nJ"), (1.0, "pJ"))


def finite(raw: object) -> float | None:
    """`raw` as a float when it is a finite number (not a bool), else None."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        return None
    value = float(raw)
    return value if math.isfinite(value) else None


def estimate(raw: object, *, unit: str = "") -> Estimate | None:
    """A plain number or an `Estimate.to_json()` object as an `Estimate`; None when there is no finite value."""
    if not isinstance(raw, Mapping):
        value = finite(raw)
        return None if value is None else Estimate(value=value, unit=unit, source="")
    value = finite(raw.get("value"))
    if value is None:
        return None
    return Estimate(
        value=value,
        unit=str(raw.get("unit") or unit),
        source=str(raw.get("source") or ""),
        node=None if raw.get("node") is None else str(raw["node"]),
        spread=pair(raw.get("spread")),
        verified=bool(raw.get("verified", True)),
    )


def percent(raw: object) -> Estimate | None:
    """A saving or share in percent; an estimate whose unit is "1" is scaled by 100, a plain number is percent already."""
    found = estimate(raw, unit="%")
    if found is None or found.unit not in ("1", ""):
        return found
    spread = (found.spread[0] * 100, found.spread[1] * 100) if found.spread else None
    return Estimate(value=found.value * 100, unit="%", source=found.source, node=found.node, spread=spread, verified=found.verified)


def pair(raw: object) -> tuple[float, float] | None:
    """Two finite numbers (an interval), else None."""
    if isinstance(raw, str) or not isinstance(raw, Sequence) or len(raw) != 2:
        return None
    low, high = finite(raw[0]), finite(raw[1])
    return None if low is None or high is None else (low, high)


def mapping(raw: object) -> Json:
    """`raw` when it is an object, else an empty one, so that missing parts need no special case."""
    return raw if isinstance(raw, Mapping) else {}


def rows(raw: object) -> list[Json]:
    """The objects of a list; empty when `raw` is no list."""
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        return []
    return [row for row in raw if isinstance(row, Mapping)]


def text(raw: object, otherwise: str = DASH) -> str:
    """`raw` as HTML-escaped text; `otherwise` when it is missing or empty. Numbers are rounded to 4 digits."""
    if raw is None or raw == "":
        return otherwise
    if isinstance(raw, float):
        return number(raw, 4)
    return escape(str(raw))


def number(value: float | None, digits: int = 3) -> str:
    """`digits` significant digits, thousands apart by thin spaces, a true minus sign; a dash for None."""
    if value is None:
        return DASH
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -4:
        mantissa = value / 10.0**exponent
        return f"{fixed(mantissa, max(0, digits - 1), trim=True)}\u00b710{superscript(exponent)}"
    return fixed(value, max(0, digits - 1 - exponent), trim=True)


def superscript(exponent: int) -> str:
    """An integer in superscript figures."""
    return str(exponent).translate(str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"))


def fixed(value: float | None, decimals: int, *, trim: bool = False) -> str:
    """`decimals` digits after the point, thin spaces between thousands, a true minus sign; a dash for None."""
    if value is None:
        return DASH
    written = f"{value:,.{decimals}f}"
    if trim and "." in written:
        written = written.rstrip("0").rstrip(".")
    if not written.strip("-0.,"):
        written = written.lstrip("-")
    return written.replace(",", THIN).replace("-", MINUS)


def interval(raw: object, decimals: int = 2) -> str:
    """`[low, high]`, or an empty string when there is none."""
    found = raw if isinstance(raw, tuple) else pair(raw)
    return f"[{fixed(found[0], decimals)}, {fixed(found[1], decimals)}]" if found else ""


def with_interval(value: object, bounds: object, decimals: int = 2) -> str:
    """`value [low, high]`; the value alone when there are no bounds; a dash when there is no value."""
    return " ".join(part for part in (fixed(finite(value), decimals), interval(bounds, decimals)) if part)


def energy(picojoule: float | None, like: float | None = None) -> str:
    """Energy with the prefix that suits `like` (default: the value itself), three digits."""
    if picojoule is None:
        return DASH
    scale, unit = energy_scale(picojoule if like is None else like)
    return f"{number(picojoule / scale)}{THIN}{unit}"


def energy_scale(picojoule: float) -> tuple[float, str]:
    """(picojoules per unit, unit) that writes `picojoule` as 1 to 999."""
    return next(((scale, unit) for scale, unit in _ENERGY_STEPS if abs(picojoule) >= scale), _ENERGY_STEPS[-1])


def points(value: float | None) -> str:
    """An accuracy difference with its unit: "1 point", "0.5 points"."""
    return f"{number(value)} point{'' if value == 1 else 's'}"


def head(*names: str) -> str:
    """Cells of a table's head; a leading `#` marks a column of numbers, which is set flush right. Names are HTML."""
    return "".join(f'<th class="n">{name[1:]}</th>' if name.startswith("#") else f"<th>{name}</th>" for name in names)


def table(heading: str, body: str, name: str, *, css: str = "", foot: str = "") -> str:
    """A table in a region that scrolls sideways on its own and can be reached by keyboard."""
    inner = f'<table class="{css}"><thead><tr>{heading}</tr></thead><tbody>{body}</tbody>{foot}</table>'
    return f'<div class="scroll" role="region" aria-label="{escape(name)}" tabindex="0">{inner}</div>'


def fold(summary: str, content: str) -> str:
    """Content that is closed until asked for. Both are HTML."""
    return f'<details class="fold"><summary>{summary}</summary>{content}</details>'
