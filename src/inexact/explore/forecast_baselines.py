"""What forecasts of a plan's drop are compared with: error metrics weighed by operations, and noise of one population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.metrics import profile
from inexact.nn import ApproxLayer, ApproxModel, Correction, Probe, Rule, workload
from inexact.units import Multiplier


@final
@dataclass(frozen=True, kw_only=True)
class Simple:
    """One rule in one layer. nmed: of the unit under the layer's operand histograms, uncorrected. macs: of the layer, one input.

    std: of the output error, float units, by one population. signal: standard deviation of the output.
    """

    nmed: float
    macs: float
    std: float
    signal: float


class _Spy:
    """Stands where a recovery does: notes the operands, corrects nothing."""

    def __init__(self) -> None:
        self.probe: Probe | None = None

    def __call__(self, probe: Probe) -> Correction:
        self.probe = probe
        count = len(probe.b)
        return Correction(
            bias=torch.zeros(count, dtype=torch.int64, device=probe.b.device),
            gain=torch.ones(count, dtype=torch.float64, device=probe.b.device),
        )


@torch.no_grad()
def simple(net: ApproxModel, received: Mapping[str, Tensor]) -> dict[str, Simple]:
    """The baselines' numbers of every layer with weights and integer operands. received: its float32 inputs on calibration images."""
    macs = {layer.name: float(layer.macs) for layer in workload(net).multiplying}
    return {
        name: _simple(layer, layer.rule.unit, received[name], macs[name])
        for name, layer in net.layers().items()
        if isinstance(layer, ApproxLayer) and isinstance(layer.rule.unit, Multiplier)
    }


def _simple(layer: ApproxLayer, unit: Multiplier, x: Tensor, macs: float) -> Simple:
    spy = _Spy()
    layer.recoverer = spy
    signal = float(layer(x).double().std(correction=0))
    layer.recoverer = None
    assert spy.probe is not None
    rule, probe = layer.rule, spy.probe
    a_patterns = layer.arithmetic.a_patterns(probe.a).flatten().long()
    p = torch.bincount(a_patterns, minlength=2**rule.format.a_bits).double()
    errors = probe.error_table().double()
    q = torch.bincount(probe.answers().flatten(), minlength=errors.shape[1]).double()
    p, q = p / p.sum(), q / q.sum()
    mean = p @ errors @ q
    variance = p @ (errors - mean).square() @ q
    a, b = probe.a.double() - layer.a_zero, probe.b.double() - layer.b_zero
    # rounding to codes is uniform noise of 1/12 squared steps in either operand
    rounding = (a.square().mean() + b.square().mean()) / 12
    step = float((layer.a_scale.double() * layer.b_scale.double().square().mean().sqrt()).item())
    std = step * float((layer.weight[0].numel() * (variance + rounding)).sqrt())
    return Simple(nmed=_nmed(rule, unit, probe, p), macs=macs, std=std, signal=signal)


def _nmed(rule: Rule, unit: Multiplier, probe: Probe, p: Tensor) -> float:
    """Of the unit as its operands come; under sign-magnitude coding those of b are magnitudes."""
    b = probe.b.abs().to(torch.int64) if rule.coding == "sign_magnitude" else probe.patterns()
    q = torch.bincount(b.flatten(), minlength=2 ** unit.width[1])[: 2 ** unit.width[1]]
    return profile(unit, p.numpy(), q.double().numpy()).nmed


def by_nmed(rules: Mapping[str, Rule], known: Mapping[tuple[str, Rule], Simple]) -> float:
    """NMED of a plan: that of its layers, weighed by their operations. Blind to precision: an exact unit of any width has none.

    Reference: the mean error distance of J. Liang, J. Han, F. Lombardi, IEEE Trans. Computers 62(9) (2013), DOI 10.1109/TC.2012.146.
    """
    found = [known[name, rule] for name, rule in rules.items()]
    return sum(one.nmed * one.macs for one in found) / max(1.0, sum(one.macs for one in found))


def by_noise(rules: Mapping[str, Rule], known: Mapping[tuple[str, Rule], Simple]) -> float:
    """Sum over layers of the power of additive noise over that of the signal, one population, operands independent.

    Rounding to codes is counted as noise too; means are taken as corrected.
    Reference: E. Trommer, B. Waschneck, A. Kumar, "Combining gradients and probabilities for heterogeneous approximation of neural
    networks", ICCAD 2022, arXiv 2208.07265 (its single-population model of a multiplier's error).
    """
    return sum((known[name, rule].std / max(known[name, rule].signal, 1e-30)) ** 2 for name, rule in rules.items())
