"""Physical constants with source and spread, and arithmetic on (value, low, high) triples."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from inexact.core.errors import HardwareError, near
from inexact.core.estimate import Estimate

Triple = tuple[float, float, float]
"""A quantity at the nominal constants, at their low ends and at their high ends."""

ZERO: Triple = (0.0, 0.0, 0.0)


def scaled(triple: Triple, factor: float) -> Triple:
    """`triple` times a plain number that is not negative."""
    return triple[0] * factor, triple[1] * factor, triple[2] * factor


def total(triples: Iterable[Triple]) -> Triple:
    """Sum, end by end: all constants low together, all high together."""
    value = low = high = 0.0
    for triple in triples:
        value += triple[0]
        low += triple[1]
        high += triple[2]
    return value, low, high


def product(first: Triple, second: Triple) -> Triple:
    """Product of two quantities whose constants are at the same end."""
    return first[0] * second[0], first[1] * second[1], first[2] * second[2]


@dataclass(frozen=True, kw_only=True)
class Constant:
    """One published number. low, high: the other ends in print; equal to `value` where only one source is known."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    node: str | None

    @property
    def triple(self) -> Triple:
        """(value, low, high)."""
        return self.value, self.low, self.high

    def estimate(self) -> Estimate:
        """The constant as an Estimate; spread is None where sources do not disagree."""
        spread = (self.low, self.high) if self.low != self.high else None
        return Estimate(value=self.value, unit=self.unit, source=self.source, node=self.node, spread=spread)


@dataclass(frozen=True, kw_only=True)
class Sram:
    """One on-chip memory. Energies per bit in pJ (a 64-bit access over 64), area in um2, leakage in uW, latency in ns."""

    kib: float
    read: Triple
    write: Triple
    area_um2: float
    leakage_uw: float
    latency_ns: float


@dataclass(frozen=True, kw_only=True)
class RegisterFile:
    """Small memories inside a PE. bits: sizes; bit_pj: energy of one bit, read or written."""

    bits: tuple[float, ...]
    bit_pj: tuple[float, ...]
    source: str

    def access(self, bits: float) -> float:
        """pJ a bit of a memory of so many bits, interpolated log-log; outside the table as at its nearer end."""
        return _interpolate(max(bits, self.bits[0]), self.bits, self.bit_pj)


SRAM_COLUMNS = ("kib", "read_pj", "write_pj", "latency_ns", "area_um2", "leakage_uw")
CONSTANTS = (
    "multiplier_energy",
    "multiplier_area",
    "multiplier_delay",
    "multiplier_leakage",
    "adder_energy",
    "adder_area",
    "adder_delay",
    "adder_leakage",
    "register_energy",
    "register_area",
    "float_multiply_energy",
    "float_add_energy",
    "cache_energy",
    "requantise_energy",
    "dram_energy",
    "sram_spread",
    "xor_ratio",
    "mux_ratio",
    "and_ratio",
    "nominal_voltage",
    "threshold_voltage",
    "delay_exponent",
)


@dataclass(frozen=True, kw_only=True)
class Technology:
    """Constants of one node. constants: by name, in the order of `CONSTANTS`. sram: columns of the memory table."""

    node: str
    constants: Mapping[str, Constant]
    sram: Mapping[str, tuple[float, ...]]
    sram_source: str
    register_file: RegisterFile

    def __getitem__(self, name: str) -> Constant:
        return self.constants[name]

    def memory(self, kib: float) -> Sram:
        """A memory of `kib` KiB, interpolated log-log between the rows of the table; HardwareError outside it."""
        sizes = self.sram["kib"]
        if not sizes[0] <= kib <= sizes[-1]:
            raise HardwareError(
                f"a buffer must hold {sizes[0]:g}..{sizes[-1]:g} KiB (the {self.node} memory table), not {kib:g}; change its size"
            )
        row = {name: _interpolate(kib, sizes, column) for name, column in self.sram.items()}
        spread = self["sram_spread"].triple
        return Sram(
            kib=kib,
            read=scaled(spread, row["read_pj"] / 64),
            write=scaled(spread, row["write_pj"] / 64),
            area_um2=row["area_um2"],
            leakage_uw=row["leakage_uw"],
            latency_ns=row["latency_ns"],
        )


def _interpolate(size: float, sizes: tuple[float, ...], column: tuple[float, ...]) -> float:
    for (left, below), (right, above) in pairwise(zip(sizes, column, strict=True)):
        if size <= right:
            share = math.log(size / left) / math.log(right / left)
            return float(below * (above / below) ** share)
    return column[-1]


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The content of a TOML file; HardwareError with the reason when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HardwareError(f"{what} {path} must be a readable file: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HardwareError(f"{what} {path} must be TOML: {error}") from error


def shipped(folder: str) -> dict[str, Path]:
    """Name -> file of the TOML tables the package carries in `folder`."""
    root = Path(str(resources.files("inexact.hardware"))) / folder
    return {path.stem: path for path in sorted(root.glob("*.toml"))}


def technology(name_or_path: str) -> Technology:
    """The technology table of that name ("45nm") or in that file. Raises HardwareError for unknown names and bad tables."""
    known = shipped("technology")
    if name_or_path not in known and not name_or_path.endswith(".toml"):
        raise HardwareError(
            f"no technology is called {name_or_path!r}{near(name_or_path, known)} Known: {', '.join(known)}; or give a .toml file"
        )
    path = known.get(name_or_path, Path(name_or_path))
    return _technology(read_toml(path, "technology table"), path.name)


def _technology(raw: dict[str, Any], file: str) -> Technology:
    allowed = {"node", "sram", "register_file", *CONSTANTS}
    for key in raw:
        if key not in allowed:
            raise HardwareError(f"{file} has an unknown entry {key!r}{near(key, allowed)}")
    missing = [key for key in ("node", "sram", "register_file", *CONSTANTS) if key not in raw]
    if missing:
        raise HardwareError(f"{file} must give {', '.join(missing)}; see the 45nm table for units")
    return Technology(
        node=str(raw["node"]),
        constants={name: _constant(name, raw[name], str(raw["node"]), file) for name in CONSTANTS},
        sram=_sram(raw["sram"], file),
        sram_source=str(raw["sram"].get("source", f"declared in {file}")),
        register_file=_register_file(raw["register_file"], file),
    )


def _register_file(raw: object, file: str) -> RegisterFile:
    table = _columns("register_file", raw, ("bits", "access_pj"), file)
    assert isinstance(raw, dict)
    source = str(raw.get("source", f"declared in {file}"))
    return RegisterFile(bits=table["bits"], bit_pj=tuple(energy / 16 for energy in table["access_pj"]), source=source)


def _constant(name: str, raw: object, node: str, file: str) -> Constant:
    if not isinstance(raw, dict) or not _positive(raw.get("value")) or not isinstance(raw.get("source"), str) or "unit" not in raw:
        raise HardwareError(f"{name} in {file} must be a table with value > 0, unit and source, not {raw!r}")
    value = float(raw["value"])
    low, high = raw.get("low", value), raw.get("high", value)
    if not _positive(low) or not _positive(high) or not low <= value <= high:
        raise HardwareError(f"{name} in {file} must satisfy 0 < low <= value <= high, not low={low!r}, value={value!r}, high={high!r}")
    source = raw["source"] + (f"; {raw['spread_source']}" if "spread_source" in raw else "")
    return Constant(name=name, value=value, low=float(low), high=float(high), unit=str(raw["unit"]), source=source, node=node)


def _sram(raw: object, file: str) -> dict[str, tuple[float, ...]]:
    return _columns("sram", raw, SRAM_COLUMNS, file)


def _columns(name: str, raw: object, wanted: tuple[str, ...], file: str) -> dict[str, tuple[float, ...]]:
    """Equally long columns of positive numbers, the first in rising order."""
    columns = {column: raw.get(column) for column in wanted} if isinstance(raw, dict) else {}
    lengths = {len(column) for column in columns.values() if isinstance(column, list)}
    if not columns or not all(isinstance(column, list) and all(map(_positive, column)) for column in columns.values()) or len(lengths) != 1:
        raise HardwareError(f"{name} in {file} must give equally long lists of positive numbers for {', '.join(wanted)}")
    table = {column: tuple(float(v) for v in values) for column, values in columns.items() if values is not None}
    first = table[wanted[0]]
    if len(first) < 2 or any(left >= right for left, right in pairwise(first)):
        raise HardwareError(f"{name}.{wanted[0]} in {file} must hold at least two sizes in rising order, not {list(first)}")
    return table


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf
