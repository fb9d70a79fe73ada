"""Weight tuning: every weight code is replaced by the one whose approximate products come nearest to its exact ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._histograms import of_layer
from inexact.recovery._weights import with_weights


@recoveries.register("weight_tuning")
@final
@dataclass(frozen=True, kw_only=True)
class WeightTuning(Recovery):
    """`w' = argmin_v sum_a p(a) |U(a, v) - a w - za (v - w)|`, one map of codes for the layer; of equally good codes the nearest to w.

    Under every coding the products of code values count; `za (v - w)` is what the zero-point terms, which are formed of the new codes, take
    away. Codes no quantiser emits, and those off a grid of weights, are not chosen.
    weighted: p(a) is the histogram of the layer's activations and not uniform; needs calibration inputs then.
    Bias and gain are 1 and 0: chain a correction behind it. Costs nothing at run time.

    Reference: V. Mrazek et al., ALWANN: Automatic Layer-Wise Approximation of Deep Neural Network Accelerators without Retraining,
    ICCAD 2019, doi:10.1109/ICCAD45719.2019.8942068; the weighting and the zero points: derived, docs/recovery.md
    """

    facts: ClassVar[Facts] = Facts(changes=frozenset({"weights"}), inputs=0, least=0, time="a table look-up a weight")
    weighted: bool = False

    def correct(self, probe: Probe) -> Correction:
        """New codes; products of two activations are left as they are."""
        layer = with_weights(probe, self.family_name)
        if layer is None:
            return probe.correction
        form = layer.rule.format
        shares = of_layer(probe) if self.weighted else torch.full((2**form.a_bits,), 1 / 2**form.a_bits, dtype=torch.float64)
        chosen = best_codes(probe, shares.cpu())
        return replace(probe.correction, codes=chosen[probe.patterns().cpu()].to(probe.b.device))


def best_codes(probe: Probe, shares: Tensor) -> Tensor:
    """int64 [2**b_bits]: by bit pattern of w, the code value to put in its place. shares: float64 [2**a_bits], how often each a occurs."""
    layer = probe.layer
    emitted = layer.weight_codes().cpu()  # ascending values
    a, zero = layer.activation_codes().cpu().double(), float(layer.a_zero)
    patterns = torch.bitwise_and(emitted, 2**layer.rule.format.b_bits - 1)
    answers = probe.product_table().double()[:, patterns] - zero * emitted.double()  # [A, V]
    chosen = torch.zeros(2**layer.rule.format.b_bits, dtype=torch.int64)
    for code, pattern in zip(emitted.tolist(), patterns.tolist(), strict=True):
        cost = shares @ (answers - ((a - zero) * code)[:, None]).abs()
        cost = cost + (emitted - code).abs() * 1e-12 * (1 + cost.min())
        chosen[pattern] = emitted[cost.argmin()]
    return chosen
