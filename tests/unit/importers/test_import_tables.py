"""Every way a table can be written is read as the same unit; what could be read in two ways is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inexact.core.errors import FormatError
from inexact.importers import Statement, import_unit
from inexact.importers._evidence import read_by_evidence
from inexact.units import from_table

Writer = Callable[[Path, NDArray[np.int64]], Path]


def noisy(width: tuple[int, int], *, signed: bool, seed: int = 0, error: float = 0.05) -> NDArray[np.int64]:
    """An asymmetric table near a*b, index = bit pattern."""
    values = [np.arange(1 << bits) for bits in width]
    if signed:
        values = [np.where(v >> (bits - 1) == 1, v - (1 << bits), v) for v, bits in zip(values, width, strict=True)]
    exact = np.multiply.outer(*values)
    random = np.random.default_rng(seed)
    lut = exact + np.rint(error * np.abs(exact).max() * random.uniform(-1, 1, exact.shape)).astype(np.int64)
    return np.asarray(lut if signed else np.maximum(lut, 0), np.int64)


def _npy(path: Path, lut: NDArray[np.int64]) -> Path:
    np.save(path / "t.npy", lut)
    return path / "t.npy"


def _npz(path: Path, lut: NDArray[np.int64]) -> Path:
    np.savez(path / "t.npz", lut=lut)
    return path / "t.npz"


def _float(path: Path, lut: NDArray[np.int64]) -> Path:
    return _npy(path, lut.astype(np.float64))


def _flat(path: Path, lut: NDArray[np.int64]) -> Path:
    return _npy(path, lut.reshape(-1))


def _csv(path: Path, lut: NDArray[np.int64]) -> Path:
    np.savetxt(path / "t.csv", lut, fmt="%d", delimiter=",")
    return path / "t.csv"


def _txt(path: Path, lut: NDArray[np.int64]) -> Path:
    text = "# one product a line\n" + "\n".join(str(v) for v in lut.reshape(-1))
    (path / "t.txt").write_text(text)
    return path / "t.txt"


def _header(path: Path, lut: NDArray[np.int64]) -> Path:
    rows = ",\n".join("{" + ", ".join(str(v) for v in row) + "}" for row in lut)
    text = f"/* a table */\n#include <stdint.h>\nconst int32_t lut[{lut.shape[0]}][{lut.shape[1]}] = {{ // rows\n{rows}}};\n"
    (path / "t.h").write_text(text)
    return path / "t.h"


def _raw(path: Path, lut: NDArray[np.int64]) -> Path:
    (path / "t.bin").write_bytes(lut.astype("<i4").tobytes())
    return path / "t.bin"


WRITERS = (_npy, _npz, _float, _flat, _csv, _txt, _header, _raw)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__)
def test_all_formats_give_the_same_unit(tmp_path: Path, write: Writer, signed: bool) -> None:
    lut = noisy((8, 8), signed=signed)
    found = import_unit(write(tmp_path, lut), Statement(first="a"))
    assert found.unit == from_table(lut, signed=signed)
    assert any(("signed, two's complement" if signed else "unsigned") in note for note in found.assumptions)


@pytest.mark.parametrize("width", [(4, 4), (8, 4), (5, 7)])
@pytest.mark.parametrize("write", [_npy, _header])
def test_unequal_widths(tmp_path: Path, write: Writer, width: tuple[int, int]) -> None:
    lut = noisy(width, signed=False)
    assert import_unit(write(tmp_path, lut), Statement(first="a")).unit.width == width
    swapped = import_unit(write(tmp_path, lut), Statement(first="b")).unit
    assert swapped.width == width[::-1]
    assert np.array_equal(swapped.table(), lut.T)


def test_numeric_index_order_is_found(tmp_path: Path) -> None:
    lut = noisy((8, 8), signed=True)
    found = import_unit(_npy(tmp_path, np.roll(lut, (128, 128), axis=(0, 1))), Statement(first="a"))
    assert found.unit == from_table(lut, signed=True)
    assert any("index from -128 up" in note for note in found.assumptions)


def test_products_stored_as_bit_patterns_are_found(tmp_path: Path) -> None:
    lut = noisy((8, 8), signed=True).clip(-(2**15), 2**15 - 1)
    found = import_unit(_npy(tmp_path, lut & 0xFFFF), Statement(first="a"))
    assert found.unit == from_table(lut, signed=True)
    assert any("16-bit patterns" in note for note in found.assumptions)


def test_big_endian_raw_bytes_are_found(tmp_path: Path) -> None:
    lut = noisy((8, 8), signed=False).clip(0, 65535)
    (tmp_path / "t.raw").write_bytes(lut.astype(">u2").tobytes())
    found = import_unit(tmp_path / "t.raw", Statement(first="a"))
    assert found.unit == from_table(lut, signed=False)
    assert "entries are 16-bit unsigned big-endian" in found.assumptions


def test_lines_of_operands_and_product_say_everything(tmp_path: Path) -> None:
    lut = noisy((4, 4), signed=True)
    lines = [f"{a} {b} {lut[a % 16, b % 16]}" for a in range(-8, 8) for b in range(-8, 8)]
    (tmp_path / "t.txt").write_text("\n".join(["a b product", *lines]))
    assert import_unit(tmp_path / "t.txt").unit == from_table(lut, signed=True, width=(4, 4))


def test_symmetric_tables_need_no_operand_order(tmp_path: Path) -> None:
    exact = np.multiply.outer(np.arange(256), np.arange(256))
    assert any("does not matter" in note for note in import_unit(_npy(tmp_path, exact)).assumptions)


@given(seed=st.integers(0, 1000), signed=st.booleans(), bits=st.sampled_from([(3, 3), (6, 6), (8, 8), (8, 6)]), numeric=st.booleans())
@settings(deadline=None, max_examples=40)
def test_evidence_finds_sign_and_index_order(seed: int, signed: bool, bits: tuple[int, int], numeric: bool) -> None:
    lut = noisy(bits, signed=signed, seed=seed)
    stored = np.roll(lut, (lut.shape[0] // 2, lut.shape[1] // 2), axis=(0, 1)) if signed and numeric else lut
    reading = read_by_evidence([stored], "table")
    assert reading.signed == signed
    assert np.array_equal(reading.lut, lut)


REFUSED = {
    "unsymmetric": (lambda p: _npy(p, noisy((8, 8), signed=False)), "a swap would go unnoticed.*--first a"),
    "noise": (
        lambda p: _npy(p, np.random.default_rng(0).integers(0, 65026, (256, 256))),
        "must resemble a multiplier, but read as 8x8 unsigned its mean error is",
    ),
    "count": (lambda p: _npy(p, np.zeros((10, 10), np.int64)), r"must hold 2\*\*\(wa\+wb\) entries, wa\+wb in 4..20, but it holds 100"),
    "text": (lambda p: _written(p / "t.csv", "1,2\n3,x\n"), "row 2 has 'x'"),
    "fractions": (lambda p: _npy(p, np.full((16, 16), 0.5)), "array of integers, not float64"),
    "empty": (lambda p: _written(p / "t.txt", ""), "not 0 bytes"),
    "two arrays": (lambda p: _written(p / "t.h", "int a[2] = {1,2}; int b[2] = {1,2};"), "exactly one array.*but defines 2"),
    "expressions": (lambda p: _written(p / "t.h", "int a[2] = {f(1),2};"), "integer constants only"),
    "short header": (lambda p: _written(p / "t.h", "int a[4][4] = {{1,2}};"), "all 4x4 entries, but gives 2"),
    "large": (lambda p: _written(p / "t.csv", "1,2\n3,99999999999\n"), "must fit 32 bits, but one is 99999999999"),
    "odd bytes": (lambda p: _bytes(p / "t.bin", 7), "but holds 7 bytes"),
    "broken numpy": (lambda p: _written(p / "t.npy", "not numpy"), "must be a readable numpy file"),
    "missing": (lambda p: p / "none.npy", "must be a file that exists"),
    "unknown": (lambda p: _written(p / "t.xyz", "1"), "must end in one of .npy"),
    "binary text": (lambda p: _bytes(p / "t.txt", 300), "must be a text file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(FormatError, match=message):
        import_unit(make(tmp_path))  # type: ignore[no-untyped-call]


def test_a_table_that_could_be_signed_or_not_is_refused(tmp_path: Path) -> None:
    # a*b of small operands only: outside, both readings are equally wrong
    lut = np.zeros((16, 16), np.int64)
    lut[:8, :8] = np.multiply.outer(np.arange(8), np.arange(8))
    with pytest.raises(FormatError, match=r"must (be readable in one way|resemble)"):
        import_unit(_npy(tmp_path, lut))


def test_what_is_stated_is_taken(tmp_path: Path) -> None:
    lut = np.random.default_rng(0).integers(-100, 100, (16, 16))
    found = import_unit(_npy(tmp_path, lut), Statement(width=(4, 4), signed=True, index="pattern", first="a"))
    assert found.unit == from_table(lut, signed=True, width=(4, 4))


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _bytes(path: Path, count: int) -> Path:
    path.write_bytes(bytes(range(128, 256)) * 3 if count == 300 else b"\xff" * count)
    return path


def test_arrays_of_a_file_are_named(tmp_path: Path) -> None:
    codes = np.arange(16)
    tables = {f"mul4u_{n}": np.outer(codes, codes) & ~n for n in range(10)}
    np.savez(tmp_path / "many.npz", **tables)  # type: ignore[arg-type]
    found = import_unit(f"{tmp_path / 'many.npz'}:mul4u_3")
    np.testing.assert_array_equal(found.unit.table(), tables["mul4u_3"])
    with pytest.raises(FormatError, match=r"be given as .*many.npz:NAME; it holds mul4u_0, .*, mul4u_7 and 2 more$"):
        import_unit(tmp_path / "many.npz")
    with pytest.raises(FormatError, match=r"must hold an array 'mul4u_33'; it holds none; did you mean 'mul4u_3'.* Arrays: mul4u_0"):
        import_unit(f"{tmp_path / 'many.npz'}:mul4u_33")
