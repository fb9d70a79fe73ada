"""An accelerator as a TOML file: reading, checking, and the presets of the package."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inexact.core.errors import HardwareError, near
from inexact.hardware._constants import Constant, Technology, read_toml, shipped, technology
from inexact.hardware._mapping import DATAFLOWS

INTEGERS = {"array.rows": "PE", "array.columns": "PE", "postprocess.lanes": "outputs/cycle", "float_unit.lanes": "MAC/cycle"}
REALS = {
    "array.clock_mhz": "MHz",
    "buffers.activation_kib": "KiB",
    "buffers.weight_kib": "KiB",
    "buffers.accumulator_kib": "KiB",
    "dram.bandwidth_gb_s": "GB/s",
}
NUMBERS = INTEGERS | REALS
WORDS = ("name", "technology", "dataflows")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a TOML file says about an accelerator. numbers: "array.rows" and so on, see `NUMBERS`, each with unit and source."""

    name: str
    summary: str
    technology: Technology
    dataflows: tuple[str, ...]
    numbers: dict[str, Constant]


def presets() -> dict[str, Path]:
    """Name -> TOML file of the accelerators the package carries."""
    return shipped("presets")


def describe(name_or_path: str | Path) -> Description:
    """Read a preset by name, or a TOML file by path.

    Raises HardwareError for unknown names, unreadable files, missing, unknown, negative or non-numeric entries.
    """
    known = presets()
    text = str(name_or_path)
    if text not in known and not text.endswith(".toml"):
        raise HardwareError(f"no accelerator is called {text!r}{near(text, known)} Known: {', '.join(known)}; or give a .toml file")
    path = known.get(text, Path(text))
    return _description(read_toml(path, "accelerator"), path)


def _description(raw: dict[str, Any], path: Path) -> Description:
    _check_keys(raw, path.name)
    for word in WORDS:
        if word not in raw:
            raise HardwareError(f"{path.name} must give {word}; the preset edge-16x16 shows every entry")
    numbers = {name: _number(name, raw, path.name) for name in NUMBERS}
    return Description(
        name=str(raw["name"]),
        summary=str(raw.get("description", "")),
        technology=_technology(str(raw["technology"]), path),
        dataflows=_dataflows(raw["dataflows"], path.name),
        numbers=numbers,
    )


def _technology(name: str, path: Path) -> Technology:
    """A technology file is looked for beside the accelerator's file."""
    return technology(str(path.parent / name) if name.endswith(".toml") else name)


def _check_keys(raw: dict[str, Any], file: str) -> None:
    sections = {name.partition(".")[0] for name in NUMBERS}
    allowed = {*sections, *WORDS, "description"}
    for key, value in raw.items():
        if key not in allowed:
            raise HardwareError(f"{file} has an unknown entry {key!r}{near(key, allowed)}")
        if key in sections:
            entries = {name.partition(".")[2] for name in NUMBERS if name.startswith(f"{key}.")}
            if not isinstance(value, dict):
                raise HardwareError(f"{key} in {file} must be a table with {', '.join(sorted(entries))}, not {value!r}")
            for entry in value:
                if entry not in entries:
                    raise HardwareError(f"{file} has an unknown entry {key + '.' + entry!r}{near(entry, entries)}")


def _number(name: str, raw: dict[str, Any], file: str) -> Constant:
    section, _, entry = name.partition(".")
    found = raw.get(section, {}).get(entry)
    if found is None:
        raise HardwareError(f"{file} must give {name} in {NUMBERS[name]}; the preset edge-16x16 shows every entry")
    table = found if isinstance(found, dict) else {"value": found}
    value, unit = table.get("value"), table.get("unit", NUMBERS[name])
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise HardwareError(f"{name} in {file} must be a positive number of {NUMBERS[name]}, not {value!r}")
    if name in INTEGERS and value != int(value):
        raise HardwareError(f"{name} in {file} must be a whole number, not {value!r}")
    if unit != NUMBERS[name]:
        raise HardwareError(f"{name} in {file} must be given in {NUMBERS[name]}, not {unit!r}")
    source = str(table.get("source", f"declared in {file}"))
    return Constant(name=name, value=float(value), low=float(value), high=float(value), unit=unit, source=source, node=None)


def _dataflows(raw: object, file: str) -> tuple[str, ...]:
    names = [raw] if isinstance(raw, str) else raw
    if not isinstance(names, list) or not names:
        raise HardwareError(f"dataflows in {file} must be one of {', '.join(DATAFLOWS)} or a list of them, not {raw!r}")
    for name in names:
        if name not in DATAFLOWS:
            raise HardwareError(f"dataflow must be one of {', '.join(DATAFLOWS)}, not {name!r}{near(str(name), DATAFLOWS)}")
    return tuple(dict.fromkeys(names))
