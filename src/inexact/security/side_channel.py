"""Correlation power analysis of a multiply-accumulate element: the weights of a filter from simulated traces and known activations."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact.core.errors import DataError
from inexact.nn import ApproxModel
from inexact.nn._tables import coded_table
from inexact.security._memory import memory_layer
from inexact.security.leakage import Integers, Leakage

Floats = NDArray[np.float64]

MARGIN = 12.0
"""Nats of log-likelihood below the best at which a prefix of weights is given up."""

BEAM = 16
"""Prefixes kept at most."""

SIGNIFICANCE = 0.05
"""A weight whose hypothesis does not vary (0) is the answer unless some other correlates beyond this level, Bonferroni-corrected."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Element:
    """What one multiply-accumulate element does: a filter over windows of known activations.

    products: int64 [2**a_bits, candidates], the value added for every activation pattern and candidate weight. candidates: their codes.
    width: bits of the product register. activations: uint8 [windows, K], patterns. weights: int64 [K], places among the candidates.
    """

    products: Integers
    candidates: Integers
    width: int
    activations: NDArray[np.uint8]
    weights: Integers

    def drawn(self, windows: int, seed: int) -> Element:
        """The element over `windows` of its windows. Raises DataError when there are fewer."""
        if not 1 <= windows <= len(self.activations):
            raise DataError(f"traces must be 1..{len(self.activations)}, the windows of the images, not {windows}; give more images")
        chosen = np.random.default_rng(seed).choice(len(self.activations), windows, replace=False)
        return replace(self, activations=self.activations[chosen])

    def first(self, windows: int) -> Element:
        """The element over the first windows."""
        return replace(self, activations=self.activations[:windows])

    def equal_columns(self) -> Integers:
        """For every candidate the first one whose products are the same for every activation: nothing can tell the two apart."""
        _, first, inverse = np.unique(self.products, axis=1, return_index=True, return_inverse=True)
        return np.asarray(first[inverse.ravel()], dtype=np.int64)

    def signal(self, leakage: Leakage) -> Floats:
        """Bits [windows, K] that leak, without noise."""
        found = np.zeros(self.activations.shape)
        last = total = np.zeros(len(self.activations), np.int64)
        for cycle, weight in enumerate(self.weights.tolist()):
            product = self.products[self.activations[:, cycle], weight]
            found[:, cycle] = leakage.bits(product, last, total, self.width)
            last, total = product, total + product
        return found


def elements(net: ApproxModel, layer: str, images: Tensor, filters: Sequence[int] = ()) -> dict[int, Element]:
    """The elements that form output channels of a Conv2d or Linear layer (all when `filters` is empty), over every window of `images`.

    Raises DataError for an unknown layer or filter, FormatError for a layer in float32 or with other numbers than integers.
    """
    emulation = copy.deepcopy(net).eval()
    chosen = memory_layer(emulation, layer)
    channels = chosen.weight.shape[0]
    for number in filters:
        if not 0 <= number < channels:
            raise DataError(f"filter must be 0..{channels - 1}, an output channel of layer {layer}, not {number}")
    seen: list[Tensor] = []

    def keep(_module: nn.Module, received: tuple[Tensor, ...]) -> None:
        seen.append(chosen.unrolled(chosen.arithmetic.a_patterns(chosen.a_codes(received[0])).float()).byte())

    handle = chosen.register_forward_pre_hook(keep)
    with torch.no_grad():
        emulation(images)
    handle.remove()
    windows = torch.cat(seen).numpy()
    rule, codes = chosen.rule, chosen.weight_codes().numpy()
    patterns = chosen.arithmetic.b_patterns(torch.from_numpy(codes)).numpy()
    products = coded_table(rule.unit.spec, rule.coding, rule.format.b_bits).astype(np.int64)[:, patterns]
    stored = chosen.b_codes().detach().flatten(1).numpy().astype(np.int64)
    per_group = channels // windows.shape[1]
    return {
        number: Element(
            products=products,
            candidates=codes,
            width=rule.format.a_bits + rule.format.b_bits,
            activations=np.ascontiguousarray(windows[:, number // per_group]),
            weights=np.searchsorted(codes, stored[number]),
        )
        for number in (filters or range(channels))
    }


def noise_of(signals: Sequence[Floats], snr: float) -> float:
    """Standard deviation of the noise in bits. snr: the signal's variance over windows, mean over cycles and filters, over the noise's.

    Raises DataError for an SNR that is not positive, and for signals that do not vary.
    """
    require_snr(snr)
    variance = float(np.mean([signal.var(axis=0).mean() for signal in signals]))
    if variance == 0:
        raise DataError("the signal must vary over the windows, but every activation is the same; give other images")
    return math.sqrt(variance / snr)


def require_snr(snr: float) -> None:
    """Raise DataError unless a signal-to-noise ratio is a positive number."""
    if not (math.isfinite(snr) and snr > 0):
        raise DataError(f"the signal-to-noise ratio must be a positive number, not {snr}")


def traces_of(signal: Floats, noise: float, seed: int) -> Floats:
    """Power traces [windows, K], one sample a cycle: the signal and Gaussian noise."""
    return signal + np.random.default_rng(seed).normal(0.0, noise, signal.shape)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Recovered:
    """Weights [K] as places among the candidates; rank [K] of the true one when its turn came (1 = first, ties shared)."""

    weights: Integers
    rank: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class _Prefix:
    """Weights found so far, their log-likelihood in nats, and the registers they lead to."""

    weights: tuple[int, ...]
    score: float
    last: Integers
    total: Integers


def recover_weights(element: Element, traces: Floats, leakage: Leakage) -> Recovered:
    """The weights of the element's filter from its traces, cycle by cycle, by the correlation of every candidate with the samples.

    A candidate counts by the log-likelihood -T/2 ln(1 - r^2) of its Pearson correlation r over T traces, r > 0. Leakage that depends on the
    cycles before is followed for up to 16 prefixes of weights, as long as they are within 12 nats of the best. Candidates with equal
    products count once. The attacker knows the unit, the activations and the order, neither the gain nor the noise.

    Reference: E. Brier, C. Clavier, F. Olivier, "Correlation power analysis with a leakage model", CHES 2004,
    doi:10.1007/978-3-540-28632-5_2; on networks: L. Batina, S. Bhasin, D. Jap, S. Picek, "CSI NN: reverse engineering of neural network
    architectures through electromagnetic side channel", USENIX Security 2019
    """
    if not len(traces):
        raise DataError("at least one trace is needed to recover weights; there is none")
    classes = element.equal_columns()
    choices = np.unique(classes)
    start = np.zeros(len(traces), np.int64)
    beam = [_Prefix(weights=(), score=0.0, last=start, total=start)]
    ranks = []
    for cycle in range(traces.shape[1]):
        products = element.products[:, choices][element.activations[:, cycle]]
        scores = np.stack(
            [scores_of(leakage.bits(products, p.last[:, None], p.total[:, None], element.width), traces[:, cycle]) for p in beam]
        )
        ranks.append(rank_of(scores[0], int(np.searchsorted(choices, classes[element.weights[cycle]]))))
        beam = _followed(beam, scores, products, choices, chained=leakage.chained)
    return Recovered(weights=np.array(beam[0].weights, np.int64), rank=np.array(ranks))


def scores_of(hypotheses: NDArray[np.integer], samples: Floats) -> Floats:
    """Log-likelihoods [candidates] of hypotheses [T, candidates]; of one that does not vary, what chance reaches."""
    from scipy.special import ndtri

    bits = hypotheses.astype(np.float32)
    bits -= bits.mean(axis=0)
    centred = (samples - samples.mean()).astype(np.float32)
    spread = np.einsum("tc,tc->c", bits, bits) * float(centred @ centred)
    r = np.divide(centred @ bits, np.sqrt(spread), out=np.zeros(len(spread), np.float32), where=spread > 0).astype(np.float64)
    by_chance = 0.5 * float(ndtri(1 - SIGNIFICANCE / len(r))) ** 2
    found = -0.5 * len(samples) * np.log1p(-(np.clip(r, 0.0, 0.999999) ** 2))
    return np.where(spread > 0, found, by_chance)


def rank_of(scores: Floats, true: int) -> float:
    """1 = first; ties share the mean of their places. Scores closer than a millionth are one."""
    tolerance = 1e-6 * max(1.0, float(scores[true]))
    above = int((scores > scores[true] + tolerance).sum())
    level = int((np.abs(scores - scores[true]) <= tolerance).sum())
    return above + (level + 1) / 2


def _followed(beam: list[_Prefix], scores: Floats, products: Integers, choices: Integers, *, chained: bool) -> list[_Prefix]:
    """The best prefixes, one cycle longer."""
    totals = np.array([prefix.score for prefix in beam])[:, None] + scores
    order = np.argsort(-totals, axis=None, kind="stable")[: BEAM if chained else 1]
    best = totals.flat[order[0]]
    found = []
    for place in order.tolist():
        if totals.flat[place] < best - MARGIN:
            break
        row, column = divmod(place, totals.shape[1])
        product = products[:, column]
        found.append(
            _Prefix(
                weights=(*beam[row].weights, int(choices[column])),
                score=float(totals.flat[place]),
                last=product,
                total=beam[row].total + product,
            )
        )
    return found
