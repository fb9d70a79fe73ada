"""Plans and emulated networks: what is approximated where, and a module that computes exactly that."""

from inexact.nn._altered import (
    outputs_with_all_codes,
    outputs_with_codes,
    outputs_with_weights,
    require_codes,
    require_unpruned_outputs,
)
from inexact.nn._approximate import ApproxModel, approximate
from inexact.nn._columns import COEFFICIENT_BITS, COLUMNS, Columns, planned_columns
from inexact.nn._correction import Correction, Probe
from inexact.nn._data import Data, batches, device_of, first_inputs
from inexact.nn._dissect import Dissected, dissect, plannable
from inexact.nn._divisors import divide_channels, divided, planned_divisions, served_layer, with_divisions
from inexact.nn._evaluate import Evaluation, correct_answers, evaluate
from inexact.nn._exit_routes import Routes, reach_of, routes, settle_exits
from inexact.nn._histograms import OperandHistograms, operand_histograms
from inexact.nn._kinds import Emulated, sizes_of_divisors
from inexact.nn._layer import ApproxLayer
from inexact.nn._onnx import workload_of_onnx
from inexact.nn._output_range import OutputRange
from inexact.nn._plan import Plan
from inexact.nn._restricted import restricted, sharing_copy
from inexact.nn._rule import Rule
from inexact.nn._tables import coded_table
from inexact.nn._windows import Windows, windows_at
from inexact.nn._workload import arithmetic, estimate, left, measured_workload, planned_workload, reached, workload
from inexact.nn.convolutions import ApproxConv1d, ApproxConv3d
from inexact.nn.digits import Digits, with_digits
from inexact.nn.exits import ExitHead, ExitNetwork, Exits, exits_of, with_exits
from inexact.nn.layers import ApproxConv2d, ApproxLinear
from inexact.nn.products import ApproxProduct, Product
from inexact.nn.transposed import ApproxConvTranspose2d

__all__ = [
    "COEFFICIENT_BITS",
    "COLUMNS",
    "ApproxConv1d",
    "ApproxConv2d",
    "ApproxConv3d",
    "ApproxConvTranspose2d",
    "ApproxLayer",
    "ApproxLinear",
    "ApproxModel",
    "ApproxProduct",
    "Columns",
    "Correction",
    "Data",
    "Digits",
    "Dissected",
    "Emulated",
    "Evaluation",
    "ExitHead",
    "ExitNetwork",
    "Exits",
    "OperandHistograms",
    "OutputRange",
    "Plan",
    "Probe",
    "Product",
    "Routes",
    "Rule",
    "Windows",
    "approximate",
    "arithmetic",
    "batches",
    "coded_table",
    "correct_answers",
    "device_of",
    "dissect",
    "divide_channels",
    "divided",
    "estimate",
    "evaluate",
    "exits_of",
    "first_inputs",
    "left",
    "measured_workload",
    "operand_histograms",
    "outputs_with_all_codes",
    "outputs_with_codes",
    "outputs_with_weights",
    "plannable",
    "planned_columns",
    "planned_divisions",
    "planned_workload",
    "reach_of",
    "reached",
    "require_codes",
    "require_unpruned_outputs",
    "restricted",
    "routes",
    "served_layer",
    "settle_exits",
    "sharing_copy",
    "sizes_of_divisors",
    "windows_at",
    "with_digits",
    "with_divisions",
    "with_exits",
    "workload",
    "workload_of_onnx",
]
