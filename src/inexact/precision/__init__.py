"""How numbers are stored and coded: integers of 2 to 16 bits, additive powers of two, calibration of their ranges, requantisation."""

from inexact.precision._base import Format, formats, get
from inexact.precision._calibration import Observer
from inexact.precision._quantiser import Quantiser
from inexact.precision._requantise import FixedPoint, fixed_point, requantise
from inexact.precision.apot import AdditivePowersOfTwo
from inexact.precision.integer import Int

__all__ = ["AdditivePowersOfTwo", "FixedPoint", "Format", "Int", "Observer", "Quantiser", "fixed_point", "formats", "get", "requantise"]
