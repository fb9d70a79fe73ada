"""Behavioural Verilog to gates, by Yosys in a process of its own: an error in it ends the process, not the session."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from inexact.core.errors import FormatError, MissingDependencyError

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
    "opt_clean -purge",  # an alias of a net whose gates were dropped would have no driver
    "write_blif {target}",
)

_RUN = """
import json, sys
from pyosys import libyosys
design = libyosys.Design()
for line in json.loads(sys.argv[1]):
    libyosys.run_pass(line, design)
"""


def blif_of(path: Path, *, top: str | None, limit_s: float) -> str:
    """BLIF text of a Verilog file, hierarchy flattened, cells as truth tables; `top` names the module (default: found).

    Yosys runs as `pyosys` (extra `synth`) or as a `yosys` on the PATH; MissingDependencyError when there is neither.
    FormatError with Yosys' own sentence when the file does not elaborate, has loops, conflicting or missing drivers, or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="inexact-") as folder:
        source, target = Path(folder) / f"unit{path.suffix}", Path(folder) / "unit.blif"
        shutil.copyfile(path, source)
        if top is not None and not re.fullmatch(r"[A-Za-z_]\w*", top):
            raise FormatError(f"the top module must be a Verilog name, not {top!r}")
        lines = [p.format(source=source, target=target, top=f"-top {top}" if top else "-auto-top") for p in PASSES]
        try:
            done = subprocess.run(_command(lines), capture_output=True, text=True, timeout=limit_s, check=False, cwd=folder)
        except subprocess.TimeoutExpired as error:
            raise FormatError(f"{path} must elaborate within {limit_s:g} s, but did not") from error
        if done.returncode or not target.exists():
            raise FormatError(f"{path} must be combinational Verilog that Yosys elaborates: {_reason(done.stdout + done.stderr, folder)}")
        return target.read_text()


def _command(lines: list[str]) -> list[str]:
    if importlib.util.find_spec("pyosys") is not None:
        return [sys.executable, "-c", _RUN, json.dumps(lines)]
    native = shutil.which("yosys")
    if native is not None:
        return [native, "-q", "-p", "; ".join(lines)]
    raise MissingDependencyError("behavioural Verilog needs Yosys: pip install 'inexact[synth]', or put a yosys on the PATH")


def _reason(log: str, folder: str) -> str:
    lines = [line.strip() for line in log.replace(f"{folder}/", "").splitlines()]
    found = [line.removeprefix("Warning: ").rstrip(":") for line in lines if re.match(r"Warning: .*(drivers|driver|loop)", line)]
    errors = [line for line in lines if "ERROR" in line]
    if found and errors and "problems" in errors[-1]:  # `check` counts problems; the warnings before name them
        return found[0]
    return errors[-1] if errors else (lines[-1] if lines else "no message")
