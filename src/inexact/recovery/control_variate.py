"""Control variate for any unit: a few columns sum functions of the activations, and every filter takes its own multiple of them away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import require_range
from inexact.nn import COEFFICIENT_BITS, COLUMNS, Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._fold import check_target, fold
from inexact.recovery._histograms import of_layer

LARGEST = 2**15 - 1
"""Of an entry of a column's table, 16 bits."""


@recoveries.register("control_variate")
@final
@dataclass(frozen=True, kw_only=True)
class ControlVariate(Recovery):
    """Subtracts `sum_r c_r S_r` from every output, `S_r = sum_k f_r(a_k)` shared by all filters and c_r the filter's own.

    The error a filter makes on average over its weights is a function of the activation, `F_o(a) = mean_k E(a, w_ok)`. All F_o, less their
    means over the layer's activation histogram, are factorised by a singular value decomposition weighted with it: f_r are the `columns`
    functions that carry most of them, whatever the unit and the coding (under sign-magnitude `E(a, -w) = -E(a, w)`, so that filters whose
    weights are mostly negative get negative c_r). The coefficients minimise the variance of what remains over the calibration set,
    which for independent activations is the published C, the filter's mean. Then bias (and gain) take the rest.
    columns: 1..8. bits: 2..16, of a signed fixed-point coefficient; tables have 16-bit entries. The accelerator model charges a
    table and an adder in every row for each column, a multiplication an output.
    gain, target: as in bias correction; the gain is fitted together with the coefficients.

    Reference: G. Zervakis et al., Control Variate Approximation for DNN Accelerators, DAC 2021, arXiv 2102.09642, for perforation and
    truncation with one column; generalised to any table by its factors, docs/recovery.md
    """

    facts: ClassVar[Facts] = Facts(
        changes=frozenset({"columns", "bias", "gain"}),
        least=16,
        hardware="a table and an adder a row and column, a multiplication an output",
    )
    columns: int = COLUMNS
    bits: int = COEFFICIENT_BITS
    gain: bool = False
    target: str = "layer"

    def __post_init__(self) -> None:
        require_range("columns", self.columns, 1, 8)
        require_range("bits", self.bits, 2, 16)
        check_target(self.target)

    @property
    def against_network(self) -> bool:
        """As `target` says."""
        return self.target == "network"

    def correct(self, probe: Probe) -> Correction:
        """Columns, coefficients, bias and gain of one layer."""
        factors = functions(probe, self.columns)
        bare = replace(probe.correction, column=None, factors=None, coefficients=None)
        plain = probe.after(bare)
        sums = plain.by_channel(plain.sums).double()
        goal = plain.by_channel(plain.target(self.target))
        coefficients = _coefficients(sums, goal, _seen(plain, factors), gain=self.gain)
        return fold(plain.after(_fixed_point(bare, factors, coefficients, self.bits)), gain=self.gain, target=self.target)


def functions(probe: Probe, columns: int) -> Tensor:
    """float64 [columns, 2**a_bits], zero at the code of zero; zero where the filters' errors have fewer directions."""
    table = probe.error_table()
    size = table.shape[1]
    flat = probe.answers().reshape(len(probe.b), -1)
    rows = torch.arange(len(flat), device=flat.device)[:, None] * size
    shares = torch.bincount((flat + rows).flatten(), minlength=size * len(flat)).reshape(len(flat), size).double() / flat.shape[1]
    errors = shares @ table.to(shares.device).double().T  # [O, A]
    met = of_layer(probe)
    centred = (errors - (errors @ met)[:, None]) * met.sqrt()
    right = torch.linalg.svd(centred, full_matrices=False)[2][:columns]
    values = torch.where(met > 0, right / met.sqrt().clamp(min=1e-12), torch.zeros_like(right))
    values = _where_not_met(values, errors, met)
    zero = int(probe.layer.a_zero) & (2**probe.layer.rule.format.a_bits - 1)
    values = values - values[:, zero : zero + 1]
    found = torch.zeros(columns, values.shape[1], dtype=torch.float64, device=values.device)
    found[: len(values)] = values
    return found


def _where_not_met(values: Tensor, errors: Tensor, met: Tensor) -> Tensor:
    """Codes that calibration did not meet get the same combination of the filters' errors that gave the others their values."""
    seen = met > 0
    if bool(seen.all()):
        return values
    centred = errors - (errors @ met)[:, None]
    mixes = torch.linalg.lstsq((centred[:, seen] * met[seen].sqrt()).T, (values[:, seen] * met[seen].sqrt()).T, driver="gelsd").solution
    return torch.where(seen, values, mixes.T @ centred)


def _seen(probe: Probe, factors: Tensor) -> Tensor:
    """float64 [R, O, P], what each column sums up for every output; [R, 1, P] where that is the same in all channels."""
    sums = [probe.layer.column_sums(probe.a, factor) for factor in factors]
    if not probe.layer.weighted:  # one sum a row of a product, whose outputs are one channel
        sums = [part.expand(probe.accumulator.shape) for part in sums]
    return torch.stack([probe.by_channel(part) for part in sums])


def _coefficients(sums: Tensor, goal: Tensor, seen: Tensor, *, gain: bool) -> Tensor:
    """float64 [O, R]: least squares of the goal on the sums (with slope 1 unless `gain`), the columns and a constant."""
    columns = seen - seen.mean(2, keepdim=True)
    sums = sums - sums.mean(1, keepdim=True)
    goal = goal - goal.mean(1, keepdim=True)
    gram = torch.einsum("rcp,scp->crs", columns, columns).expand(len(sums), -1, -1)
    by_sums, by_goal = _products(columns, sums), _products(columns, goal)
    if gain:
        first = torch.cat([(sums * sums).sum(1)[:, None, None], by_sums[:, None]], 2)
        gram = torch.cat([first, torch.cat([by_sums[:, :, None], gram], 2)], 1)
        moment = torch.cat([(sums * goal).sum(1)[:, None], by_goal], 1)
    else:
        moment = by_goal - by_sums
    power = gram.diagonal(dim1=1, dim2=2).clamp(min=1e-30)
    scaled = gram / (power[:, :, None] * power[:, None, :]).sqrt()
    scaled = scaled + 1e-8 * torch.eye(scaled.shape[1], dtype=torch.float64, device=scaled.device)
    slopes: Tensor = torch.linalg.solve(scaled, moment / power.sqrt()) / power.sqrt()
    if not gain:
        return -slopes
    own = torch.where(slopes[:, :1] > 0.1, slopes[:, :1], torch.ones_like(slopes[:, :1]))
    return -slopes[:, 1:] / own


def _products(columns: Tensor, values: Tensor) -> Tensor:
    """float64 [O, R], sums over outputs of [R, O, P] or [R, 1, P] times [O, P]."""
    return values @ columns[:, 0].T if columns.shape[1] == 1 else torch.einsum("rop,op->or", columns, values)


def _fixed_point(correction: Correction, factors: Tensor, coefficients: Tensor, bits: int) -> Correction:
    """The correction with tables of 16-bit integers, coefficients of `bits` bits and the shift of their products."""
    most = 2 ** (bits - 1) - 1
    largest = coefficients.abs().amax(0)
    peak = float((factors.abs().amax(1) * largest).max())
    shift = 0 if peak == 0 else int(torch.floor(torch.log2(torch.tensor(LARGEST * most / peak, dtype=torch.float64))).clamp(0, 30))
    step = torch.where(largest > 0, largest * 2.0**shift / most, torch.ones_like(largest))  # of the table, per column
    tables = torch.round(factors * step[:, None]).clamp(-LARGEST, LARGEST)
    multiples = torch.round(coefficients / step * 2.0**shift).clamp(-most, most)
    return replace(correction, factors=tables.to(torch.int32), coefficients=multiples.to(torch.int32), shift=shift)
