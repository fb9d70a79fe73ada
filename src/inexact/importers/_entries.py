"""Reading the numbers of a table file: numpy, text, C header, raw binary. What they mean is judged by `_evidence`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FormatError, near

MAX_BYTES = 64 << 20
"""Largest table file read: 2**20 entries as text of generous width."""

FEW = 8
"""Names of arrays that a message lists."""

NUMPY, TEXT, HEADER, BINARY = (".npy", ".npz"), (".csv", ".txt", ".dat", ".lut"), (".h", ".hpp", ".inc"), (".bin", ".raw")


@dataclass(frozen=True, kw_only=True)
class Entries:
    """Numbers as they stand in a file. values: integers, flat or rows by columns. notes: what reading them took for granted.

    index_known: rows and columns came with their operand values, so nothing about the order is left to guess.
    """

    values: NDArray[np.generic]
    notes: tuple[str, ...] = ()
    signed_operands: bool | None = None


def read_entries(path: Path, array: str | None = None) -> list[Entries]:
    """The entries of a table file, in every way its bytes can be read (one, except for raw binary). array: which one of an .npz file.

    FormatError when the file is missing, too large, empty, no table, or holds anything but integers.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FormatError(f"{path} must be a readable file: {error.strerror}") from error
    if not 0 < size <= MAX_BYTES:
        raise FormatError(f"{path} must hold 1 byte to {MAX_BYTES >> 20} MB, not {size} bytes")
    suffix = path.suffix.lower()
    if suffix in NUMPY:
        return [_numpy(path, array)]
    if suffix in HEADER:
        return [_header(path)]
    if suffix in BINARY:
        return _binary(path)
    return [_text(path)]


def _numpy(path: Path, name: str | None) -> Entries:
    try:
        found = np.load(path, allow_pickle=False)
        if path.suffix.lower() == ".npz":
            with found:
                found = found[_chosen(path, list(found.keys()), name)]
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path} must be a readable numpy file without pickled objects: {error}") from error
    array = np.asarray(found)
    if array.dtype.kind == "f" and array.size and np.array_equal(array, np.rint(array)):
        return Entries(values=array.astype(np.int64), notes=(f"entries are whole numbers stored as {array.dtype}",))
    if array.dtype.kind not in "iu" or array.ndim not in (1, 2):
        raise FormatError(f"{path} must hold a flat or two-dimensional array of integers, not {array.dtype} of shape {array.shape}")
    return Entries(values=array)


def _chosen(path: Path, names: list[str], name: str | None) -> str:
    """The array that is meant: the one named, else `lut`, else the only one."""
    if name is not None:
        if name not in names:
            raise FormatError(f"{path} must hold an array {name!r}; it holds none{near(name, names)} Arrays: {_few(names)}")
        return name
    if "lut" not in names and len(names) != 1:
        raise FormatError(f"{path} must hold one array or one called 'lut', or be given as {path}:NAME; it holds {_few(names)}")
    return "lut" if "lut" in names else names[0]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more or "none"


_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|^\s*#[^\n]*", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|\d+)")


def _text(path: Path) -> Entries:
    lines = [line for line in _COMMENT.sub("", _decoded(path)).splitlines() if line.strip()]
    rows = [re.split(r"[\s,;]+", line.strip(" \t,;")) for line in lines]
    if rows and not all(_NUMBER.fullmatch(word) for word in rows[0]):
        rows = rows[1:]  # a line of column names
    for number, row in enumerate(rows, start=1):
        bad = next((word for word in row if not _NUMBER.fullmatch(word)), None)
        if bad is not None:
            raise FormatError(f"{path} must hold integers separated by blanks, commas or semicolons, but row {number} has {bad!r}")
    lengths = {len(row) for row in rows}
    if not rows:
        raise FormatError(f"{path} must hold numbers, but there is none")
    if len(lengths) > 1 and len(rows) > 1 and lengths != {1}:
        flat = [int(word, 0) for row in rows for word in row]
        return Entries(values=np.array(flat, np.int64), notes=("lines of unequal length are read as one sequence",))
    table = np.array([[_whole(word, path) for word in row] for row in rows], np.int64)
    if table.shape[1] == 3 and len(table) & (len(table) - 1) == 0 and len(table) > 4:
        return _triples(table, path)
    return Entries(values=table.reshape(-1) if 1 in table.shape else table)


def _triples(table: NDArray[np.int64], path: Path) -> Entries:
    """Lines "a b product": the operand values say everything about the order."""
    low, high = table[:, :2].min(axis=0), table[:, :2].max(axis=0)
    spans = (high - low + 1).tolist()
    if spans[0] * spans[1] != len(table) or any(s & (s - 1) for s in spans):
        raise FormatError(f"{path} must list all {spans[0]} x {spans[1]} pairs of operands as 'a b product', but has {len(table)} lines")
    lut = np.full((spans[0], spans[1]), np.iinfo(np.int64).min)
    lut[table[:, 0] % spans[0], table[:, 1] % spans[1]] = table[:, 2]
    if (lut == np.iinfo(np.int64).min).any():
        raise FormatError(f"{path} must list every pair of operands once, but some are missing")
    return Entries(values=lut, notes=("lines are 'a b product'",), signed_operands=bool(low.min() < 0))


def _header(path: Path) -> Entries:
    text = _COMMENT.sub("", _decoded(path))
    arrays = list(re.finditer(r"(?P<type>\w[\w\s]*?)\s+\w+\s*(?P<sizes>(?:\[[^\]]*\]\s*)+)=\s*\{", text))
    if len(arrays) != 1:
        raise FormatError(f"{path} must define exactly one array '= {{ … }}', but defines {len(arrays)}")
    found = arrays[0]
    body = text[found.end() : text.find(";", found.end())]
    if re.search(r"[^\s{},\-+0-9a-fA-FxXuUlL]", body):
        raise FormatError(f"{path} must initialise its array with integer constants only")
    numbers = np.array([_whole(word, path) for word in _NUMBER.findall(body)], np.int64)
    sizes = [int(word) for word in re.findall(r"\[\s*(\d+)\s*\]", found["sizes"])]
    if len(sizes) == 2 and sizes[0] * sizes[1] != len(numbers):
        raise FormatError(f"{path} must initialise all {sizes[0]}x{sizes[1]} entries, but gives {len(numbers)}")
    return Entries(values=numbers.reshape(sizes) if len(sizes) == 2 else numbers)


def _binary(path: Path) -> list[Entries]:
    data = path.read_bytes()
    found = []
    for size in (1, 2, 4, 8):
        count = len(data) // size
        if len(data) % size or count & (count - 1) or not 16 <= count <= 1 << 20:
            continue
        for order in "<>" if size > 1 else "<":
            for kind in "iu":
                ends = "" if size == 1 else " little-endian" if order == "<" else " big-endian"
                note = f"entries are {size * 8}-bit {'signed' if kind == 'i' else 'unsigned'}{ends}"
                values = np.frombuffer(data, np.dtype(f"{order}{kind}{size}"))
                if kind == "u" and size == 8 and values.max() >= 2**63:
                    continue
                found.append(Entries(values=values, notes=(note,)))
    if not found:
        raise FormatError(f"{path} must hold 2**n entries of 1, 2, 4 or 8 bytes, but holds {len(data)} bytes")
    return found


def _whole(word: str, path: Path) -> int:
    try:
        value = int(word, 0) if "x" in word.lower() else int(word)
    except ValueError as error:
        raise FormatError(f"{path} must hold integers, but has {word!r}") from error
    if not -(2**31) <= value < 2**32:
        raise FormatError(f"entries of {path} must fit 32 bits, but one is {value}")
    return value


def _decoded(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} must be a text file; for raw binary let its name end in .bin") from error
