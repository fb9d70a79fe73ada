"""Which engines this machine has, and which one serves a call."""

from __future__ import annotations

import importlib
import os
from functools import lru_cache
from types import ModuleType

import torch

from inexact.core.errors import FormatError, MissingDependencyError, UnknownNameError, near

ENGINES = {
    "reference": "loops: the specification every other engine must equal",
    "table": "compiled C++ core: one operand fixed, its 256-entry table row stays in L1 or in registers",
    "lowrank": "few exact 8-bit matrix products, for tables of small rank; compiled core or torch operators",
    "split": "compiled C++ core: the exact product by lowrank, an error that fits 8 bits by stacked bytes",
    "torch": "portable torch operators: needs no compiler, runs on CUDA",
}
"""name -> what it is."""

CORE_ADVICE = "install a C++ compiler and reinstall inexact, or use engine='torch'"


@lru_cache(maxsize=1)
def core() -> ModuleType | None:
    """The compiled core, or None when inexact was installed without a compiler."""
    try:
        return importlib.import_module("inexact.kernels._core")
    except ImportError:
        return None


def isas() -> tuple[str, ...]:
    """Instruction-set paths of the compiled core that this processor runs, fastest first; empty without the core."""
    module = core()
    return tuple(module.isas()) if module else ()


def isa() -> str:
    """The path in use: the fastest, or the one `INEXACT_ISA` forces; "none" without the compiled core.

    UnknownNameError when `INEXACT_ISA` names a path that this machine lacks.
    """
    found = isas()
    forced = os.environ.get("INEXACT_ISA")
    if not found:
        return "none"
    if not forced:
        return found[0]
    if forced not in found:
        raise UnknownNameError(f"INEXACT_ISA must name a path of this machine ({', '.join(found)}), not {forced!r}{near(forced, found)}")
    return forced


def threads() -> int:
    """Threads of the compiled core: `INEXACT_THREADS`, else as many as torch uses. Results do not depend on it."""
    text = os.environ.get("INEXACT_THREADS")
    if not text:
        return int(torch.get_num_threads())
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise FormatError(f"INEXACT_THREADS must be a number of threads in 1..4096, not {text!r}")
    return int(text)


def engines() -> dict[str, bool]:
    """Every engine by name, and whether it can run here."""
    compiled = core() is not None
    return {"reference": True, "table": compiled, "lowrank": True, "split": compiled, "torch": True, "sequential": compiled}


def require(engine: str, device: str = "cpu") -> None:
    """Pass when the engine called `engine` exists and reaches `device`.

    UnknownNameError for an unknown name, MissingDependencyError for `table` and `split` without the compiled core,
    FormatError for a device out of reach.
    """
    if engine == "sequential":
        raise FormatError("engine 'sequential' sums through an accumulator: call sequential_gemm or sequential_conv2d")
    if engine not in ENGINES:
        raise UnknownNameError(f"no engine is called {engine!r}{near(engine, ENGINES)} Known: auto, {', '.join(ENGINES)}")
    if engine in ("table", "split") and core() is None:
        raise MissingDependencyError(f"engine {engine!r} needs the compiled core, which this installation lacks; {CORE_ADVICE}")
    if engine in ("table", "split", "reference") and device != "cpu":
        raise FormatError(f"engine {engine!r} needs tensors on the CPU, not on {device!r}; move them or use engine='torch'")
