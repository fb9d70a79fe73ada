"""A small library in liberty's words, so that tests need neither the shipped one nor a tool."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inexact.circuits.cells import Library, liberty

CELLS = {
    "INV": (1.0, {"Y": "!A"}, "A"),
    "NAND2": (1.5, {"Y": "!(A B)"}, "AB"),
    "NOR2": (1.6, {"Y": "(A+B)'"}, "AB"),
    "AND2": (2.0, {"Y": "A&B"}, "AB"),
    "OR2": (2.1, {"Y": "A|B"}, "AB"),
    "XOR2": (3.0, {"Y": "A^B"}, "AB"),
    "FA": (7.0, {"CO": "(A B)+(C (A+B))", "S": "A^B^C"}, "ABC"),
    "HA": (4.0, {"CO": "A B", "S": "A^B"}, "AB"),
}


def table(kind: str, slope: float, base: float) -> str:
    """A table over slew and load, both axes matter."""
    rows = ", ".join('"' + ", ".join(f"{base + slope * load + 0.1 * slew:.6f}" for load in (1.0, 5.0, 20.0)) + '"' for slew in (0.01, 0.1))
    return f"{kind} (grid) {{ values ({rows}); }}"


def text(cells: dict[str, tuple[float, dict[str, str], str]] | None = None, *, power: bool = True) -> str:
    """Liberty text of the cells; power: with internal_power."""
    lines = [
        'library (small) { time_unit : "1ns"; capacitive_load_unit (1, ff); leakage_power_unit : "1nW"; nom_voltage : 1.0;',
        "nom_temperature : 25;",
        "lu_table_template (grid) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;",
        'index_1 ("0.01, 0.1"); index_2 ("1, 5, 20"); }',
    ]
    for name, (area, outputs, inputs) in (cells or CELLS).items():
        lines.append(f"cell ({name}) {{ area : {area}; cell_leakage_power : {area * 2};")
        lines += [f"pin ({pin}) {{ direction : input; capacitance : {1 + 0.1 * place}; }}" for place, pin in enumerate(inputs)]
        for output, function in outputs.items():
            lines.append(f'pin ({output}) {{ direction : output; function : "{function}";')
            for place, pin in enumerate(inputs):
                lines.append(f'timing () {{ related_pin : "{pin}"; timing_sense : non_unate;')
                for kind, slope in (("cell_rise", 0.002), ("cell_fall", 0.003), ("rise_transition", 0.004), ("fall_transition", 0.005)):
                    lines.append(table(kind, slope, 0.01 * area + 0.002 * place))
                lines.append("}")
                if power:
                    lines.append(
                        f'internal_power () {{ related_pin : "{pin}"; {table("rise_power", 0.0, area)} {table("fall_power", 0.0, area)} }}'
                    )
            lines.append("}")
        lines.append("}")
    return "\n".join([*lines, "}"])


@pytest.fixture(scope="session")
def small_library() -> Library:
    """The cells above."""
    return liberty(text(), "small.lib")


@pytest.fixture(scope="session")
def liberty_text() -> Callable[..., str]:
    """The maker of liberty text."""
    return text
