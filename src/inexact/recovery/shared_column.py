"""Shared correction column: one extra column of the array sums the part of the error that follows the activations alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._fold import check_target, fold


@recoveries.register("shared_column")
@final
@dataclass(frozen=True, kw_only=True)
class SharedColumn(Recovery):
    """Subtracts `sum_k f(a_k)` from every output, f(a) = mean error over the layer's weight histogram, then folds the rest into the bias.

    f is a table of 2**a_bits integers beside each array row; the column is shared by all output channels (one a group), and the
    accelerator model charges it. It pays under affine codes, where every weight is positive; under sign-magnitude coding f averages
    errors of both signs and is near zero.
    gain, target: as in bias correction, fitted after the column.

    Reference: G. Zervakis et al., Control Variate Approximation for DNN Accelerators, DAC 2021, arXiv 2102.09642,
    generalised from perforation to any error table (analysis of variance of E(a, b); docs/recovery.md).
    """

    facts: ClassVar[Facts] = Facts(changes=frozenset({"columns", "bias", "gain"}), hardware="one array column with a table in every row")
    gain: bool = False
    target: str = "layer"

    def __post_init__(self) -> None:
        check_target(self.target)

    @property
    def against_network(self) -> bool:
        """As `target` says."""
        return self.target == "network"

    def correct(self, probe: Probe) -> Correction:
        """Column, bias and gain of one layer."""
        column = mean_error(probe.error_table(), probe.answers())
        return fold(probe.after(replace(probe.correction, column=column)), gain=self.gain, target=self.target)


def mean_error(errors: Tensor, answers: Tensor) -> Tensor:
    """f(a), int32 [2**a_bits]: the mean of errors[a, b] over the columns b that the weights run, rounded to an integer."""
    histogram = torch.bincount(answers.reshape(-1), minlength=errors.shape[1]).double()
    mean = errors.to(histogram.device).double() @ histogram / histogram.sum()
    return torch.round(mean).to(torch.int32)
