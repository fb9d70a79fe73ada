"""Importing a stranger's unit: what it is is judged by evidence, said aloud, and refused where two readings are possible."""

from __future__ import annotations

from inexact.importers._import import SUFFIXES, import_unit
from inexact.importers._statement import Imported, Statement

__all__ = ["SUFFIXES", "Imported", "Statement", "import_unit"]
