"""Files of claims for tests."""

from __future__ import annotations

from pathlib import Path

RECORD = {
    "id": "truncation-mae",
    "source": "a derivation, doi:10.1109/VLSISP.1993.404467",
    "statement": "without four columns the mean error is 12.25",
    "number": "12.25",
    "unit": "lsb",
    "tolerance": "{ absolute = 0.01 }",
    "family": "approximate_units",
    "provenance": "computed",
    "cost": "fast",
    "check": '{ kind = "unit_metric", target = "trunc(cut=4)", metric = "mae" }',
}
"""A claim that is reproduced; tables as TOML text."""


def record(**changes: str | None) -> str:
    """The record as TOML; None leaves an entry out."""
    entries = {name: value for name, value in (RECORD | changes).items() if value is not None}
    tables = ("tolerance", "check")
    return "[[claim]]\n" + "\n".join(f"{name} = {value if name in tables else repr(value)}" for name, value in entries.items()) + "\n"


def write(folder: Path, *records: str) -> Path:
    """A file of claims."""
    path = folder / "claims.toml"
    path.write_text("\n".join(records), encoding="utf-8")
    return path
