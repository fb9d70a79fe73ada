"""Standard-cell libraries: liberty files and the shipped 45 nm one."""

from __future__ import annotations

from inexact.circuits.cells._library import Arc, Cell, Grid, Internal, Library, Pin
from inexact.circuits.cells._read import DEFAULT, liberty, library

__all__ = ["DEFAULT", "Arc", "Cell", "Grid", "Internal", "Library", "Pin", "liberty", "library"]
