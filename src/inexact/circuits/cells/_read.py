"""From a liberty file to a `Library`: units are converted, tables laid out as slew x load."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from inexact.circuits.cells._functions import MAX_INPUTS, truth_table
from inexact.circuits.cells._library import Arc, Cell, Grid, Internal, Library, Pin
from inexact.circuits.cells._syntax import Group, parsed
from inexact.core.errors import DataError, LibraryError
from inexact.core.files import sha256

DEFAULT = "inexact45"
"""The project's own library, shipped with it."""

_TIME = {"ns": 1.0, "ps": 1e-3, "us": 1e3}
_CAPACITANCE = {"ff": 1.0, "pf": 1e3, "nf": 1e6}
_POWER = {"pw": 1e-3, "nw": 1.0, "uw": 1e3, "mw": 1e6}
_SENSES = {"positive_unate": 1, "negative_unate": -1, "non_unate": 0}
_NO_DELAY = {"hold_rising", "hold_falling", "setup_rising", "setup_falling", "recovery_rising", "recovery_falling", "removal_rising"}
_NO_DELAY |= {"removal_falling", "three_state_disable", "three_state_enable", "min_pulse_width", "skew_rising", "clear", "preset"}


@functools.lru_cache(maxsize=8)
def library(path: str | None = None) -> Library:
    """The cell library in a liberty file, or the shipped 45 nm one. Raises DataError for a missing file, LibraryError as `liberty`."""
    if path is None:
        text = resources.files("inexact.circuits.cells").joinpath(f"{DEFAULT}.lib").read_text(encoding="utf-8")
        return liberty(text, f"{DEFAULT}.lib", node="45 nm", origin="own cells on FreePDK45 1.4 device models, characterised with ngspice")
    try:
        return liberty(Path(path).read_text(encoding="utf-8", errors="replace"), path)
    except OSError as error:
        raise DataError(f"a liberty file must be readable, but {path} is not: {error.strerror or error}") from error


def liberty(text: str, file: str, *, node: str | None = None, origin: str | None = None) -> Library:
    """Read liberty text. file: its name, for messages. node: technology node, when known.

    Delays and slews in ns, capacitance in fF, energy in fJ, leakage in nW, area in um2 (the usual meaning of a liberty file's area).
    Raises LibraryError when it is no liberty file, names a unit nobody knows, has no combinational cell, or no power tables.
    """
    top = parsed(text, file)
    units = _Units(top, file)
    cells = {group.arguments[0]: _cell(group, units) for group in top.inside("cell") if group.arguments}
    if not any(cell.usable and not cell.sequential for cell in cells.values()):
        raise LibraryError(f"{file} must hold combinational cells with functions, but has none")
    if not any(pin.internal for cell in cells.values() for pin in (*cell.inputs, *cell.outputs)):
        raise LibraryError(f"{file} must hold power tables (internal_power), but has none: energy cannot be told without them")
    name = top.arguments[0] if top.arguments else Path(file).stem
    corner = f"{_process(top)}_{units.voltage:g}V_{float(top.simple.get('nom_temperature', '25')):g}C"
    return Library(
        name=name,
        corner=corner,
        voltage=units.voltage,
        node=node,
        cells=cells,
        sha256=sha256(text.encode()),
        text=text,
        origin=origin or f"liberty file {Path(file).name}",
    )


class _Units:
    """Factors to the library's own units, and the table templates."""

    def __init__(self, top: Group, file: str) -> None:
        self.file = file
        self.time = _factor(top.simple.get("time_unit", "1ns"), _TIME, f"{file}: time_unit")
        load = top.complex.get("capacitive_load_unit", [("1", "pf")])[0]
        self.load = _factor("".join(load), _CAPACITANCE, f"{file}: capacitive_load_unit")
        self.power = _factor(top.simple.get("leakage_power_unit", "1nW"), _POWER, f"{file}: leakage_power_unit")
        self.voltage = float(top.simple.get("nom_voltage", "1.0"))
        # internal_power tables are in capacitance x voltage squared
        self.energy = self.load
        self.templates = {g.arguments[0]: g for k in ("lu_table_template", "power_lut_template") for g in top.inside(k) if g.arguments}

    def grid(self, group: Group, factor: float) -> Grid:
        """A table as slew x load; a missing axis has one point."""
        template = self.templates.get(group.arguments[0] if group.arguments else "", group)
        axes = {}
        order = []
        for place in (1, 2, 3):
            index = group.numbers(f"index_{place}") or template.numbers(f"index_{place}")
            variable = template.simple.get(f"variable_{place}", "")
            if index is not None:
                kind = "load" if "capacitance" in variable else "slew" if "transition" in variable else variable
                order.append(kind)
                axes[kind] = np.array(index)
        values = np.array([float(x) for row in group.complex.get("values", [()])[0] for x in re.split(r"[\s,\\]+", row) if x])
        shape = [len(axes[kind]) for kind in order]
        if values.size != int(np.prod(shape)) or set(order) - {"slew", "load"}:
            raise LibraryError(f"{self.file}, line {group.line}: table {group.kind} must have slew and load axes of its values' shape")
        table = values.reshape(shape or [1, 1])
        if order == ["load", "slew"]:
            table = table.T
        elif order == ["load"]:
            table = table.reshape(1, -1)
        elif order == ["slew"]:
            table = table.reshape(-1, 1)
        slews = axes.get("slew", np.zeros(1)) * self.time
        return Grid(slews, axes.get("load", np.zeros(1)) * self.load, np.ascontiguousarray(table * factor))


def _cell(group: Group, units: _Units) -> Cell:
    name = group.arguments[0]
    pins = [(pin, group_) for group_ in group.inside("pin") for pin in group_.arguments]
    inputs = [(pin, g) for pin, g in pins if g.simple.get("direction") == "input"]
    outputs = [(pin, g) for pin, g in pins if g.simple.get("direction") == "output"]
    names = [pin for pin, _ in inputs]
    sequential = any(list(group.inside(kind)) for kind in ("ff", "latch", "ff_bank", "latch_bank", "statetable"))
    three_state = any("three_state" in g.simple for _, g in outputs)
    fits = len(names) <= MAX_INPUTS and not three_state
    where = f"{units.file}: cell {name}"
    readable = names if fits else []
    made_inputs = tuple(_input(pin, g, readable, units, where) for pin, g in inputs)
    made_outputs = tuple(_output(pin, g, readable, units, where, known=fits and not sequential) for pin, g in outputs)
    whole = bool(made_outputs) and all(pin.function is not None for pin in made_outputs)
    leakages = _leakages(group, readable, units, where) if fits and not sequential else ()
    values = [value for _, value in leakages] or [
        float(g.simple["value"]) * units.power for g in group.inside("leakage_power") if "value" in g.simple
    ]
    leakage = (
        float(group.simple["cell_leakage_power"]) * units.power if "cell_leakage_power" in group.simple else float(np.mean(values or [0.0]))
    )
    flip_flop = next(group.inside("ff"), None)
    return Cell(
        name=name,
        area=float(group.simple.get("area", "0")),
        leakage=leakage,
        leakages=leakages,
        inputs=made_inputs,
        outputs=made_outputs,
        sequential=sequential,
        usable=fits and (whole or sequential) and group.simple.get("dont_use", "false") != "true",
        clocked_on=flip_flop.simple.get("clocked_on", "").strip("() ") if flip_flop else None,
        next_state=flip_flop.simple.get("next_state", "").strip("() ") if flip_flop else None,
    )


def _leakages(group: Group, names: Sequence[str], units: _Units, where: str) -> tuple[tuple[int, float], ...]:
    found = [g for g in group.inside("leakage_power") if "when" in g.simple and "value" in g.simple]
    return tuple((truth_table(g.simple["when"], names, where), float(g.simple["value"]) * units.power) for g in found)


def _input(pin: str, group: Group, names: Sequence[str], units: _Units, where: str) -> Pin:
    setups = [g for g in group.inside("timing") if g.simple.get("timing_type", "").startswith("setup")]
    tables = [
        units.grid(t, units.time) for g in setups for kind in ("rise_constraint", "fall_constraint") for t in _readable(g, kind, units)
    ]
    return Pin(
        name=pin,
        capacitance=_capacitance(group) * units.load,
        edges=_edges(group, units),
        function=None,
        arcs=(),
        internal=_internal(group, names, units, f"{where}, pin {pin}"),
        setup=max((float(grid.values.flat[0]) for grid in tables), default=None),
        clock=group.simple.get("clock", "false") == "true",
    )


def _readable(group: Group, kind: str, units: _Units) -> list[Group]:
    """Constraint tables have two slews; the first is that of the clock. Only their first value is used, so one axis is dropped."""
    found = []
    for table in group.inside(kind):
        values = [float(x) for row in table.complex.get("values", [()])[0] for x in re.split(r"[\s,\\]+", row) if x]
        if values:
            found.append(Group(kind, (), table.line, complex={"values": [(str(values[0]),)]}))
    return found


def _output(pin: str, group: Group, names: Sequence[str], units: _Units, where: str, *, known: bool) -> Pin:
    place = f"{where}, pin {pin}"
    function = truth_table(group.simple["function"], names, place) if known and "function" in group.simple else None
    arcs = []
    for timing in group.inside("timing"):
        if timing.simple.get("timing_type", "combinational") in _NO_DELAY:
            continue
        found = {kind: next(timing.inside(kind), None) for kind in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")}
        rise, fall, up, down = (units.grid(table, units.time) if table is not None else None for table in found.values())
        rise, fall, up, down = rise or fall, fall or rise, up or down, down or up
        if rise is None or fall is None or up is None or down is None:
            continue
        sense = _SENSES.get(timing.simple.get("timing_sense", "non_unate"), 0)
        arcs += [Arc(source=s, sense=sense, delay=(rise, fall), slew=(up, down)) for s in timing.simple.get("related_pin", "").split()]
    return Pin(
        name=pin,
        capacitance=_capacitance(group) * units.load,
        edges=_edges(group, units),
        function=function,
        arcs=tuple(arcs),
        internal=_internal(group, names, units, place),
    )


def _internal(group: Group, names: Sequence[str], units: _Units, where: str) -> tuple[Internal, ...]:
    found = []
    for power in group.inside("internal_power"):
        tables = {table.kind: table for table in power.groups}
        rise = tables.get("rise_power") or tables.get("power") or tables.get("fall_power")
        fall = tables.get("fall_power") or tables.get("power") or tables.get("rise_power")
        if rise is None or fall is None:
            continue
        energy = (units.grid(rise, units.energy), units.grid(fall, units.energy))
        when = (
            truth_table(power.simple["when"], names, where)
            if "when" in power.simple and names and _over(power.simple["when"], names)
            else None
        )
        sources: list[str | None] = [*power.simple.get("related_pin", "").split()]
        found += [Internal(source=source, when=when, energy=energy) for source in sources or [None]]
    return tuple(found)


def _over(condition: str, names: Sequence[str]) -> bool:
    """Whether a condition speaks of inputs alone (that of a flip-flop may name its state)."""
    return set(re.findall(r"[A-Za-z_]\w*", condition)) <= set(names)


def _capacitance(group: Group) -> float:
    if "capacitance" in group.simple:
        return float(group.simple["capacitance"])
    edges = [float(group.simple[name]) for name in ("rise_capacitance", "fall_capacitance") if name in group.simple]
    return sum(edges) / len(edges) if edges else 0.0


def _edges(group: Group, units: _Units) -> tuple[float, float]:
    """Capacitance for a rise and for a fall."""
    both = _capacitance(group)
    return float(group.simple.get("rise_capacitance", both)) * units.load, float(group.simple.get("fall_capacitance", both)) * units.load


def _factor(text: str, known: dict[str, float], where: str) -> float:
    match = re.fullmatch(r"\s*([\d.eE+-]*)\s*([a-zA-Z]+)\s*", text)
    if match is None or match[2].lower() not in known:
        raise LibraryError(f"{where} must be one of {', '.join(known)}, not {text!r}")
    return float(match[1] or 1) * known[match[2].lower()]


def _process(top: Group) -> str:
    name = top.simple.get("default_operating_conditions", "")
    return re.sub(r"\W+", "_", name) or "nominal"
