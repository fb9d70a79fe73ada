"""The priced catalogue: hundreds of units with error metrics and silicon figures, made once and shipped."""

from __future__ import annotations

import functools
import itertools
import json
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, final

from inexact.core.errors import SpecError

if TYPE_CHECKING:
    from inexact.units._base import Adder, Multiplier

FILE = "catalogue.sqlite"
"""Beside this module; made by scripts/build_catalogue."""

FIGURES = ("area_um2", "delay_ns", "energy_pj", "settled_energy_pj", "leakage_nw")

PE_ACCUMULATOR_BITS = 32
"""Width of the sums of the processing elements the catalogue holds figures of."""


REGIMES: dict[str, tuple[str, int | None]] = {
    "uniform": ("uniform", None),
    "network": ("network", None),
    "network_a_held": ("network", 0),
    "network_b_held": ("network", 1),
}
"""Regime of activity -> (which operands, place of the operand that stays while a sum is formed).

uniform: every code equally often. network: as the layers of trained networks multiply them, see `network_operands`. Held: what a dataflow
keeps in the PE, the activation (input stationary) or the weight (weight stationary).
"""


@final
@dataclass(frozen=True, kw_only=True)
class Activity:
    """Energies in pJ per multiply-accumulate, with glitches: of the whole element, of its flip-flops, of the multiplier alone."""

    energy_pj: float
    register_energy_pj: float
    multiplier_energy_pj: float


@final
@dataclass(frozen=True, kw_only=True)
class Element:
    """A processing element around a multiplier: the unit, an exact ripple-carry adder, registers for both operands and a 32-bit sum.

    Synthesised as one netlist, under the catalogue's conditions. area_um2; delay_ns: clock to clock; leakage_nw; activity: by regime.
    """

    area_um2: float
    delay_ns: float
    leakage_nw: float
    activity: dict[str, Activity]


@final
@dataclass(frozen=True, kw_only=True)
class Entry:
    """One unit. metrics: by name, uniform operands (of a wide unit with what `unit show` gives it). silicon: by name in `FIGURES`.

    energy_interval: 95 % of energy_pj. sha256: of the table, None for wide units. circuit: SHA-256 of the netlist. cells: by library
    name. kind: "multiplier" or "adder".
    """

    spec: str
    kind: str
    family: str
    width: tuple[int, int]
    signed: bool
    sha256: str | None
    circuit: str
    metrics: dict[str, Any]
    silicon: dict[str, float]
    energy_interval: tuple[float, float]
    cells: dict[str, int]


@final
@dataclass(frozen=True, kw_only=True)
class Other:
    """Silicon of a non-linear unit or a multiplier of small floats. kind: "function" or "float_multiplier". form: what of the unit the
    netlist is, empty where it is simply the unit. The rest as in `Entry`.
    """

    spec: str
    kind: str
    form: str
    circuit: str
    silicon: dict[str, float]
    energy_interval: tuple[float, float]
    cells: dict[str, int]


def planned() -> Iterator[Multiplier | Adder]:
    """The units the catalogue is to hold, in order: the combinations of `catalogue.toml` that exist and have a netlist."""
    from inexact.units._base import adders, multipliers
    from inexact.units.evolved import Evolved

    text = resources.files("inexact.units").joinpath("catalogue.toml").read_text(encoding="utf-8")
    for kind, blocks in tomllib.loads(text).items():
        family = multipliers if kind == "multiplier" else adders
        seen: set[str] = set()
        for block in blocks:
            names = [name for name in block if name != "family"]
            choices = [Evolved.names() if block[name] == ["*"] else block[name] for name in names]
            for values in itertools.product(*choices):
                given = {name: tuple(value) if isinstance(value, list) else value for name, value in zip(names, values, strict=True)}
                try:
                    unit: Multiplier | Adder = family[block["family"]](**given)
                    has_netlist = unit.circuit() is not None
                except SpecError:
                    continue
                if has_netlist and unit.spec not in seen:
                    seen.add(unit.spec)
                    yield unit


@functools.lru_cache(maxsize=1)
def conditions() -> dict[str, str]:
    """What the silicon figures hold under: library, corner, recipe, tool, operands, activity, surroundings; empty without a catalogue."""
    return dict(_rows("SELECT name, value FROM conditions"))


@functools.lru_cache(maxsize=1)
def entries() -> dict[str, Entry]:
    """Every entry by spec, in the catalogue's order; empty when the file is missing."""
    columns = "spec, kind, family, width_a, width_b, signed, sha256, circuit, metrics, cells, energy_low, energy_high, " + ", ".join(
        FIGURES
    )
    return {row[0]: _entry(row) for row in _rows(f"SELECT {columns} FROM unit ORDER BY place")}


@functools.lru_cache(maxsize=1)
def others() -> dict[str, Other]:
    """Silicon of the samples of functions and of multipliers of floats, by spec; empty when the file is missing."""
    found = _rows(f"SELECT spec, kind, form, circuit, cells, energy_low, energy_high, {', '.join(FIGURES)} FROM other")
    return {
        spec: Other(
            spec=spec,
            kind=kind,
            form=form,
            circuit=circuit,
            silicon=dict(zip(FIGURES, figures, strict=True)),
            energy_interval=(low, high),
            cells=json.loads(cells),
        )
        for spec, kind, form, circuit, cells, low, high, *figures in found
    }


@functools.lru_cache(maxsize=1)
def elements() -> dict[tuple[str, bool], Element]:
    """The processing element of every multiplier of at most 16 operand bits, by (spec, signs); empty without a catalogue.

    signs: an unsigned multiplier of magnitudes, with a sign beside its second operand that inverts the product (sign-magnitude coding).
    """
    activity: dict[tuple[str, int], dict[str, Activity]] = {}
    for spec, signs, regime, whole, flops, unit in _rows(
        "SELECT spec, signs, regime, energy_pj, register_energy_pj, multiplier_energy_pj FROM activity"
    ):
        found = Activity(energy_pj=whole, register_energy_pj=flops, multiplier_energy_pj=unit)
        activity.setdefault((spec, signs), {})[regime] = found
    return {
        (spec, bool(signs)): Element(area_um2=area, delay_ns=delay, leakage_nw=leakage, activity=activity[spec, signs])
        for spec, signs, area, delay, leakage in _rows("SELECT spec, signs, area_um2, delay_ns, leakage_nw FROM pe")
    }


@functools.lru_cache(maxsize=256)
def network_operands(coding: str, width: tuple[int, int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shares of the bit patterns of (a, b) in trained networks, for `width` bits; b holds magnitudes under "sign_magnitude".

    Eight-bit histograms, their bins put together or divided evenly for other widths (`scripts/build_operands`).
    """
    held = json.loads(resources.files("inexact.units").joinpath("operands.json").read_text(encoding="utf-8"))["codings"][coding]
    signed = coding == "signed"
    return _rebinned(held["a"], width[0], signed=signed), _rebinned(held["b"], width[1], signed=signed)


def _rebinned(share: list[float], bits: int, *, signed: bool) -> tuple[float, ...]:
    half = len(share) // 2
    rising = share[half:] + share[:half] if signed else share
    size = 1 << bits
    if size <= len(share):
        step = len(share) // size
        rising = [sum(rising[place : place + step]) for place in range(0, len(share), step)]
    else:
        step = size // len(share)
        rising = [value / step for value in rising for _ in range(step)]
    middle = size // 2
    return tuple(rising[middle:] + rising[:middle] if signed else rising)


def _entry(row: tuple[Any, ...]) -> Entry:
    spec, kind, family, width_a, width_b, signed, sha, circuit, metrics, cells, low, high, *figures = row
    return Entry(
        spec=spec,
        kind=kind,
        family=family,
        width=(width_a, width_b),
        signed=bool(signed),
        sha256=sha,
        circuit=circuit,
        metrics=json.loads(metrics),
        silicon=dict(zip(FIGURES, figures, strict=True)),
        energy_interval=(low, high),
        cells=json.loads(cells),
    )


def _rows(query: str) -> list[tuple[Any, ...]]:
    with resources.as_file(resources.files("inexact.units").joinpath(FILE)) as path:
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as base:
            return base.execute(query).fetchall()
