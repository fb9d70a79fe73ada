"""Liberty files: functions, units, tables, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inexact.circuits.cells import Library, liberty, library
from inexact.circuits.cells._functions import truth_table
from inexact.core.errors import DataError, LibraryError


@pytest.mark.parametrize(
    ("text", "inputs", "table"),
    [
        ("A B", "AB", 0x8),
        ("A*B", "AB", 0x8),
        ("!(A&B)", "AB", 0x7),
        ("(A+B)'", "AB", 0x1),
        ("A|B", "AB", 0xE),
        ("A^B", "AB", 0x6),
        ("!A", "A", 0x1),
        ("A'", "A", 0x1),
        ("(A B)+(C (A+B))", "ABC", 0xE8),
        ("A^B^C", "ABC", 0x96),
        ("!A B + A !B", "AB", 0x6),
        ("1", "A", 0x3),
        ("(S A)+(!S B)", "ABS", 0b10101100),
    ],
)
def test_functions(text: str, inputs: str, table: int) -> None:
    assert truth_table(text, list(inputs), "cell X") == table


@pytest.mark.parametrize("text", ["A &", "(A", "A ? B", "Z", ""])
def test_functions_that_cannot_be_read(text: str) -> None:
    with pytest.raises(LibraryError, match="cell X"):
        truth_table(text, ["A", "B"], "cell X")


def test_what_a_file_says(small_library: Library) -> None:
    cell = small_library.cells["NAND2"]
    assert (cell.area, cell.leakage, cell.functions) == (1.5, 3.0, (0x7,))
    assert [pin.capacitance for pin in cell.inputs] == [1.0, 1.1]
    rise = cell.outputs[0].arcs[0].delay[0]
    assert rise.at(0.01, 1.0) == pytest.approx(0.015 + 0.002 + 0.001)
    assert rise.at(0.055, 12.5) == pytest.approx(0.015 + 0.002 * 12.5 + 0.0055)  # between points
    assert rise.at(0.2, 40.0) == pytest.approx(0.015 + 0.002 * 40 + 0.02)  # beyond them
    assert small_library.corner == "nominal_1V_25C"


def test_units_are_converted(liberty_text: Callable[..., str]) -> None:
    scaled = liberty_text().replace('time_unit : "1ns"', 'time_unit : "10ps"').replace("(1, ff)", "(1, pf)").replace('"1nW"', '"1uW"')
    cell = liberty(scaled, "scaled.lib").cells["INV"]
    plain = liberty(liberty_text(), "plain.lib").cells["INV"]
    assert cell.inputs[0].capacitance == 1000 * plain.inputs[0].capacitance
    assert cell.leakage == 1000 * plain.leakage
    assert cell.outputs[0].arcs[0].delay[0].values[0, 0] == pytest.approx(0.01 * plain.outputs[0].arcs[0].delay[0].values[0, 0])
    assert cell.outputs[0].internal[0].energy[0].values[0, 0] == 1000 * plain.outputs[0].internal[0].energy[0].values[0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-1], r"bad.lib, line 1: library \(small\) must be closed"),
        (lambda text: text.replace("library (small)", "cell (small)", 1), "must be a liberty file"),
        (lambda text: text.replace('"1ns"', '"1fortnight"'), "time_unit must be one of"),
        (lambda text: text.replace("area : 1.0;", "area : ;", 1), "area must have a value"),
        (lambda text: text.replace("A&B", "A&Q"), r"cell AND2, pin Y: 'Q' in 'A&Q' must be one of the inputs A, B"),
        (lambda text: text.replace('index_2 ("1, 5, 20")', 'index_2 ("1, 5")'), "must have slew and load axes of its values' shape"),
        (lambda text: "{" + text, "a name must stand here"),
    ],
)
def test_bad_files_are_refused_with_their_line(liberty_text: Callable[..., str], change: Callable[[str], str], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        liberty(change(liberty_text()), "bad.lib")


def test_power_tables_are_needed(liberty_text: Callable[..., str]) -> None:
    with pytest.raises(LibraryError, match=r"bad.lib must hold power tables \(internal_power\), but has none"):
        liberty(liberty_text(power=False), "bad.lib")


def test_a_missing_file(tmp_path: object) -> None:
    with pytest.raises(DataError, match=r"a liberty file must be readable, but .*no\.lib is not"):
        library(f"{tmp_path}/no.lib")


def test_the_shipped_library() -> None:
    shipped = library()
    assert len(shipped.cells) >= 20
    assert {"HA_X1", "FA_X1", "DFF_X1"} <= set(shipped.cells)
    flop = shipped.flip_flop()
    assert flop is not None
    assert flop.name == "DFF_X1"
    for cell in shipped.cells.values():
        assert cell.area > 0
        assert cell.leakage > 0
        for pin in cell.outputs:
            assert pin.internal
            for arc in pin.arcs:
                for grid in (*arc.delay, *arc.slew):
                    assert (grid.values[:, 1:] > grid.values[:, :-1]).all(), f"{cell.name}: more load must take longer"
    # inverter and NAND as characterised elsewhere from the same devices: 1.23 fF, 1.63 fF at the worst state
    assert shipped.cells["INV_X1"].inputs[0].capacitance == pytest.approx(1.23, rel=0.05)
    assert 1.2 < shipped.cells["NAND2_X1"].inputs[0].capacitance < 1.7
