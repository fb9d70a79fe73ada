"""From a table file, a Python function or a C file to a table unit, with everything that was taken for granted said aloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FormatError
from inexact.importers._entries import read_entries
from inexact.importers._evidence import INDICES, Index, Reading, read_by_evidence
from inexact.importers._functions import Declared, check_size, declared_in_c, declared_in_python, evaluate_c, evaluate_python
from inexact.importers._statement import Imported, Side, Statement
from inexact.units import from_table


def import_table(path: Path, stated: Statement, array: str | None = None) -> Imported:
    """A unit from a table file (.npy, .npz with its `array`, .csv, .txt, C header, raw .bin). FormatError as `import_unit`."""
    entries = read_entries(path, array)
    signed = stated.signed if stated.signed is not None else entries[0].signed_operands
    index: tuple[Index, ...] = INDICES if stated.index is None else (stated.index,)
    if entries[0].signed_operands is not None:
        index = ("unsigned",) if not entries[0].signed_operands else ("pattern",)
    reading = read_by_evidence([e.values for e in entries], str(path), width=_by_index(stated), signed=signed, index=index)
    return _oriented(reading, str(path), stated, entries[reading.source].notes, explicit=entries[0].signed_operands is not None)


def import_function(path: Path, function: str | None, stated: Statement, limit_s: float) -> Imported:
    """A unit from a Python function (`function` named) or a C file, evaluated over all pairs. FormatError as `import_unit`."""
    python = path.suffix.lower() == ".py"
    if python and function is None:
        raise FormatError(f"{path} needs the name of the function to import, as {path}:FUNCTION")
    declared = declared_in_python(path, function or "") if python else declared_in_c(path, function)
    first = stated.first or {None: None, True: "b", False: "a"}[declared.swapped]
    width = _by_index(stated, first) or declared.width
    if width is None:
        raise FormatError(
            f"the operand width of {declared.name} must be known: its name does not tell (as mul8s_… does); state it with --width"
        )
    check_size(width)
    signed = stated.signed if stated.signed is not None else declared.signed
    values = tuple(_patterns(bits, signed=bool(signed)) for bits in width)
    lut = (
        evaluate_python(path, declared.name, (values[0], values[1]), limit_s)
        if python
        else evaluate_c(path, declared, (values[0], values[1]), limit_s)
    )
    reading = read_by_evidence([lut], declared.name, width=width, signed=signed, index=("unsigned", "pattern"))
    return _oriented(reading, declared.name, stated, _declaration(declared, stated), first=first)


def _oriented(
    reading: Reading, name: str, stated: Statement, notes: tuple[str, ...], *, first: Side | None = None, explicit: bool = False
) -> Imported:
    """The unit with rows = a, once it is known which index is a."""
    first = stated.first or first or ("a" if explicit else None)
    lut = reading.lut
    symmetric = lut.shape[0] == lut.shape[1] and np.array_equal(lut, lut.T)
    notes = (*notes, f"read as {reading}: mean error {reading.score:.2%} of the mean product")
    if symmetric:
        notes = (*notes, "the table is symmetric, so the operand order does not matter")
    elif first is None:
        raise FormatError(
            f"the operand order of {name} must be known: its table is not symmetric, and a swap would go unnoticed; "
            "state which operand the first index is with --first a (activation) or --first b (weight)"
        )
    else:
        notes = (*notes, f"the first index is {first}, the {'activation' if first == 'a' else 'weight'}")
    if first == "b" and not symmetric:
        lut = lut.T
    unit = from_table(lut, signed=reading.signed, width=(lut.shape[0].bit_length() - 1, lut.shape[1].bit_length() - 1))
    return Imported(unit=unit, assumptions=notes, score=reading.score)


def _by_index(stated: Statement, first: Side | None = None) -> tuple[int, int] | None:
    """The stated widths in the order of the indices."""
    if stated.width is None:
        return None
    return stated.width[::-1] if (stated.first or first) == "b" else stated.width


def _patterns(bits: int, *, signed: bool) -> NDArray[np.int64]:
    patterns = np.arange(1 << bits, dtype=np.int64)
    return np.where(patterns >> (bits - 1) == 1, patterns - (1 << bits), patterns) if signed else patterns


def _declaration(declared: Declared, stated: Statement) -> tuple[str, ...]:
    notes = []
    if declared.width is not None and stated.width is None:
        notes.append(f"the name {declared.name} tells {declared.width[0]}x{declared.width[1]} bits")
    if declared.signed is not None and stated.signed is None:
        notes.append(f"the name {declared.name} tells {'signed' if declared.signed else 'unsigned'} operands")
    if declared.swapped is not None and stated.first is None:
        notes.append(f"the parameters are named {declared.parameters[0]}, {declared.parameters[1]}")
    return tuple(notes)
