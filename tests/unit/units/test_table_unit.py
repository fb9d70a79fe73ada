"""Units given by their table: identity by content, files, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from inexact import units
from inexact.core.errors import FormatError, SpecError
from inexact.units.table import TableUnit


@pytest.fixture
def lut() -> np.ndarray:
    return np.random.default_rng(5).integers(-40000, 40000, size=(256, 256)).astype(np.int32)


def test_from_table_holds_a_private_read_only_copy(lut: np.ndarray) -> None:
    unit = units.from_table(lut, signed=False)
    before = lut.copy()
    lut[0, 0] += 1
    assert np.array_equal(unit.table(), before)
    assert not unit.table().flags.writeable


def test_asymmetric_and_signed_look_up(lut: np.ndarray) -> None:
    unit = units.from_table(lut, signed=True)
    assert int(unit(-1, 3)) == lut[255, 3]
    assert int(unit(3, -1)) == lut[3, 255]
    assert np.array_equal(unit.table(), lut)


def test_spec_round_trip_within_the_process(lut: np.ndarray) -> None:
    unit = units.from_table(lut, signed=True)
    assert units.get(unit.spec) == unit
    assert unit.content == unit.sha256


def test_same_table_is_the_same_unit(lut: np.ndarray) -> None:
    assert units.from_table(lut, signed=False) == units.from_table(lut.astype(np.int64), signed=False)
    assert units.from_table(lut, signed=False) != units.from_table(lut, signed=True)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_files(tmp_path: Path, lut: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"unit{suffix}"
    if suffix == ".npy":
        np.save(path, lut)
    elif suffix == ".npz":
        np.savez(path, lut=lut, other=np.zeros(3))
    else:
        np.savetxt(path, lut, fmt="%d", delimiter=",")
    unit = units.get(f"table(path='{path}')")
    assert np.array_equal(unit.table(), lut)
    assert units.get(unit.spec) == unit
    assert unit.sha256 in unit.spec


def test_save_gives_a_unit_that_names_its_file(tmp_path: Path, lut: np.ndarray) -> None:
    saved = units.from_table(lut, signed=True).save(tmp_path / "unit")
    assert (tmp_path / "unit.npy").is_file()
    assert units.get(saved.spec).sha256 == saved.sha256
    assert [p.name for p in tmp_path.iterdir()] == ["unit.npy"]


def test_paths_may_be_path_objects(tmp_path: Path, lut: np.ndarray) -> None:
    np.save(tmp_path / "unit.npy", lut)
    unit = TableUnit(path=tmp_path / "unit.npy")  # type: ignore[arg-type]
    assert units.get(unit.spec) == unit


def test_a_changed_file_is_another_unit(tmp_path: Path, lut: np.ndarray) -> None:
    path = tmp_path / "unit.npy"
    np.save(path, lut)
    spec = units.get(f"table(path='{path}')").spec
    np.save(path, lut + 1)
    with pytest.raises(FormatError, match=r"must have SHA-256 [0-9a-f]{64}, but it has [0-9a-f]{64}; it is another unit"):
        units.get(spec)


def test_unequal_width(tmp_path: Path) -> None:
    table = np.arange(256 * 16).reshape(256, 16)
    unit = units.from_table(table, signed=False, width=(8, 4))
    assert int(unit(200, 15)) == 200 * 16 + 15
    with pytest.raises(FormatError, match=r"\(256, 256\), but the given array has \(256, 16\); its width is \(8, 4\)$"):
        units.from_table(table, signed=False)
    with pytest.raises(FormatError, match=r"a table for width 8x8 must have shape \(256, 256\), but the given array has \(255, 16\)$"):
        units.from_table(table[1:], signed=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((256, 256)), "a table must hold integers, but the given array holds float64"),
        (np.full((256, 256), 2**31), r"entries of a table must fit 32 bits .*, but the given array has 2147483648\.\.2147483648"),
        (np.zeros((128, 256), dtype=np.int32), r"must have shape \(256, 256\), but the given array has \(128, 256\)"),
    ],
)
def test_bad_tables(content: np.ndarray, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        units.from_table(content, signed=False)


def test_spec_needs_a_path_or_a_known_hash() -> None:
    with pytest.raises(SpecError, match=r"table needs path=, a file with the truth table, as in table\(path='unit.npy'\)"):
        units.get("table")
    with pytest.raises(SpecError, match="no table with SHA-256 'abc' was met in this process; save the unit and use"):
        units.get("table(content=abc)")


def test_too_wide_for_a_table() -> None:
    with pytest.raises(SpecError, match="a table needs at most 20 operand bits together, not 22"):
        units.get("table(path='x.npy',width=11)")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.npy", None, "must be a readable table file: .*No such file"),
        ("cut.npy", b"\x93NUMPY\x01\x00", "must be a readable table file"),
        ("evil.npy", pickle.dumps({"a": 1}), "must be a readable table file"),
        ("words.csv", b"a,b\nc,d\n", "must be a readable table file"),
        ("unit.txt", b"1 2", r"a table file must end in \.npy, \.npz or \.csv"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        units.get(f"table(path='{path}')")


def test_archive_without_a_clear_table(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", x=np.zeros(1), y=np.zeros(1))
    with pytest.raises(FormatError, match="must hold one array or one called 'lut', but holds x, y"):
        units.get(f"table(path='{tmp_path / 'two.npz'}')")


def test_the_circuit_of_a_table_is_unknown(lut: np.ndarray) -> None:
    assert units.from_table(lut, signed=False).gates() is None


def test_tables_of_equal_bytes_and_other_shape_are_other_units() -> None:
    lut = np.arange(2**12)
    tall, wide = (
        units.from_table(lut.reshape(256, 16), signed=False, width=(8, 4)),
        units.from_table(lut.reshape(32, 128), signed=False, width=(5, 7)),
    )
    assert tall.content == wide.content
    assert tall != wide
    assert tall.table().shape == (256, 16)
    assert wide.table().shape == (32, 128)
