"""Importing code: a Python function or a C file, run over all operand pairs in a process of its own, with a time limit."""

from __future__ import annotations

import ctypes
import importlib.util
import multiprocessing
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FormatError, MissingDependencyError
from inexact.units._base import MAX_TABLE_BITS

LIMIT_S = 60.0
"""Default time limit for evaluating a stranger's function over all pairs, seconds."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a function's declaration says. swapped: the first parameter is the weight b (named B, A). None = it says nothing."""

    name: str
    width: tuple[int, int] | None
    signed: bool | None
    swapped: bool | None
    parameters: tuple[str, str]


def evaluate_python(path: Path, function: str, values: tuple[NDArray[np.int64], NDArray[np.int64]], limit_s: float) -> NDArray[np.int64]:
    """`function(first, second)` of a Python file for all pairs of operand values, as int64 [first, second].

    FormatError when the file or function is missing, raises, returns no integer, or needs more than `limit_s` seconds.
    """
    return _in_time(_call_python, (str(path), function, *values), limit_s, f"{function} of {path}")


def evaluate_c(path: Path, declared: Declared, values: tuple[NDArray[np.int64], NDArray[np.int64]], limit_s: float) -> NDArray[np.int64]:
    """The same for a function of a C file, compiled in a temporary folder that is removed afterwards.

    MissingDependencyError without a C compiler; FormatError when it does not compile, crashes or needs more than `limit_s` seconds.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise MissingDependencyError("importing a C file needs a C compiler (cc, gcc or clang) on the PATH; install one or import a table")
    with tempfile.TemporaryDirectory(prefix="inexact-") as folder:
        library = Path(folder) / "unit.so"
        driver = Path(folder) / "driver.c"
        driver.write_text(_DRIVER.format(source=str(path.resolve()).replace("\\", "\\\\").replace('"', '\\"'), name=declared.name))
        command = [compiler, "-O1", "-shared", "-fPIC", "-std=gnu11", "-w", "-o", str(library), str(driver)]
        try:
            built = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False, cwd=folder)
        except subprocess.TimeoutExpired as error:
            raise FormatError(f"{path} must compile within {limit_s:g} s, but did not") from error
        if built.returncode:
            reason = next((line for line in built.stderr.splitlines() if "error" in line), built.stderr.strip()[:200])
            raise FormatError(f"{path} must compile as C: {reason.replace(folder, '').strip()}")
        return _in_time(_call_c, (str(library), *values), limit_s, f"{declared.name} of {path}")


_DRIVER = """#include <stdint.h>
#include <stddef.h>
#include "{source}"
void inexact_all_pairs(const int64_t* a, size_t n, const int64_t* b, size_t m, int64_t* out) {{
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < m; ++j) out[i * m + j] = (int64_t){name}(a[i], b[j]);
}}
"""

_SIGNATURE = re.compile(r"^[ \t]*(?:static\s+|inline\s+)*(?:const\s+)?[A-Za-z_][\w \t]*?[ \t*]+(\w+)\s*\(([^();]*)\)\s*\{", re.MULTILINE)


def declared_in_c(path: Path, function: str | None) -> Declared:
    """What the only (or named) function of two integers in a C file declares. FormatError when there is none, or more than one."""
    try:
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} must be a readable C file: {error}") from error
    found = {name: [p.strip() for p in parameters.split(",")] for name, parameters in _SIGNATURE.findall(text)}
    two = {name: parameters for name, parameters in found.items() if len(parameters) == 2 and name not in ("if", "for", "while", "switch")}
    if function is not None and function not in two:
        raise FormatError(f"{path} must define a function {function} of two operands; it defines {', '.join(two) or 'none'}")
    if function is None and len(two) != 1:
        raise FormatError(
            f"{path} must define one function of two operands, but defines {', '.join(two) or 'none'}; name it with FILE:FUNCTION"
        )
    name = function or next(iter(two))
    first, second = (re.split(r"[\s*]+", p)[-1] for p in two[name])
    return declared(name, (first, second))


def declared_in_python(path: Path, function: str) -> Declared:
    """What the parameter names of a Python function say, read from the source without running it."""
    import ast

    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise FormatError(f"{path} must be a readable Python file: {error}") from error
    found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if function not in found:
        raise FormatError(f"{path} must define a function {function}; it defines {', '.join(found) or 'none'}")
    names = [argument.arg for argument in found[function].args.args]
    if len(names) < 2:
        raise FormatError(f"{function} of {path} must take two operands, but takes {len(names)}")
    return declared(function, (names[0], names[1]))


_ACTIVATIONS, _WEIGHTS = (
    ("a", "x", "act", "activation", "data", "input", "lhs"),
    ("b", "w", "y", "wt", "weight", "weights", "kernel", "rhs"),
)


def declared(name: str, parameters: tuple[str, str]) -> Declared:
    """Widths and sign from a name such as mul8s_1L2H or mul8x4u, the operand order from parameter names such as (B, A)."""
    first, second = (p.lower() for p in parameters)
    swapped = None
    if first in _ACTIVATIONS and second in _WEIGHTS:
        swapped = False
    elif first in _WEIGHTS and second in _ACTIVATIONS:
        swapped = True
    match = re.search(r"(?:^|_)mul(?:t)?(\d+)(?:x(\d+))?([su]?)(?:_|$)", name.lower())
    width, signed = None, None
    if match:
        width = (int(match[1]), int(match[2] or match[1]))
        signed = {"s": True, "u": False, "": None}[match[3]]
    return Declared(name=name, width=width, signed=signed, swapped=swapped, parameters=parameters)


def _call_python(path: str, function: str, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    spec = importlib.util.spec_from_file_location("inexact_imported", path)
    if spec is None or spec.loader is None:
        raise FormatError(f"{path} must be a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    call: Callable[[int, int], Any] = getattr(module, function)
    out = np.empty((len(first), len(second)), np.int64)
    for i, a in enumerate(first.tolist()):
        for j, b in enumerate(second.tolist()):
            value = call(a, b)
            if int(value) != value:
                raise FormatError(f"{function}({a}, {b}) must return an integer, not {value!r}")
            out[i, j] = int(value)
    return out


def _call_c(library: str, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    call = ctypes.CDLL(library).inexact_all_pairs
    pointer = np.ctypeslib.ndpointer(np.int64, flags="C_CONTIGUOUS")
    call.argtypes, call.restype = [pointer, ctypes.c_size_t, pointer, ctypes.c_size_t, pointer], None
    out = np.empty((len(first), len(second)), np.int64)
    call(np.ascontiguousarray(first), len(first), np.ascontiguousarray(second), len(second), out)
    return out


def _in_time(work: Callable[..., NDArray[np.int64]], arguments: tuple[Any, ...], limit_s: float, name: str) -> NDArray[np.int64]:
    """`work(*arguments)` in a child process that is killed after `limit_s` seconds."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_report, args=(sender, work, arguments), daemon=True)
    child.start()
    sender.close()
    try:
        if not receiver.poll(limit_s):
            raise FormatError(
                f"{name} must finish all operand pairs within {limit_s:g} s, but did not; it may never end, or allow more with --limit"
            )
        try:
            done, found = receiver.recv()
        except EOFError as error:
            child.join(5)
            raise FormatError(f"{name} must not crash, but its process ended with code {child.exitcode}") from error
    finally:
        if child.is_alive():
            child.kill()
        child.join()
        receiver.close()
    if not done:
        raise FormatError(f"{name} must be callable with every pair of operand values: {found}")
    result: NDArray[np.int64] = found
    return result


def _report(sender: Any, work: Callable[..., NDArray[np.int64]], arguments: tuple[Any, ...]) -> None:
    try:
        sender.send((True, work(*arguments)))
    except Exception as error:  # whatever a stranger's code raises is told, not hidden
        sender.send((False, f"{type(error).__name__}: {error}"))


def check_size(width: tuple[int, int]) -> None:
    """FormatError when a function of these widths has too many operand pairs to tabulate."""
    if sum(width) > MAX_TABLE_BITS:
        raise FormatError(f"a function can be tabulated up to {MAX_TABLE_BITS} operand bits together, not {sum(width)}; import its netlist")
