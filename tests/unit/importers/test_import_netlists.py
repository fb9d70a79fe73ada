"""Netlists become units that compute what their gates compute; broken ones are refused in one sentence."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from inexact import circuits
from inexact.core.errors import FormatError, InexactError
from inexact.importers import Statement, import_unit
from inexact.units import from_circuit, get
from inexact.units.netlist import NetlistUnit

needs_yosys = pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="pyosys is not installed")

BEHAVIOURAL = """module mul_low(input [7:0] act, input [5:0] wt, output [13:0] y);
  wire [13:0] full = act * wt;
  assign y = {full[13:2], 2'b00};
endmodule
"""


def _written(path: Path, name: str, text: str) -> Path:
    (path / name).write_text(text)
    return path / name


@pytest.mark.parametrize("spec", ["trunc(cut=4)", "exact(signed=true)", "drum(k=3,width=(8,4))", "kulkarni"])
@pytest.mark.parametrize("suffix", ["blif", "v"])
def test_a_units_own_netlist_comes_back_as_the_same_function(tmp_path: Path, spec: str, suffix: str) -> None:
    unit = get(spec)
    circuit = unit.circuit()
    assert circuit is not None
    path = tmp_path / f"unit.{suffix}"
    (circuits.write_blif if suffix == "blif" else circuits.write_verilog)(circuit, path)
    found = import_unit(path)
    assert isinstance(found.unit, NetlistUnit)
    assert found.unit.signed == unit.signed
    assert np.array_equal(found.unit.table(), unit.table())
    gates = found.unit.gates()
    assert gates.levels > 0
    assert sum(gates.counts().values()) > 0


def test_the_saved_unit_has_a_spec_that_works(tmp_path: Path) -> None:
    unit = from_circuit(circuits.multiplier((5, 4), kind="wallace", signed=True))
    saved = unit.save(tmp_path / "mine")
    assert saved.path.endswith("mine.blif")
    assert get(saved.spec) == saved
    assert np.array_equal(saved.table(), get("exact(signed=true,width=(5,4))").table())


def test_inputs_named_b_a_are_swapped(tmp_path: Path) -> None:
    builder = circuits.Builder("mul")
    b, a = builder.input("b", 4), builder.input("a", 6)
    columns = circuits.partial_products(builder, a, b)
    builder.output("y", circuits.add_columns(builder, columns[:3] + [[] for _ in columns[3:4]] + columns[4:]))
    path = tmp_path / "u.blif"
    circuits.write_blif(builder.build(), path)
    found = import_unit(path)
    assert found.unit.width == (6, 4)
    assert "input a is the activation" in found.assumptions


@needs_yosys
def test_behavioural_verilog(tmp_path: Path) -> None:
    found = import_unit(_written(tmp_path, "m.v", BEHAVIOURAL))
    assert found.unit.width == (8, 6)
    assert np.array_equal(found.unit.table(), np.multiply.outer(np.arange(256), np.arange(64)) & ~3)
    assert "elaborated by Yosys as behavioural Verilog" in found.assumptions


@needs_yosys
def test_behavioural_verilog_whose_result_is_cut(tmp_path: Path) -> None:
    text = f"{PORTS} wire [7:0] p = a * b; assign y = {{p[7:3], 3'b0}}; endmodule"
    unit = import_unit(_written(tmp_path, "m.v", text)).unit
    assert np.array_equal(unit.table(), np.multiply.outer(np.arange(16), np.arange(16)) & ~7)


@needs_yosys
def test_wide_netlists_are_units_too(tmp_path: Path) -> None:
    text = "module m(input signed [15:0] a, input signed [15:0] b, output signed [31:0] y); assign y = a * b; endmodule"
    unit = import_unit(_written(tmp_path, "m.v", text)).unit
    assert (unit.width, unit.signed) == ((16, 16), True)
    assert unit(-30000, 29999).item() == -30000 * 29999


PORTS = "module m(input [3:0] a, input [3:0] b, output [7:0] y);"
REFUSED = {
    "loop": (f"{PORTS} wire x; assign x = ~x & a[0]; assign y = {{7'b0, x}}; endmodule", "(loop|cycle|depends on itself)"),
    "latch": ("module m(input [3:0] a, input [3:0] b, output reg [7:0] y); always @(*) if (a[0]) y = a * b; endmodule", "latch"),
    "flip-flop": (
        "module m(input clk, input [3:0] a, input [3:0] b, output reg [7:0] y); always @(posedge clk) y <= a * b; endmodule",
        r"must hold no state, but y\[\d\] is kept by a latch",
    ),
    "two drivers": (f"{PORTS} assign y = a * b; assign y[0] = a[0]; endmodule", "driv"),
    "no driver": (f"{PORTS} wire w; assign y[7:1] = a * b; assign y[0] = w & a[0]; endmodule", "driv"),
    "syntax": ("module m(input a", "(expected|expecting|must|ends)"),
    "three operands": (
        "module m(input a, input b, input c, output [1:0] y); assign y = {a & b, c}; endmodule",
        "two operands and one result",
    ),
    "too wide": (
        "module m(input [39:0] a, input [7:0] b, output [47:0] y); assign y = a * b; endmodule",
        "must be 2..32 bits wide, but a has 40",
    ),
    "too narrow": ("module m(input a, input b, output y); assign y = a & b; endmodule", "must be 2..32 bits wide, but a has 1"),
    "no multiplier": (f"{PORTS} assign y = {{a, b}}; endmodule", "must plainly be a multiplier.*--signed or --unsigned"),
    "order": (
        "module m(input [3:0] p, input [3:0] q, output [7:0] y); assign y = p * q + p[0]; endmodule",
        "the operand order of .* must be known: its inputs are named p, q",
    ),
}


@needs_yosys
@pytest.mark.parametrize("name", REFUSED)
def test_refusals(tmp_path: Path, name: str) -> None:
    text, message = REFUSED[name]
    with pytest.raises(InexactError, match=message) as caught:
        import_unit(_written(tmp_path, "m.v", text), limit_s=30)
    assert len(str(caught.value).splitlines()) == 1


def test_another_width_than_stated_is_refused(tmp_path: Path) -> None:
    circuits.write_blif(circuits.multiplier(4), tmp_path / "u.blif")
    with pytest.raises(FormatError, match="has operands of 4x4 bits, not 8x8 as stated"):
        import_unit(tmp_path / "u.blif", Statement(width=(8, 8)))


def test_circuits_that_are_no_multipliers_are_refused() -> None:
    exact, builder = circuits.multiplier(4), circuits.Builder("one")
    mixed = dataclasses.replace(exact, inputs=tuple(dataclasses.replace(bus, signed=True) for bus in exact.inputs))
    builder.output("y", builder.input("a", 4))
    with pytest.raises(FormatError, match="must be all signed or all unsigned"):
        from_circuit(mixed)
    with pytest.raises(FormatError, match="two input buses and one output bus"):
        from_circuit(builder.build())


def test_a_changed_file_is_another_unit(tmp_path: Path) -> None:
    saved = from_circuit(circuits.multiplier(4)).save(tmp_path / "u.blif")
    circuits.write_blif(circuits.multiplier(4, kind="wallace"), tmp_path / "u.blif")
    with pytest.raises(FormatError, match="it is another unit"):
        get(saved.spec)
