"""Bit-flip attacks repeated on several networks, and what they say in figures and in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from inexact.metrics import Mean, mean_of
from inexact.nn import ApproxModel
from inexact.security._seeds import part_seed
from inexact.security.bit_flip import (
    FlipRun,
    attack_batch,
    judge_on,
    progressive_bit_search,
    random_flips,
    replay,
    ruined,
    within_ranges,
)
from inexact.security.record import Record
from inexact.zoo import Dataset


@final
@dataclass(frozen=True, kw_only=True)
class FlipSettings:
    """flips: at most so many in an attack. batch: images the attacker has. runs: attacks, each with a batch of its own.

    range_check: only flips whose code stays within the range of its output channel. seed: of batches and random flips.
    """

    flips: int = 50
    batch: int = 128
    runs: int = 5
    range_check: bool = False
    seed: int = 0


@final
@dataclass(frozen=True, kw_only=True)
class FlipSummary:
    """Attacks with several batches on one network; top-1 in percent, a run that ended earlier counts with its last accuracy.

    needed: flips until ruined, None where a run was not; halved: until top-1 was at most half of that before. clean: before. curve: after
    0, 1, … flips. by_chance: after as many random flips as an attack may have. transferred: after the flips found on the first network.
    """

    needed: tuple[int | None, ...]
    halved: tuple[int | None, ...]
    clean: float
    curve: tuple[Mean, ...]
    by_chance: Mean
    transferred: Mean

    @property
    def mean_needed(self) -> Mean | None:
        """Mean flips until ruined; None unless every run got there."""
        return _mean_of_all(self.needed)

    @property
    def mean_halved(self) -> Mean | None:
        """Mean flips until half the accuracy was lost; None unless every run got there."""
        return _mean_of_all(self.halved)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        mean, half = self.mean_needed, self.mean_halved
        return {
            "flips_needed": mean.to_json() if mean else None,
            "flips_to_half": half.to_json() if half else None,
            "flips_needed_runs": list(self.needed),
            "top1": self.clean,
            "top1_after": [found.to_json() for found in self.curve],
            "top1_after_random": self.by_chance.to_json(),
            "top1_after_transferred": self.transferred.to_json(),
        }


@final
@dataclass(frozen=True, kw_only=True)
class FlipStudy:
    """limit: top-1 in percent at which a network counts as ruined. flips: random flips. networks: by name, the reference first."""

    limit: float
    flips: int
    networks: Mapping[str, FlipSummary]

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        found = {name: summary.to_json() for name, summary in self.networks.items()}
        return {"ruined_at": self.limit, "networks": found, "conclusion": self.sentences()}

    def sentences(self) -> list[str]:
        """One for every network; those after the first against it, by differences over the same attack batches."""
        (first, reference), *others = self.networks.items()
        sentences = [self._ruin(first, reference)]
        for name, summary in others:
            pairs = [(a, b) for a, b in zip(reference.needed, summary.needed, strict=True) if a is not None and b is not None]
            whole = len(pairs) == len(reference.needed)
            judged = " " + _judged(mean_of([float(b - a) for a, b in pairs]), first) if whole else ""
            moved = f" Those found on {first} leave {summary.transferred.shown()} %."
            sentences.append(self._ruin(name, summary) + judged + moved)
        return sentences

    def _ruin(self, name: str, found: FlipSummary) -> str:
        mean, start = found.mean_needed, f"{name}: "
        if mean is None:
            reached = sum(count is not None for count in found.needed)
            start += f"{reached} of {len(found.needed)} attacks bring {found.clean:.1f} % to {self.limit:.1f} % or less"
        else:
            start += f"{mean.shown()} flips bring {found.clean:.1f} % to {self.limit:.1f} % or less"
        half = f"; {found.mean_halved.shown()} halve it" if found.mean_halved else ""
        return f"{start}{half}; {self.flips} random flips leave {found.by_chance.shown()} %."


def flip_study(
    nets: Mapping[str, ApproxModel],
    held: Dataset,
    test: Dataset,
    settings: FlipSettings,
    *,
    record: Record,
    progress: Callable[[int, int], None],
) -> FlipStudy:
    """Attack every network with the same batches of `held`, and judge on `test`. record: keeps finished attacks."""
    judge, limit, total = judge_on(test), ruined(test), 3 * settings.runs * len(nets)
    found: dict[str, tuple[list[FlipRun], list[FlipRun], list[FlipRun]]] = {}
    first = next(iter(nets))
    for name, net in nets.items():
        permitted = within_ranges(net) if settings.range_check else None
        runs = found.setdefault(name, ([], [], []))
        for run in range(settings.runs):
            seed = part_seed(settings.seed, run)

            def search(net: ApproxModel = net, permitted: Any = permitted, seed: int = seed) -> FlipRun:
                batch = attack_batch(held, settings.batch, seed)
                return progressive_bit_search(net, batch, judge, flips=settings.flips, enough=limit, permitted=permitted)

            def guess(net: ApproxModel = net, seed: int = seed) -> FlipRun:
                return random_flips(net, judge, flips=settings.flips, seed=seed, every=settings.flips)

            def transfer(net: ApproxModel = net, run: int = run) -> FlipRun:
                return replay(net, found[first][0][run].flips, judge)

            for kind, (of_kind, make) in enumerate(zip(runs, (search, guess, transfer), strict=True)):
                part = record.part(f"{name} {run} {kind}", lambda make=make: make().to_json())  # type: ignore[misc]
                of_kind.append(FlipRun.from_json(part))
                progress(sum(len(kept) for three in found.values() for kept in three), total)
    summaries = {name: _summary(*three, limit) for name, three in found.items()}
    return FlipStudy(limit=limit, flips=settings.flips, networks=summaries)


def _summary(searched: Sequence[FlipRun], random: Sequence[FlipRun], transferred: Sequence[FlipRun], limit: float) -> FlipSummary:
    longest = max(len(run.flips) for run in searched)
    return FlipSummary(
        needed=tuple(run.needed(limit) for run in searched),
        halved=tuple(run.needed(run.top1[0] / 2) for run in searched),
        clean=searched[0].top1[0],
        curve=tuple(mean_of([run.top1[min(count, len(run.top1) - 1)] for run in searched]) for count in range(longest + 1)),
        by_chance=mean_of([run.top1[-1] for run in random]),
        transferred=mean_of([run.top1[-1] for run in transferred]),
    )


def _mean_of_all(counts: Sequence[int | None]) -> Mean | None:
    known = [float(count) for count in counts if count is not None]
    return mean_of(known) if len(known) == len(counts) else None


def _judged(difference: Mean, first: str) -> str:
    shown = f"{difference.mean:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}] flips against {first}"
    if difference.low > 0:
        return f"That is harder to ruin: {shown}."
    if difference.high < 0:
        return f"That is easier to ruin: {shown}."
    return f"No difference is shown: {shown}."
