"""ngspice as a subprocess: a deck in, arrays of waveforms out."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np


def version() -> str:
    """As "ngspice-39"."""
    shown = subprocess.run(["ngspice", "--version"], capture_output=True, text=True, check=False).stdout
    return next((word for word in shown.split() if word.startswith("ngspice-")), "ngspice")


def run(deck: list[str], models: Path, temperature: float) -> dict[str, np.ndarray]:
    """Vectors by name, in SI units. deck: everything but title, models, options and `.end`. RuntimeError when ngspice fails."""
    with tempfile.TemporaryDirectory(prefix="cells45-") as folder:
        path, raw = Path(folder) / "deck.sp", Path(folder) / "deck.raw"
        head = ["* deck", f".include {models}", f".option temp={temperature} reltol=5e-4 abstol=1e-13 chgtol=1e-17"]
        path.write_text("\n".join([*head, *deck, ".end", ""]))
        done = subprocess.run(["ngspice", "-b", "-r", str(raw), str(path)], capture_output=True, text=True, check=False, cwd=folder)
        if not raw.exists():
            raise RuntimeError((done.stdout + done.stderr)[-2000:])
        return _vectors(raw.read_bytes())


def _vectors(content: bytes) -> dict[str, np.ndarray]:
    head, _, data = content.partition(b"Binary:\n")
    lines = head.decode().splitlines()
    count = int(next(line for line in lines if line.startswith("No. Variables")).split(":")[1])
    start = lines.index("Variables:") + 1
    names = [line.split()[1].lower() for line in lines[start : start + count]]
    values = np.frombuffer(data[: len(data) // (8 * count) * 8 * count], "<f8").reshape(-1, count)
    return {name: values[:, i] for i, name in enumerate(names)}
