"""Behavioural Verilog to gates, by Yosys."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from inexact.circuits.synthesis import Yosys
from inexact.core.errors import FormatError, SynthesisError, TimeLimitError

PASSES = (
    "read_verilog -sv {source}",
    "hierarchy -check {top}",
    "proc",
    "flatten",
    "check -assert",  # several drivers, no driver, loops: while wires have the names of the source
    "opt",
    "memory",
    "techmap",
    "opt",
    "simplemap",
    "splitnets",  # bit by bit, since an alias of a bit whose gates were dropped would have no driver
    "opt_clean -purge",
    "write_blif {target}",
)


def blif_of(path: Path, *, top: str | None, limit_s: float) -> str:
    """BLIF text of a Verilog file, hierarchy flattened, cells as truth tables; `top` names the module (default: found).

    Yosys runs as `pyosys` (extra `synth`) or as a `yosys` on the PATH; MissingDependencyError when there is neither.
    FormatError with Yosys' own sentence when the file does not elaborate, has loops, conflicting or missing drivers, holds a
    state or takes too long.
    """
    if top is not None and not re.fullmatch(r"[A-Za-z_]\w*", top):
        raise FormatError(f"the top module must be a Verilog name, not {top!r}")
    with Yosys(limit_s=limit_s) as yosys:
        source, target = yosys.folder / f"unit{path.suffix}", yosys.folder / "unit.blif"
        shutil.copyfile(path, source)
        lines = [p.format(source=source, target=target, top=f"-top {top}" if top else "-auto-top") for p in PASSES]
        try:
            yosys.run(lines, str(path))
        except TimeLimitError as error:
            raise FormatError(f"{path} must elaborate within {limit_s:g} s, but did not") from error
        except SynthesisError as error:
            raise FormatError(f"{path} must be combinational Verilog that Yosys elaborates: {yosys.reason()}") from error
        text = target.read_text()
    state = re.search(r"^\.latch \S+ (\S+)", text, re.MULTILINE)
    if state:
        raise FormatError(f"{path} must hold no state, but {state[1]} is kept by a latch (not assigned in every branch) or a flip-flop")
    return text
