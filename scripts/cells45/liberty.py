"""Measurements as liberty text: timing by sense, internal energy without that of the load, leakage by state."""

from __future__ import annotations

from typing import Any

import numpy as np
from cells45.measure import LOADS, SLEWS
from cells45.transistors import area

Found = dict[str, Any]
"""What is kept of a cell: `leakage` by state; `toggled` by pin and state of the others, as lists; or `clocked`."""


def library(found: dict[str, Found], cells: dict[str, Any], base: dict[str, Any], head: str) -> str:
    """The whole file. head: lines of its comment."""
    slews, loads = ", ".join(map(str, SLEWS)), ", ".join(map(str, LOADS))
    top = f"""/*
{head}*/
library (inexact45) {{
  delay_model : table_lookup;
  time_unit : "1ns";
  voltage_unit : "1V";
  current_unit : "1uA";
  pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1, ff);
  slew_lower_threshold_pct_rise : 20;
  slew_upper_threshold_pct_rise : 80;
  slew_lower_threshold_pct_fall : 20;
  slew_upper_threshold_pct_fall : 80;
  input_threshold_pct_rise : 50;
  input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50;
  output_threshold_pct_fall : 50;
  slew_derate_from_library : 1;
  nom_process : 1;
  nom_voltage : {base["voltage_v"]};
  nom_temperature : {base["temperature_c"]};
  operating_conditions (nominal) {{
    process : 1;
    voltage : {base["voltage_v"]};
    temperature : {base["temperature_c"]};
  }}
  default_operating_conditions : nominal;
  default_max_transition : 0.4;
  lu_table_template (delay) {{
    variable_1 : input_net_transition;
    variable_2 : total_output_net_capacitance;
    index_1 ("{slews}");
    index_2 ("{loads}");
  }}
  power_lut_template (energy) {{
    variable_1 : input_transition_time;
    variable_2 : total_output_net_capacitance;
    index_1 ("{slews}");
    index_2 ("{loads}");
  }}
  power_lut_template (hidden) {{
    variable_1 : input_transition_time;
    index_1 ("{slews}");
  }}
"""
    body = [_cell(name, cells[name], found[name], base) for name in cells if name in found]
    return top + "".join(body) + "}\n"


def _cell(name: str, cell: dict[str, Any], found: Found, base: dict[str, Any]) -> str:
    lines = [f"  cell ({name}) {{", f"    area : {area(cell, base)};"]
    leakage = dict(found["leakage"])
    lines.append(f"    cell_leakage_power : {np.mean(list(leakage.values())):.4f};")
    if cell.get("flip_flop"):
        return "\n".join([*lines, *_flip_flop(found["clocked"], base), "  }", ""])
    lines += [
        f'    leakage_power () {{ when : "{_when(cell["inputs"], state)}"; value : {value:.4f}; }}' for state, value in leakage.items()
    ]
    for pin in cell["inputs"]:
        lines += _input(pin, cell, found["toggled"][pin])
    for output, function in cell["outputs"].items():
        lines += _output(output, function, cell, found["toggled"], base["voltage_v"])
    return "\n".join([*lines, "  }", ""])


def _input(pin: str, cell: dict[str, Any], states: dict[str, Any]) -> list[str]:
    charge = np.mean([np.array(state["charge"])[1, min(1, len(state["charge"][1]) - 1)] for state in states.values()])
    lines = [f"    pin ({pin}) {{", "      direction : input;", f"      capacitance : {charge:.4f};"]
    others = [name for name in cell["inputs"] if name != pin]
    for key, state in states.items():
        if any(np.isfinite(np.array(state[f"delay_{output}"])).any() for output in cell["outputs"]):
            continue
        energy = np.array(state["energy"])[:, 0, :]
        lines += [f'      internal_power () {{ when : "{_when(others, key)}";']
        lines += [_table("rise_power", "hidden", energy[:, :1].T), _table("fall_power", "hidden", energy[:, 1:].T), "      }"]
    return [*lines, "    }"]


def _output(output: str, function: str, cell: dict[str, Any], toggled: dict[str, Any], voltage: float) -> list[str]:
    lines = [
        f"    pin ({output}) {{",
        "      direction : output;",
        f"      max_capacitance : {LOADS[-1] * 2};",
        f'      function : "{function}";',
    ]
    for pin, states in toggled.items():
        arcs: dict[str, list[Any]] = {}
        for state in states.values():
            direction = np.array(state[f"direction_{output}"])[0, 0]
            if np.isfinite(direction).all():
                arcs.setdefault("positive_unate" if direction[0] == 1 else "negative_unate", []).append(state)
        for sense, members in arcs.items():
            # edge of the pin that makes the output rise
            up = 0 if sense == "positive_unate" else 1
            lines += [f'      timing () {{ related_pin : "{pin}"; timing_sense : {sense};']
            for kind, quantity, edge in (
                ("cell_rise", "delay", up),
                ("rise_transition", "slew", up),
                ("cell_fall", "delay", 1 - up),
                ("fall_transition", "slew", 1 - up),
            ):
                lines.append(
                    _table(kind, "delay", np.max([np.array(state[f"{quantity}_{output}"])[:, :, edge] for state in members], axis=0))
                )
            lines.append("      }")
        rise, fall = _energies(output, cell, states, voltage)
        if rise is not None and fall is not None:
            lines += [
                f'      internal_power () {{ related_pin : "{pin}";',
                _table("rise_power", "energy", rise),
                _table("fall_power", "energy", fall),
                "      }",
            ]
    return [*lines, "    }"]


def _energies(output: str, cell: dict[str, Any], states: dict[str, Any], voltage: float) -> tuple[Any, Any]:
    """fJ inside the cell when the output rises and falls: supply energy less C V^2 of loads that rise, the mean over states.

    The first output has the states in which it switches alone; the other what is left of those in which both do.
    """
    alone = {edge: [] for edge in (0.0, 1.0)}
    both = {edge: [] for edge in (0.0, 1.0)}
    others = [name for name in cell["outputs"] if name != output]
    for state in states.values():
        for edge in (0, 1):
            direction = np.array(state[f"direction_{output}"])[0, 0, edge]
            if not np.isfinite(direction):
                continue
            energy = np.array(state["energy"])[:, :, edge]
            together = [np.array(state[f"direction_{other}"])[0, 0, edge] for other in others]
            together = [other for other in together if np.isfinite(other)]
            rising = (direction == 1) + sum(other == 1 for other in together)
            inside = energy - rising * np.array(LOADS)[None, :] * voltage**2
            (both if together else alone)[direction].append((inside, together))
    result = []
    for edge in (1.0, 0.0):
        if alone[edge]:
            result.append(np.mean([inside for inside, _ in alone[edge]], axis=0))
        elif both[edge]:
            rest = []
            for inside, together in both[edge]:
                shared = _energies(others[0], cell, {k: s for k, s in states.items() if _alone(others[0], cell, s)}, voltage)
                part = shared[0 if together[0] == 1 else 1]
                rest.append(inside - (part if part is not None else inside / 2))
            result.append(np.mean(rest, axis=0))
        else:
            result.append(None)
    return result[0], result[1]


def _alone(output: str, cell: dict[str, Any], state: dict[str, Any]) -> bool:
    switching = [name for name in cell["outputs"] if np.isfinite(np.array(state[f"direction_{name}"])).any()]
    return switching == [output]


def _flip_flop(found: dict[str, Any], base: dict[str, Any]) -> list[str]:
    idle = np.mean([np.array(x) for x in found["idle"]], axis=0)
    data = np.mean([np.array(x) for x in found["data"]], axis=0)
    lines = ['    ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; }']
    for pin, table, extra in (("CLK", idle, "      clock : true;"), ("D", data, "")):
        lines += [f"    pin ({pin}) {{", "      direction : input;", f"      capacitance : {table[1, 2]:.4f};"] + ([extra] if extra else [])
        lines += [
            "      internal_power () {",
            _table("rise_power", "hidden", table[:, :1].T),
            _table("fall_power", "hidden", table[:, 1:2].T),
            "      }",
        ]
        if pin == "D":
            lines += ['      timing () { related_pin : "CLK"; timing_type : setup_rising;']
            lines += [f'        {edge}_constraint (scalar) {{ values ("{found["setup"]:.4f}"); }}' for edge in ("rise", "fall")] + [
                "      }"
            ]
        lines.append("    }")
    lines += ["    pin (Q) {", "      direction : output;", f"      max_capacitance : {LOADS[-1] * 2};", '      function : "IQ";']
    lines += ['      timing () { related_pin : "CLK"; timing_type : rising_edge; timing_sense : non_unate;']
    for edge in ("rise", "fall"):
        lines.append(_table(f"cell_{edge}", "delay", np.array(found[edge]["delay"])))
        lines.append(_table(f"{edge}_transition", "delay", np.array(found[edge]["slew"])))
    lines += ["      }", '      internal_power () { related_pin : "CLK";']
    for edge, rising in (("rise", 1), ("fall", 0)):
        inside = np.array(found[edge]["energy"]) - rising * np.array(LOADS)[None, :] * base["voltage_v"] ** 2 - idle[:, :1]
        lines.append(_table(f"{edge}_power", "energy", inside))
    return [*lines, "      }", "    }"]


def _table(kind: str, template: str, values: Any) -> str:
    rows = " \\\n          ".join('"' + ", ".join(f"{value:.5f}" for value in row) + '",' for row in np.atleast_2d(values))
    return f"        {kind} ({template}) {{ values ( \\\n          {rows.removesuffix(',')}); }}"


def _when(inputs: list[str], state: str) -> str:
    return "&".join(name if bit == "1" else f"!{name}" for name, bit in zip(inputs, state, strict=True))
