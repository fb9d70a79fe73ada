"""The three families of approximation."""

FAMILIES = ("computation_reduction", "approximate_units", "precision_scaling")
"""Leaving computations out; units that compute almost right; numbers of fewer bits, or of another kind, than 8-bit integers."""
