"""Reading netlist files."""

from __future__ import annotations

from pathlib import Path

from inexact.core.errors import CircuitError

MAX_BYTES = 1 << 27


def read_text(path: str | Path) -> str:
    """The text of a netlist file; CircuitError when it cannot be read, is no text or is beyond 128 MiB."""
    target = Path(path)
    try:
        if target.stat().st_size > MAX_BYTES:
            raise CircuitError(f"{path} must be at most {MAX_BYTES >> 20} MiB, not {target.stat().st_size >> 20} MiB")
        return target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CircuitError(f"{path} must be a readable netlist file: {error}") from error
