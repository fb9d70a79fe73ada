"""What a comparison of multipliers under stuck-at faults says: losses with intervals, which unit loses more, and where."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FaultError
from inexact.metrics import normal_quantile, paired_difference, wilson
from inexact.reliability.stuck_study import Row

Verdict = Literal["more", "less", "undecided"]
CRITICAL = 5.0
"""Points from which on a loss by a net counts as critical."""


@final
@dataclass(frozen=True, kw_only=True)
class Pair:
    """One fault in the exact and in an approximate unit, accuracy in points. loss, exact_loss: against the same unit without the fault,
    with 95 % intervals. excess: loss - exact_loss on the same images; gap: accuracy of the broken exact unit less that of the broken
    approximate one, whatever they lose. verdict, by_accuracy: whether the interval of either at the confidence of all pairs together
    (Bonferroni) lies above or below 0."""

    case: str
    unit: str
    kind: str
    scope: str
    site: str
    value: int
    loss: float
    loss_ci: tuple[float, float]
    exact_loss: float
    exact_loss_ci: tuple[float, float]
    excess: float
    excess_ci: tuple[float, float]
    verdict: Verdict
    gap: float
    gap_ci: tuple[float, float]
    by_accuracy: Verdict


def mean_interval(values: NDArray[np.int64], confidence: float) -> tuple[float, float]:
    """Interval of the mean of small integers over images: normal, with one image more at +1 and one at -1, so that a mean of values that
    are all equal has an interval too (the smoothing of Bonett and Price for differences of proportions, see `paired_difference`)."""
    n, z = len(values) + 2, normal_quantile(confidence)
    mean = float(values.sum()) / n
    half = z * math.sqrt(max(0.0, (float((values**2).sum()) + 2) / n - mean**2) / n)
    return mean - half, mean + half


def pairs(rows: Sequence[Row], exact: str) -> list[Pair]:
    """Every fault of an approximate unit that the exact one has as well (bits of products, elements), in the order of rows.

    Raises FaultError when the rows have no unit of that name.
    """
    held = {row.key: row for row in rows}
    if not any(row.unit == exact for row in rows):
        raise FaultError(f"the rows must hold the exact unit they are compared with, {exact}")
    faulty = [row for row in rows if row.unit != exact and row.kind in {"bit", "element"}]
    chosen = [(row, twin) for row in faulty if (twin := held.get((row.case, exact, *row.key[2:]))) is not None]
    confidence = 1 - 0.05 / max(1, len(chosen))
    return [_pair(held, row, twin, confidence) for row, twin in chosen]


def healthy_of(held: dict[tuple[str, ...], Row], row: Row) -> Row:
    """The row without a fault."""
    return held[row.case, row.unit, "none", "all", "", "0", str(row.images)]


def _pair(held: dict[tuple[str, ...], Row], row: Row, twin: Row, confidence: float) -> Pair:
    healthy, healthy_exact = healthy_of(held, row), healthy_of(held, twin)
    own, other = paired_difference(healthy.right, row.right), paired_difference(healthy_exact.right, twin.right)
    lost = healthy.right.astype(np.int64) - row.right
    excess = lost - (healthy_exact.right.astype(np.int64) - twin.right)
    low, high = mean_interval(excess, 0.95)
    gap, strict = (paired_difference(twin.right, row.right, level) for level in (0.95, confidence))
    return Pair(
        case=row.case,
        unit=row.unit,
        kind=row.kind,
        scope=row.scope,
        site=row.site,
        value=row.value,
        loss=100 * own.drop,
        loss_ci=(100 * own.low, 100 * own.high),
        exact_loss=100 * other.drop,
        exact_loss_ci=(100 * other.low, 100 * other.high),
        excess=100 * float(excess.mean()),
        excess_ci=(100 * low, 100 * high),
        verdict=_verdict(mean_interval(excess, confidence)),
        gap=100 * gap.drop,
        gap_ci=(100 * gap.low, 100 * gap.high),
        by_accuracy=_verdict((strict.low, strict.high)),
    )


def _verdict(interval: tuple[float, float]) -> Verdict:
    return "more" if interval[0] > 0 else "less" if interval[1] < 0 else "undecided"


@final
@dataclass(frozen=True, kw_only=True)
class Count:
    """Verdicts of a group of pairs, and the mean losses in points."""

    group: str
    pairs: int
    more: int
    less: int
    loss: float
    exact_loss: float


def counted(found: Iterable[Pair], by: Any) -> list[Count]:
    """Verdicts by `by(pair)`, in order of first appearance."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in found:
        groups[str(by(pair))].append(pair)
    return [
        Count(
            group=group,
            pairs=len(held),
            more=sum(pair.verdict == "more" for pair in held),
            less=sum(pair.verdict == "less" for pair in held),
            loss=float(np.mean([pair.loss for pair in held])),
            exact_loss=float(np.mean([pair.exact_loss for pair in held])),
        )
        for group, held in groups.items()
    ]


@final
@dataclass(frozen=True, kw_only=True)
class NetLosses:
    """Random nets stuck in every multiplier of a unit. loss: mean in points; critical: share of nets that cost at least `CRITICAL` points,
    with its 95 % interval."""

    case: str
    unit: str
    nets: int
    loss: float
    critical: float
    critical_ci: tuple[float, float]


def net_losses(rows: Sequence[Row]) -> list[NetLosses]:
    """One entry a case and unit."""
    held = {row.key: row for row in rows}
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.kind == "net":
            healthy = healthy_of(held, row).right
            groups[row.case, row.unit].append(100 * paired_difference(healthy, row.right).drop)
    found = []
    for (case, unit), losses in groups.items():
        critical = sum(loss >= CRITICAL for loss in losses)
        low, high = wilson(critical, len(losses))
        found.append(
            NetLosses(
                case=case,
                unit=unit,
                nets=len(losses),
                loss=float(np.mean(losses)),
                critical=critical / len(losses),
                critical_ci=(low, high),
            )
        )
    return found


def bits_of(pair: Pair) -> str:
    """Where in the word the stuck bit is."""
    bit = int(pair.site.split(",")[-1])
    return f"bits {4 * (bit // 4)} to {4 * (bit // 4) + 3}"


def conclusion(found: Sequence[Pair], nets: Sequence[NetLosses], healthy: dict[tuple[str, str], float]) -> list[str]:
    """Sentences that follow from the numbers. healthy: (case, unit) -> accuracy in percent without a fault."""
    whole = [pair for pair in found if pair.kind == "bit" and pair.scope == "all"]
    lines = [*_overall(whole, "the same product bit stuck in every multiplier of the network"), *_extremes(whole), *_by_accuracy(whole)]
    for title, by in (("By polarity", lambda p: f"stuck at {p.value}"), ("By place in the word", bits_of), ("By unit", lambda p: p.unit)):
        lines.append(f"{title}: " + "; ".join(_count(count) for count in counted(whole, by)) + ".")
    layered = [pair for pair in found if pair.kind == "bit" and pair.scope != "all"]
    if layered:
        lines += [*_overall(layered, "the bit stuck in one layer only"), *_extremes(layered), *_by_accuracy(layered)]
        lines.append("By layer: " + "; ".join(_count(count) for count in counted(layered, lambda p: f"{p.case} {p.scope}")) + ".")
    single = [pair for pair in found if pair.kind == "element"]
    if single:
        lines += _overall(single, "the bit stuck in one element of a weight stationary array")
    lines += _of_nets(nets)
    return [*lines, *_of_units(whole, healthy)]


def _overall(found: Sequence[Pair], what: str) -> list[str]:
    if not found:
        return []
    more, less = (sum(pair.verdict == verdict for pair in found) for verdict in ("more", "less"))
    loss, exact = (float(np.mean([getattr(pair, name) for pair in found])) for name in ("loss", "exact_loss"))
    return [
        f"With {what} ({len(found)} pairs of an approximate and the exact unit), the approximate one loses more in {more}, less in {less} "
        f"and no provable difference is left in {len(found) - more - less}; the mean loss is {loss:.1f} points against {exact:.1f}."
    ]


def _extremes(found: Sequence[Pair]) -> list[str]:
    lines = []
    for verdict, choose, word in (("more", max, "against"), ("less", min, "in favour of")):
        held = [pair for pair in found if pair.verdict == verdict]
        if held:
            worst = choose(held, key=lambda pair: pair.excess)
            lines.append(
                f"The largest difference {word} approximation: {worst.case}, bit {worst.site} stuck at {worst.value} in "
                f"{'all layers' if worst.scope == 'all' else worst.scope}: the exact unit loses "
                f"{_points(worst.exact_loss, worst.exact_loss_ci)}, {worst.unit} {_points(worst.loss, worst.loss_ci)}."
            )
    return lines


def _by_accuracy(found: Sequence[Pair]) -> list[str]:
    """A unit that has less accuracy without a fault has less to lose: what is left is compared too."""
    lower, higher = (sum(pair.by_accuracy == verdict for pair in found) for verdict in ("more", "less"))
    if not found:
        return []
    return [f"By the accuracy that is left instead, the approximate unit is worse in {lower} of {len(found)} pairs and better in {higher}."]


def _points(loss: float, interval: tuple[float, float]) -> str:
    return f"{loss:.1f} points [{interval[0]:.1f}, {interval[1]:.1f}]"


def _count(count: Count) -> str:
    verdicts = f"more in {count.more}, less in {count.less} of {count.pairs}"
    return f"{count.group}: {verdicts} ({count.loss:.1f} against {count.exact_loss:.1f} points)"


def _of_nets(nets: Sequence[NetLosses]) -> list[str]:
    if not nets:
        return []
    shown = "; ".join(
        f"{net.case} {net.unit}: {100 * net.critical:.0f} % [{100 * net.critical_ci[0]:.0f}, {100 * net.critical_ci[1]:.0f}]"
        for net in nets
    )
    return [f"Share of random nets that, stuck in every multiplier, cost at least {CRITICAL:g} points: {shown}."]


def _of_units(found: Sequence[Pair], healthy: dict[tuple[str, str], float]) -> list[str]:
    """Whether units that are good without a fault lose more with it."""
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in found:
        groups[pair.case, pair.unit].append(pair)
    shown = [
        f"{case} {unit}: {healthy[case, unit]:.1f} %, more in {sum(p.verdict == 'more' for p in held)}, less in "
        f"{sum(p.verdict == 'less' for p in held)} of {len(held)}"
        for (case, unit), held in groups.items()
    ]
    return ["Accuracy without a fault, and verdicts: " + "; ".join(shown) + "."] if shown else []
