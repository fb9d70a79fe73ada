"""`import_unit`: which importer a file needs."""

from __future__ import annotations

from pathlib import Path

from inexact.core.errors import FormatError
from inexact.importers._entries import BINARY, HEADER, NUMPY, TEXT
from inexact.importers._functions import LIMIT_S
from inexact.importers._netlist_file import import_netlist
from inexact.importers._statement import Imported, Statement
from inexact.importers._table_file import import_function, import_table

CODE, NETLIST, ARCHIVE = (".py", ".c"), (".v", ".sv", ".blif"), ".npz"
SUFFIXES = (*NUMPY, *TEXT, *HEADER, *BINARY, *CODE, *NETLIST)


def import_unit(source: str | Path, stated: Statement | None = None, *, trust: bool = False, limit_s: float = LIMIT_S) -> Imported:
    """The unit in a file; `source` may end in :FUNCTION for code, :MODULE for netlists, :ARRAY for .npz files.

    Netlists: BLIF, structural Verilog, and behavioural Verilog through Yosys (extra `synth`). Tables: .npy, .npz, .csv, .txt, .dat,
    .lut, a C header with one array, raw .bin. Code, only with `trust`: a Python function (FILE.py:FUNCTION) or a C file, evaluated
    over all operand pairs in a process of its own. limit_s: seconds for code, and for Yosys.
    Widths, sign, index order and operand order are found by evidence unless `stated`; `Imported.assumptions` lists what was assumed.
    FormatError when the file is unreadable, resembles no multiplier, or could be read in two ways; CircuitError for a netlist that is
    malformed, cyclic, undriven, driven twice or holds a state.
    """
    path, name = _split(str(source))
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise FormatError(f"{path} must end in one of {' '.join(SUFFIXES)}, so that its format is known")
    if not path.is_file():
        raise FormatError(f"{path} must be a file that exists")
    stated = stated or Statement()
    if suffix in NETLIST:
        return import_netlist(path, stated, top=name, limit_s=limit_s)
    if suffix not in CODE:
        return import_table(path, stated, name)
    if not trust:
        raise FormatError(f"{path} is code that would run on this machine; read it, then allow it with --trust")
    return import_function(path, name, stated, limit_s)


def _split(source: str) -> tuple[Path, str | None]:
    """FILE.py:FUNCTION as (FILE.py, FUNCTION), likewise for netlists and .npz files; any other name as it is."""
    head, colon, tail = source.rpartition(":")
    if colon and tail.isidentifier() and Path(head).suffix.lower() in (*CODE, *NETLIST, ARCHIVE):
        return Path(head), tail
    return Path(source), None
