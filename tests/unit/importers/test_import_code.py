"""Functions in C and Python: what their names say is taken, what they do is evaluated in time, and nothing runs untrusted."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from inexact.core.errors import FormatError
from inexact.importers import Statement, import_unit
from inexact.importers._functions import declared, declared_in_c
from inexact.units import from_table, get

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None and shutil.which("gcc") is None, reason="no C compiler")

SWAPPED = """#include <stdint.h>
// the weight is the first parameter; the low half of the activation counts double
uint64_t mul8u_swapped(const uint64_t B, const uint64_t A) { return A * B + (A & 15); }
"""

PATTERNS = """#include <stdint.h>
uint16_t mul8s_patterns(uint8_t a, uint8_t b) { return (uint16_t)((int8_t)a * (int8_t)b); }
"""


def _file(path: Path, name: str, text: str) -> Path:
    (path / name).write_text(text)
    return path / name


@needs_compiler
def test_c_parameters_named_b_a_are_swapped(tmp_path: Path) -> None:
    found = import_unit(_file(tmp_path, "m.c", SWAPPED), trust=True)
    a = np.arange(256)
    assert found.unit == from_table(np.multiply.outer(a, a) + (a & 15)[:, None], signed=False)
    assert "the parameters are named B, A" in found.assumptions
    assert "the name mul8u_swapped tells 8x8 bits" in found.assumptions


@needs_compiler
def test_signed_c_function_typed_as_unsigned_returns_patterns(tmp_path: Path) -> None:
    assert import_unit(_file(tmp_path, "m.c", PATTERNS), trust=True).unit.sha256 == get("exact(signed=true)").sha256


def test_python_function(tmp_path: Path) -> None:
    path = _file(tmp_path, "m.py", "def cut(act, weight):\n    return (act & ~3) * weight\n")
    found = import_unit(f"{path}:cut", Statement(width=(8, 6), signed=False), trust=True)
    assert found.unit.width == (8, 6)
    assert np.array_equal(found.unit.table(), np.multiply.outer(np.arange(256) & ~3, np.arange(64)))


REFUSED = {
    "loop": ("m.py", "def mul4u(a, b):\n    while True: pass\n", ":mul4u", "must finish all operand pairs within 1 s"),
    "raises": ("m.py", "def mul4u(a, b):\n    return 1 // 0\n", ":mul4u", "ZeroDivisionError"),
    "fraction": ("m.py", "def mul4u(a, b):\n    return a / 3\n", ":mul4u", "must return an integer, not 0.333"),
    "exit": ("m.py", "import os\ndef mul4u(a, b):\n    os._exit(7)\n", ":mul4u", "must not crash, but its process ended with code 7"),
    "no such function": ("m.py", "def f(a, b): return a * b\n", ":g", "must define a function g; it defines f"),
    "one operand": ("m.py", "def f(a): return a\n", ":f", "must take two operands, but takes 1"),
    "syntax": ("m.py", "def f(a, b) return", ":f", "must be a readable Python file"),
    "no name": ("m.py", "def f(a, b): return a * b\n", "", "needs the name of the function to import"),
    "no width": ("m.py", "def f(a, b): return a * b\n", ":f", "the operand width of f must be known.*--width"),
    "too wide": ("m.py", "def mul16u(a, b): return a * b\n", ":mul16u", "up to 20 operand bits together, not 32"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_python_refusals(tmp_path: Path, name: str) -> None:
    file, text, function, message = REFUSED[name]
    with pytest.raises(FormatError, match=message):
        import_unit(f"{_file(tmp_path, file, text)}{function}", trust=True, limit_s=1 if name == "loop" else 30)


C_REFUSED = {
    "does not compile": ("int mul4u(int a, int b) { return a * c; }", "must compile as C: .*error"),
    "loop": ("int mul4u(int a, int b) { for (volatile int i = 0;; ++i) {} }", "must finish all operand pairs within 1 s"),
    "crash": ("int mul4u(int a, int b) { return *(volatile int*)0; }", "must not crash"),
    "two functions": (
        "int f(int a, int b) { return 1; }\nint g(int a, int b) { return 2; }",
        "one function of two operands, but defines f, g",
    ),
    "none": ("int x = 3;", "one function of two operands, but defines none"),
}


@needs_compiler
@pytest.mark.parametrize("name", C_REFUSED)
def test_c_refusals(tmp_path: Path, name: str) -> None:
    text, message = C_REFUSED[name]
    with pytest.raises(FormatError, match=message):
        import_unit(_file(tmp_path, "m.c", text), trust=True, limit_s=1 if name == "loop" else 30)


def test_code_needs_trust(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = _file(tmp_path, "m.py", f"open({str(marker)!r}, 'w').close()\ndef mul4u(a, b): return a * b\n")
    with pytest.raises(FormatError, match="is code that would run on this machine; read it, then allow it with --trust"):
        import_unit(f"{path}:mul4u")
    assert not marker.exists()


def test_names_tell_width_and_sign() -> None:
    assert declared("mul8s_1L2H", ("A", "B")).width == (8, 8)
    assert declared("mul8s_1L2H", ("A", "B")).signed is True
    assert declared("mul8x4u", ("a", "b")).width == (8, 4)
    assert declared("approx", ("p", "q")).swapped is None


def test_helpers_of_one_operand_are_no_candidates(tmp_path: Path) -> None:
    text = "static int low(int v) { return v & 3; }\nint mul4u(int x, int w)\n{\n  if (x) { return low(x) * w; }\n  return 0;\n}\n"
    assert declared_in_c(_file(tmp_path, "m.c", text), None).name == "mul4u"
