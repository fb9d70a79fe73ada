"""Contract checks others can import: what every unit, of this package or of a plug-in, must hold.

Each check raises AssertionError with a sentence that says which unit breaks which rule.
"""

from inexact.testing.floats import check_float_multiplier
from inexact.testing.functions import check_function
from inexact.testing.units import check_adder, check_family, check_golden, check_multiplier

__all__ = ["check_adder", "check_family", "check_float_multiplier", "check_function", "check_golden", "check_multiplier"]
