"""An accelerator as a TOML file: reading, checking, and the presets of the package."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inexact.core.errors import HardwareError, InexactError, near
from inexact.hardware._constants import Constant, Technology, read_toml, shipped, technology

DATAFLOWS = ("weight_stationary", "output_stationary", "input_stationary", "row_stationary")
ROLES = ("inputs", "weights", "sums", "outputs")
"""What a memory can hold: activations that enter a layer, weights, partial sums, activations that leave it."""

STYLES = {
    "parallel": "one multiplication a cycle",
    "serial_activations": "one activation bit a cycle against a whole weight, as Stripes",
    "serial": "one bit of either operand a cycle, as Loom",
    "passes": "a narrow multiplier that takes wider operands digit by digit, as OLAccel and DRQ",
    "subword": "a 16x16 multiplier that splits into two 8x8 or four 4x4 ones, as DVAFS",
    "composable": "an 8x8 multiplier of 2x2 bricks that splits into narrower ones, as Bit Fusion",
}
"""Kinds of processing elements."""

OBJECTIVES = ("energy", "latency", "edp")
GATINGS = ("none", "zero")
SHARINGS = ("selected", "tiles")
ACTIVATIONS = ("keep", "dram")
OPERANDS = ("network", "uniform")

WORDS: dict[str, tuple[str, ...]] = {
    "mapping": OBJECTIVES,
    "activations": ACTIVATIONS,
    "pe.style": tuple(STYLES),
    "pe.gating": GATINGS,
    "pe.units": SHARINGS,
    "pe.operands": OPERANDS,
}
"""Optional words and what they may be, the default first."""

INTEGERS = {"array.rows": "PE", "array.columns": "PE", "postprocess.lanes": "outputs/cycle", "float_unit.lanes": "MAC/cycle"}
REALS = {"array.clock_mhz": "MHz", "dram.bandwidth_gb_s": "GB/s"}
NUMBERS = INTEGERS | REALS
"""What every description gives."""

OPTIONAL = {
    "array.voltage_v": "V",
    "pe.operand_bits": "bit",
    "pe.accumulator_bits": "bit",
    "pe.narrow_bits": "bit",
    "pe.outlier_units": "units",
    "spads.input_words": "words",
    "spads.weight_words": "words",
    "spads.sum_words": "words",
    "spads.shared_words": "words",
    "control.share": "1",
    "dram.energy_pj_bit": "pJ/bit",
}
"""What a description may give."""

MEMORY = {
    "kib": "KiB",
    "banks": "banks",
    "width_bits": "bit",
    "ports": "ports",
    "read_pj_bit": "pJ/bit",
    "write_pj_bit": "pJ/bit",
    "area_um2": "um2",
    "leakage_uw": "uW",
}
"""What a memory gives: its size, and in place of the technology table's energies, area and leakage its own."""
WHOLE = {*INTEGERS, *(name for name in OPTIONAL if name.startswith(("pe.", "spads."))), "banks", "width_bits", "ports"}
HINT = "the preset edge-16x16 shows every entry"
BEGIN = "begin with what inexact accelerator show edge-16x16 --toml prints"


@dataclass(frozen=True, kw_only=True)
class MemoryDescription:
    """One on-chip memory of a description. numbers: as `MEMORY`. holds: some of `ROLES`."""

    name: str
    holds: tuple[str, ...]
    numbers: dict[str, Constant]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a TOML file says about an accelerator. numbers: "array.rows" and so on, see `NUMBERS` and `OPTIONAL`. words: see `WORDS`.

    multiplier: spec of the unit of the exact design; None = the exact unit of each layer's coding.
    """

    name: str
    summary: str
    source: str
    technology: Technology
    dataflows: tuple[str, ...]
    numbers: dict[str, Constant]
    words: dict[str, str]
    memories: tuple[MemoryDescription, ...]
    multiplier: str | None


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
        if Path(text).is_file():
            raise HardwareError(f"an accelerator must be described in a .toml file, which {text} is not; {BEGIN}")
        raise HardwareError(f"no accelerator is called {text!r}{near(text, known)} Known: {', '.join(known)}; or give a .toml file")
    path = known.get(text, Path(text))
    return _description(read_toml(path, "accelerator"), path)


def _description(raw: dict[str, Any], path: Path) -> Description:
    _check_keys(raw, path.name)
    for word in ("name", "technology", "dataflows", "memories"):
        if word not in raw:
            raise HardwareError(f"{path.name} must give {word}; {HINT}")
    numbers = {name: _number(name, raw, NUMBERS[name], path.name) for name in NUMBERS}
    numbers |= {name: _number(name, raw, unit, path.name) for name, unit in OPTIONAL.items() if _given(name, raw) is not None}
    return Description(
        name=str(raw["name"]),
        summary=str(raw.get("description", "")),
        source=str(raw.get("source", f"declared in {path.name}")),
        technology=_technology(str(raw["technology"]), path),
        dataflows=_dataflows(raw["dataflows"], numbers, path.name),
        numbers=numbers,
        words={name: _word(name, raw, path.name) for name in WORDS},
        memories=_memories(raw["memories"], path.name),
        multiplier=_multiplier(raw, path.name),
    )


def _technology(name: str, path: Path) -> Technology:
    """A technology file is looked for beside the accelerator's file."""
    return technology(str(path.parent / name) if name.endswith(".toml") else name)


def _check_keys(raw: dict[str, Any], file: str) -> None:
    entries = [*NUMBERS, *OPTIONAL, *(name for name in WORDS if "." in name), "pe.multiplier"]
    sections: dict[str, set[str]] = {}
    for name in entries:
        section, _, entry = name.partition(".")
        sections.setdefault(section, set()).add(entry)
    plain = {"name", "description", "source", "technology", "dataflows", "memories", *(name for name in WORDS if "." not in name)}
    for key, value in raw.items():
        if key not in plain and key not in sections:
            hint = near(key, {*plain, *sections})
            raise HardwareError(f"{file} has an unknown entry {key!r}{f'; {BEGIN}' if hint == '.' else hint}")
        if key in sections:
            if not isinstance(value, dict):
                raise HardwareError(f"{key} in {file} must be a table with {', '.join(sorted(sections[key]))}, not {value!r}")
            for entry in value:
                if entry not in sections[key]:
                    raise HardwareError(f"{file} has an unknown entry {key + '.' + entry!r}{near(entry, sections[key])}")


def _given(name: str, raw: Mapping[str, Any]) -> Any:
    section, _, entry = name.partition(".")
    return raw.get(section, {}).get(entry) if entry else raw.get(section)


def _number(name: str, raw: Mapping[str, Any], wanted: str, file: str) -> Constant:
    found = _given(name, raw)
    if found is None:
        raise HardwareError(f"{file} must give {name} in {wanted}; {HINT}")
    return _constant(name, found, wanted, file, whole=name in WHOLE)


def _constant(name: str, found: Any, wanted: str, file: str, *, whole: bool) -> Constant:
    table = found if isinstance(found, dict) else {"value": found}
    for entry in table:
        if entry not in {"value", "unit", "source"}:
            raise HardwareError(f"{name} in {file} has an unknown entry {entry!r}{near(entry, ('value', 'unit', 'source'))}")
    value, unit = table.get("value"), table.get("unit", wanted)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise HardwareError(f"{name} in {file} must be a positive number of {wanted}, not {value!r}")
    if whole and value != int(value):
        raise HardwareError(f"{name} in {file} must be a whole number, not {value!r}")
    if unit != wanted:
        raise HardwareError(f"{name} in {file} must be given in {wanted}, not {unit!r}")
    source = str(table.get("source", f"declared in {file}"))
    return Constant(name=name, value=float(value), low=float(value), high=float(value), unit=unit, source=source, node=None)


def _word(name: str, raw: Mapping[str, Any], file: str) -> str:
    known, found = WORDS[name], _given(name, raw)
    if found is None:
        return known[0]
    if found not in known:
        raise HardwareError(f"{name} in {file} must be one of {', '.join(known)}, not {found!r}{near(str(found), known)}")
    return str(found)


def _dataflows(raw: object, numbers: Mapping[str, Constant], file: str) -> tuple[str, ...]:
    names = [raw] if isinstance(raw, str) else raw
    if not isinstance(names, list) or not names:
        raise HardwareError(f"dataflows in {file} must be one of {', '.join(DATAFLOWS)} or a list of them, not {raw!r}")
    for name in names:
        if name not in DATAFLOWS:
            raise HardwareError(f"dataflow must be one of {', '.join(DATAFLOWS)}, not {name!r}{near(str(name), DATAFLOWS)}")
    if "row_stationary" in names:
        split = all(f"spads.{role}_words" in numbers for role in ("input", "weight", "sum"))
        if not split and "spads.shared_words" not in numbers:
            raise HardwareError(
                f"row_stationary in {file} needs scratchpads: give spads.input_words, weight_words and sum_words, or shared_words"
            )
    return tuple(dict.fromkeys(names))


def _memories(raw: object, file: str) -> tuple[MemoryDescription, ...]:
    if not isinstance(raw, dict) or not raw or not all(isinstance(found, dict) for found in raw.values()):
        raise HardwareError(f"memories in {file} must be tables [memories.NAME] with kib and holds, not {raw!r}; {HINT}")
    memories = tuple(_memory(name, found, file) for name, found in raw.items())
    held = [role for memory in memories for role in memory.holds]
    for role in ROLES:
        if held.count(role) > 1:
            raise HardwareError(f"{role} must have one home, but several memories in {file} hold them; leave all but one")
        if role != "weights" and role not in held:
            raise HardwareError(f"some memory in {file} must hold {role}: only weights may come straight from the DRAM")
    return memories


def _memory(name: str, raw: dict[str, Any], file: str) -> MemoryDescription:
    where = f"memories.{name}"
    for entry in raw:
        if entry not in {*MEMORY, "holds"}:
            raise HardwareError(f"{file} has an unknown entry {where + '.' + entry!r}{near(entry, [*MEMORY, 'holds'])}")
    for entry in ("kib", "holds"):
        if entry not in raw:
            raise HardwareError(f"{file} must give {where}.{entry}; {HINT}")
    holds = [raw["holds"]] if isinstance(raw["holds"], str) else raw["holds"]
    if not isinstance(holds, list) or not holds or any(role not in ROLES for role in holds):
        raise HardwareError(f"{where}.holds in {file} must list some of {', '.join(ROLES)}, not {raw['holds']!r}")
    numbers = {
        entry: _constant(f"{where}.{entry}", raw[entry], unit, file, whole=entry in WHOLE) for entry, unit in MEMORY.items() if entry in raw
    }
    return MemoryDescription(name=name, holds=tuple(holds), numbers=numbers)


def _multiplier(raw: Mapping[str, Any], file: str) -> str | None:
    from inexact import units

    found = _given("pe.multiplier", raw)
    if found is None or found == "exact":
        return None
    try:
        return units.get(str(found)).spec
    except InexactError as error:
        raise HardwareError(f"pe.multiplier in {file} must be a unit: {error}") from error
