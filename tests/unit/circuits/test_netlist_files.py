"""Verilog and BLIF: what is written is read back, foreign styles are understood, broken files are refused with their line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inexact import units
from inexact.circuits import (
    ADDERS,
    Builder,
    Circuit,
    adder,
    equivalent,
    from_blif,
    from_verilog,
    multiplier,
    read_blif,
    read_verilog,
    table,
    to_blif,
    to_verilog,
    write_blif,
    write_verilog,
)
from inexact.circuits.adders import ripple as adder_of
from inexact.core.errors import CircuitError, OutputError

SAMPLES = [
    *(multiplier((5, 4), kind=kind, signed=signed) for kind in ("array", "wallace", "booth") for signed in (False, True)),
    *(adder(9, kind=kind) for kind in ADDERS),
    *(unit.circuit() for spec in ("drum(k=3)", "roba", "mbm", "trunc(cut=6,correction=constant)") if (unit := units.get(spec))),
]


@pytest.mark.parametrize("circuit", SAMPLES, ids=lambda circuit: circuit.name)
def test_round_trips(circuit: Circuit, tmp_path: Path) -> None:
    write_verilog(circuit, tmp_path / "c.v")
    write_blif(circuit, tmp_path / "c.blif")
    for again in (read_verilog(tmp_path / "c.v"), read_blif(tmp_path / "c.blif", signed=circuit.signed)):
        assert again.name == circuit.name
        assert (again.inputs, again.outputs) == (circuit.inputs, circuit.outputs)
        assert again.counts() == circuit.counts()
        np.testing.assert_array_equal(table(again), table(circuit))
    assert from_verilog(to_verilog(circuit), simplify=False).counts() == circuit.counts()
    assert from_blif(to_blif(circuit), simplify=False).counts() == circuit.counts()


@pytest.mark.parametrize("seed", range(4))
def test_round_trips_of_random_cells(seed: int, random_circuit: Callable[..., Circuit]) -> None:
    """Constants, unread cells, several outputs, every kind of cell, one-bit buses."""
    circuit = random_circuit(seed, (4, 5, 1), cells=80)
    wanted = table(circuit)
    for text, reader in ((to_verilog(circuit), from_verilog), (to_blif(circuit), from_blif)):
        for simplify in (False, True):
            np.testing.assert_array_equal(table(reader(text, simplify=simplify)), wanted)


def test_awkward_names() -> None:
    for name, written in (("2 bits", "2_bits"), ("assign", "assign"), ("a+b", "a+b")):
        assert from_verilog(to_verilog(adder(3).renamed(name))).name == written
    b = Builder("ports")
    x, y = b.input("w7", 2), b.input("input", 2)
    b.output("a.b", adder_of(b, x, y))
    circuit = b.build()
    for again in (from_verilog(to_verilog(circuit)), from_blif(to_blif(circuit))):
        assert (again.inputs, again.outputs) == (circuit.inputs, circuit.outputs)
        np.testing.assert_array_equal(table(again), table(circuit))


STYLES = {
    "ansi": "module m(input [3:0] a, b, output signed [4:0] y, output z);",
    "old": "module m(a, b, y, z);\n input [3:0] a, b;\n output signed [4:0] y;\n output z;\n wire signed [4:0] y;",
}


@pytest.mark.parametrize("style", STYLES)
def test_foreign_verilog(style: str) -> None:
    text = f"""
`timescale 1ns/1ps
// a comment
{STYLES[style]}
  wire t, u = a[0] & ~b[0], \\odd+name ;   /* two
  lines */
  (* keep *) wire [0:2] up;
  wire [1:0] two, three;
  xor g1(t, a[0], b[0], a[1]), (v, a[1], b[1]);
  nand (w, a[2], b[2], a[3]);
  not n1(nt, t);
  buf (b1, b2, nt);
  assign up = {{a[2:1], b[3]}};
  assign \\odd+name = up[0] ^ up[2] ~^ 1'b1;
  HAX1 h(.A(a[3]), .B(b[3]), .YC(c), .YS(s));
  inner i0(.p(a[1:0]), .q(two));
  inner i1(b[3:2], three);
  assign {{y[4], y[3:0]}} = {{c, s, \\odd+name , three[1:0]}} | {{5{{&a}}}};
  assign z = (w ? u : v) && !b1 || ^two;
endmodule
module inner(input [1:0] p, output [1:0] q);
  assign q = p[1] ? ~p : 2'b10;
endmodule
"""
    circuit = from_verilog(text)
    assert [(bus.name, bus.width, bus.signed) for bus in (*circuit.inputs, *circuit.outputs)] == [
        *(("a", 4, False), ("b", 4, False), ("y", 5, True), ("z", 1, False))
    ]
    found = table(circuit)
    for a in range(16):
        for b in range(16):
            x, w = [a >> i & 1 for i in range(4)], [b >> i & 1 for i in range(4)]
            t, v = x[0] ^ w[0] ^ x[1], x[1] ^ w[1]
            inner = [(3 ^ p) & 3 if p >> 1 else 2 for p in (a & 3, b >> 2)]
            odd = 1 - (x[2] ^ w[3] ^ 1)
            y = ((x[3] & w[3]) << 4 | (x[3] ^ w[3]) << 3 | odd << 2 | inner[1]) | (31 if a == 15 else 0)
            chosen = (x[0] & (1 - w[0])) if not (x[2] & w[2] & x[3]) else v
            z = (chosen & t) | ((inner[0] ^ inner[0] >> 1) & 1)
            assert found[a, b] == y | z << 5, (a, b)


def test_widths_follow_the_language() -> None:
    text = (
        "module m(input signed [1:0] a, input [3:0] b, output [3:0] y, z, n); assign y = a; assign z = a | b; assign n = ~b[1:0]; endmodule"
    )
    found = table(from_verilog(text))
    for a in range(4):
        for b in range(16):
            assert found[a, b] == (a | (12 if a > 1 else 0)) | (a | b) << 4 | (15 ^ b & 3) << 8


def test_library_cells() -> None:
    text = """module m(input a, b, c, s, output [5:0] y);
  MUX2X1 u0(.A(a), .B(b), .S(s), .Y(y[0]));
  AOI21X1 u1(.A(a), .B(b), .C(c), .Y(y[1]));
  \\$_MUX_ u2(.A(a), .B(b), .S(s), .Y(y[2]));
  FAX1 u3(.A(a), .B(b), .C(c), .YS(y[3]), .YC(y[4]));
  NAND3X1 u4(.A(a), .B(b), .C(c), .Y(y[5]));
endmodule"""
    circuit = from_verilog(text)
    assert circuit.counts()["full"] == 1
    found = table(circuit)
    for a, b, c, s in np.ndindex(2, 2, 2, 2):
        bits = [1 - (a if s else b), 1 - (a & b | c), b if s else a, (a + b + c) & 1, (a + b + c) >> 1, 1 - (a & b & c)]
        assert found[a, b, c, s] == sum(bit << i for i, bit in enumerate(bits))


BROKEN_VERILOG = {
    "module m(input a, output y);\n assign y = a & b;\nendmodule": r"net b, read at line 2, must be driven",
    "module m(input a, output y);\n assign y = a;\n assign y = ~a;\nendmodule": "line 3: net y must have one driver",
    "module m(input a, output y);\n assign a = 1'b0;\n assign y = a;\nendmodule": r"net a is an input and must not be driven",
    "module m(input a, output y);\n wire p = a & q;\n wire q = ~p;\n assign y = q;\nendmodule": r"must not have cycles, but q <- p <- q",
    "module m(input a, c, output y);\n DFFPOSX1 f(.D(a), .CLK(c), .Q(y));\nendmodule": "must hold no state, but DFFPOSX1",
    "module m(input a, c, output y);\n \\$_DLATCH_P_ f(.D(a), .E(c), .Q(y));\nendmodule": "must hold no state",
    "module m(input a, output y);\n always @(a) y = a;\nendmodule": r"line 2: 'always' describes behaviour.*yosys",
    "module m(input a, output reg y);\n endmodule": "'reg' describes behaviour",
    "module m(input [1:0] a, output [1:0] y);\n assign y = a + 1;\nendmodule": r"'\+' describes behaviour",
    "module m(input a, output y);\n FOO u(.A(a), .Y(y));\nendmodule": "FOO is no known cell",
    "module m(input a, output y);\n INVX1 u(.A(a), .Z(y));\nendmodule": "INVX1 has no pin 'Z'",
    "module m(input a, output y);\n INVX1 u(a, y);\nendmodule": "pins of INVX1 must be connected by name",
    "module m(input a, output y);\n INVX1 u(.Y(y));\nendmodule": "A of INVX1 u must be connected",
    "module m(input a, output y);\n assign y = a;": "must end with endmodule, but the file ends",
    "module m(input a, output y);\n assign y = a[2];\nendmodule": r"a\[2:2\] must lie within a, which is one bit",
    "module m(input a, output y);\n assign y = 1'bx;\nendmodule": "must be 0s and 1s, not 1'bx",
    "module m(input a, inout y);\nendmodule": "not inout",
    "module m(a, y);\n input a;\n assign y = a;\nendmodule": "port y of m must be declared input or output",
    "module m(input a, output y);\n m u(a, y);\nendmodule": "must have one module that no other instantiates, not none",
    "module m(input a, output y);\n assign y = a;\nendmodule module n(output z); assign z = 1'b1; endmodule": "not m, n; name one with top",
    "module m(input a, output y);\n not (~a, y);\nendmodule": "only nets can be driven",
    "module m(input [99999999:0] a, output y);\nendmodule": "at most 65536 bits",
    "module m(input [63:0] a, output [64:0] y);\n assign y = a;\nendmodule": "at most 64 bits together, but m has 65",
    "module m(input a); endmodule": "must have an output",
    "hello": "a module must start here, not 'hello'",
    "": "must hold a Verilog module",
    "module m(input a, output y); assign y = é; endmodule": "'é' must not stand here",
    "module m(input a, output y); assign y = " + "(" * 4000 + "a" + ")" * 4000 + "; endmodule": "nested this deeply",
}


@pytest.mark.parametrize("text", BROKEN_VERILOG, ids=lambda text: text[:60])
def test_broken_verilog(text: str) -> None:
    with pytest.raises(CircuitError, match=BROKEN_VERILOG[text]):
        from_verilog(text)


def test_top_is_chosen_or_named() -> None:
    text = "module m(input a, output y); n u(a, y); endmodule module n(input a, output y); assign y = ~a; endmodule"
    assert from_verilog(text).name == "m"
    assert from_verilog(text, top="n").name == "n"
    with pytest.raises(CircuitError, match="has no module 'q'"):
        from_verilog(text, top="q")
    with pytest.raises(CircuitError, match="must not contain itself"):
        from_verilog("module m(input a, output y); n u(a, y); endmodule module n(input a, output y); n u(a, y); endmodule", top="n")


BLIF = """# by hand
.model top
.inputs a[0] a[1] \\
  b
.outputs y z one zero
.names a[0] a[1] b y  # majority, in its zeros
00- 0
0-0 0
-00 0
.names a[0] a[1] b n4 n5 n6 z
111111 1
0----- 1
.names a[0] n4
1 1
.names a[1] n5
0 0
.names b n6
1 1
.names one
1
.names zero
.subckt inner p=a[0] q=unused
.end
.model inner
.inputs p
.outputs q
.gate INVX1 A=p Y=q
.end
"""


def test_foreign_blif() -> None:
    circuit = from_blif(BLIF)
    assert [(bus.name, bus.width) for bus in (*circuit.inputs, *circuit.outputs)] == [
        ("a", 2),
        ("b", 1),
        *((n, 1) for n in ("y", "z", "one", "zero")),
    ]
    found = table(circuit)
    for a in range(4):
        for b in range(2):
            ones = a.bit_count() + b
            assert found[a, b] == int(ones >= 2) | int(ones == 3 or not a & 1) << 1 | 1 << 2


BROKEN_BLIF = {
    ".model m\n.inputs a\n.outputs y\n.latch a y re c 0\n.end": "line 4: a circuit must hold no state, but .latch is here",
    ".model m\n.inputs a\n.outputs y\n.names a b y\n11 1\n.end": "net b, read at line 4, must be driven",
    ".model m\n.inputs a\n.outputs y\n.names a y\n1 1\n.names a y\n0 1\n.end": "net y must have one driver, but is driven at line 4",
    ".model m\n.inputs a\n.outputs y\n.names a y y\n11 1\n.end": "must not have cycles, but y <- y",
    ".model m\n.inputs a\n.outputs y\n.names a y\n11 1\n.end": "a cover of 1 inputs must be 1 of 0, 1, -",
    ".model m\n.inputs a\n.outputs y\n.names a y\n1 1\n0 0\n.end": "must list the 1s or the 0s of y, not both",
    ".model m\n.inputs a\n.outputs y\n.subckt foo p=a q=y\n.end": "foo is no known cell",
    ".model m\n.inputs a\n.outputs y\n.gate INVX1 A=a\n.names a y\n1 1\n.gate INVX1 B=a\n.end": "INVX1 has no pin 'B'",
    ".model m\n.inputs a c\n.outputs y\n.gate DFFPOSX1 D=a CLK=c Q=y\n.end": "DFFPOSX1 is a flip-flop or latch",
    ".model m\n.inputs a[0] a[2]\n.outputs y\n.names a[0] y\n1 1\n.end": "bus a must have all bits from 0 to 2, but 2 are listed",
    ".model m\n.inputs a a\n.outputs y\n.end": "a must be listed once",
    ".model m\n.frobnicate\n.end": "frobnicate is no directive",
    ".names a y\n1 1": ".model must come first",
    "hello": "is this BLIF",
    "": "must hold a BLIF model",
    ".model m\n.inputs a\n.outputs y\n.subckt m a=a y=y\n.end": "model m must not contain itself",
}


@pytest.mark.parametrize("text", BROKEN_BLIF, ids=lambda text: text[:60])
def test_broken_blif(text: str) -> None:
    with pytest.raises(CircuitError, match=BROKEN_BLIF[text]):
        from_blif(text)


def test_files(tmp_path: Path) -> None:
    with pytest.raises(CircuitError, match=r"none.v must be a readable netlist file"):
        read_verilog(tmp_path / "none.v")
    (tmp_path / "binary.blif").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CircuitError, match="must be a readable netlist file"):
        read_blif(tmp_path / "binary.blif")
    with pytest.raises(OutputError, match="could not be written"):
        write_verilog(adder(4), tmp_path / "no" / "c.v")


def test_deep_netlists_need_no_deep_stack() -> None:
    chain = "".join(f" assign w{i} = ~w{i + 1};\n" for i in range(1500))
    circuit = from_verilog(f"module m(input a, output y);\n{chain} assign w1500 = a;\n assign y = w0;\nendmodule", simplify=False)
    assert circuit.levels() == 1500
    np.testing.assert_array_equal(table(circuit), [0, 1])


YOSYS = """
from pyosys import libyosys as ys
design = ys.Design()
for command in {commands!r}:
    ys.run_pass(command, design)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "circuit", [multiplier(8, kind="dadda", signed=True), adder(12, kind="brent_kung"), units.get("drum(k=4)").circuit()]
)
def test_through_yosys(circuit: Circuit, tmp_path: Path) -> None:
    """Another tool reads what is written, optimises it, and what it writes is read here: the function stays."""
    pytest.importorskip("pyosys")
    write_verilog(circuit, tmp_path / "in.v")
    write_blif(circuit, tmp_path / "in.blif")
    for source, command in (("in.v", "read_verilog"), ("in.blif", "read_blif")):
        commands = [f"{command} {tmp_path / source}", f"hierarchy -top {circuit.name}", "synth -flatten", "abc -g gates", "opt_clean"]
        writes = [
            f"write_verilog -noattr {tmp_path / 'a.v'}",
            f"write_verilog -noexpr {tmp_path / 'b.v'}",
            f"write_blif {tmp_path / 'c.blif'}",
        ]
        code = YOSYS.format(commands=[*commands, *writes])
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)
        for again in (
            read_verilog(tmp_path / "a.v"),
            read_verilog(tmp_path / "b.v"),
            read_blif(tmp_path / "c.blif", signed=circuit.signed),
        ):
            if source == "in.v":
                assert equivalent(circuit, again)
