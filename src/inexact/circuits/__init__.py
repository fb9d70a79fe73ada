"""Gate-level circuits: a netlist type, generators, bit-parallel simulation, equivalence. Needs numpy only.

>>> import numpy as np
>>> from inexact import circuits
>>> circuit = circuits.multiplier(8, kind="dadda")
>>> int(circuits.evaluate(circuit, 13, 200))
2600
>>> circuits.table(circuit).shape
(256, 256)
"""

from __future__ import annotations

from inexact.circuits._builder import Builder, simplified
from inexact.circuits._circuit import CELL, FAN_IN, FAN_OUT, MAX_OUTPUT_BITS, ONE, ZERO, Bus, Circuit, Op, Wires
from inexact.circuits._errors import ErrorRows, error_rows
from inexact.circuits._gemm import gemm
from inexact.circuits._serial import Serial
from inexact.circuits._simulate import evaluate, stream, table
from inexact.circuits.adders import ADDERS, adder
from inexact.circuits.blif import from_blif, read_blif, to_blif, write_blif
from inexact.circuits.columns import TREES, Columns, Compressor, add_columns, table_compressor
from inexact.circuits.equivalence import Equivalence, equivalent
from inexact.circuits.fault_facts import FaultFacts, FaultList, coverage, fault_facts
from inexact.circuits.logic import synthesize
from inexact.circuits.multipliers import multiplier, partial_products
from inexact.circuits.verilog import from_verilog, read_verilog, to_verilog, write_verilog

__all__ = [
    "ADDERS",
    "CELL",
    "FAN_IN",
    "FAN_OUT",
    "MAX_OUTPUT_BITS",
    "ONE",
    "TREES",
    "ZERO",
    "Builder",
    "Bus",
    "Circuit",
    "Columns",
    "Compressor",
    "Equivalence",
    "ErrorRows",
    "FaultFacts",
    "FaultList",
    "Op",
    "Serial",
    "Wires",
    "add_columns",
    "adder",
    "coverage",
    "equivalent",
    "error_rows",
    "evaluate",
    "fault_facts",
    "from_blif",
    "from_verilog",
    "gemm",
    "multiplier",
    "partial_products",
    "read_blif",
    "read_verilog",
    "simplified",
    "stream",
    "synthesize",
    "table",
    "table_compressor",
    "to_blif",
    "to_verilog",
    "write_blif",
    "write_verilog",
]
