"""How numbers are stored and coded: integers, additive powers of two, small floats, posits, logarithms; calibration, requantisation."""

from inexact.precision._base import Format, formats, get
from inexact.precision._calibration import Observer
from inexact.precision._mixed import Codes, MixedFormat
from inexact.precision._quantiser import Grid, Quantiser
from inexact.precision._requantise import FixedPoint, fixed_point, requantise
from inexact.precision.apot import AdditivePowersOfTwo
from inexact.precision.blocks import Block
from inexact.precision.integer import Int
from inexact.precision.numbers import Number

__all__ = [
    "AdditivePowersOfTwo",
    "Block",
    "Codes",
    "FixedPoint",
    "Format",
    "Grid",
    "Int",
    "MixedFormat",
    "Number",
    "Observer",
    "Quantiser",
    "fixed_point",
    "formats",
    "get",
    "requantise",
]
