"""The forecast inside a search: what a genome should lose, and which genomes are hopeless enough not to be simulated."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
import torch
from torch import Tensor

from inexact.core.errors import StudyError
from inexact.explore.conformal import Conformal, calibrate, fewest_plans
from inexact.explore.forecast import Forecaster
from inexact.explore.margins import Margins
from inexact.explore.samplers import Genome
from inexact.explore.space import Option, Space
from inexact.explore.watch import Watch
from inexact.nn import Rule
from inexact.precision import MixedFormat

LEVEL = 0.9
"""Coverage of the interval whose lower end must break the budget before a genome is screened out."""

FLOOR = 0.05
"""Points added to a forecast that ranks genomes: below it they are equally harmless."""


def judged(rule: Rule) -> bool:
    """Whether a forecast is trusted with a rule: products of integers of one width and scale."""
    return rule.format.system is None and rule.format.block is None and not isinstance(rule.format, MixedFormat)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Effects:
    """What every judged option of a space does to the logits, by itself: all a forecast of its genomes needs; kept with the study.

    logits, labels: float32 [M, C] and int64 [M], of the images answers are counted on. seen: int64 [N], of them those effects were measured
    on. changes: of each layer float32 [options, N, T]; known: of each layer bool [options], which of them were measured.
    """

    seen: Tensor
    logits: Tensor
    labels: Tensor
    changes: tuple[Tensor, ...]
    known: tuple[Tensor, ...]

    @classmethod
    def of(cls, space: Space, forecaster: Forecaster, watch: Watch) -> Self:
        """Measure those of a space. Raises StudyError when there is no choice in it that a forecast can judge."""
        wanted = {layer.layer: [option.rule for option in layer.options if judged(option.rule)] for layer in space.layers}
        if not any(len(rules) > 1 for rules in wanted.values()):
            raise StudyError(
                "a forecast judges products of integers only, and the space offers no choice among them: leave --forecast away"
            )
        forecaster.learn(wanted, watch=watch)
        changes = [torch.stack([_change(forecaster, layer.layer, option) for option in layer.options]) for layer in space.layers]
        return cls(
            seen=forecaster.seen,
            logits=forecaster.logits,
            labels=forecaster.labels,
            changes=tuple(changes),
            known=tuple(torch.tensor([judged(option.rule) for option in layer.options]) for layer in space.layers),
        )

    def to_text(self) -> str:
        """Base64 of a compressed .npz, for the study's store."""
        arrays = {"seen": self.seen, "logits": self.logits, "labels": self.labels}
        arrays |= {f"changes_{place}": part for place, part in enumerate(self.changes)}
        arrays |= {f"known_{place}": part for place, part in enumerate(self.known)}
        written = io.BytesIO()
        np.savez_compressed(written, **{name: value.numpy() for name, value in arrays.items()})  # type: ignore[arg-type]
        return base64.b64encode(written.getvalue()).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `to_text` wrote."""
        with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as held:
            found: dict[str, Tensor] = {name: torch.from_numpy(held[name]) for name in held.files}
        layers = range((len(found) - 3) // 2)
        return cls(
            seen=found["seen"],
            logits=found["logits"],
            labels=found["labels"],
            changes=tuple(found[f"changes_{place}"] for place in layers),
            known=tuple(found[f"known_{place}"] for place in layers),
        )


def _change(forecaster: Forecaster, layer: str, option: Option) -> Tensor:
    known: Any = forecaster.known.get((layer, option.rule))
    return torch.zeros(forecaster.isolation.columns.shape) if known is None else known.change.float()


@final
class Screen:
    """Forecasts of genomes, calibrated once on the first trials of the study, deterministic given those.

    effects: of the space's options. max_drop: the budget in points. A genome is screened out when the whole interval around its forecast
    lies above the budget. The interval is calibrated on plans that a search picked, and promises its level for plans like those only.
    """

    def __init__(self, effects: Effects, max_drop: float) -> None:
        self.effects = effects
        self.max_drop = max_drop
        self.margins = Margins(effects.logits, effects.labels, effects.seen)
        self.complete = all(bool(known.all()) for known in effects.known)
        self.calibrated: Conformal | None = None
        self._pairs: list[tuple[float, float]] = []
        self._raw: dict[Genome, float] = {}

    def raw(self, genome: Genome) -> float | None:
        """The uncalibrated forecast in points; None for genomes with an option no forecast judges."""
        if not all(bool(known[gene]) for known, gene in zip(self.effects.known, genome, strict=True)):
            return None
        self._learn([genome])
        return self._raw[genome]

    def risks(self, genomes: Sequence[Genome]) -> list[float] | None:
        """What a sampler ranks by: positive, rises with the forecast. None where some genomes of the space are not judged."""
        if not self.complete:
            return None
        self._learn(genomes)
        return [max(self._raw[genome], 0.0) + FLOOR for genome in genomes]

    def _learn(self, genomes: Sequence[Genome]) -> None:
        """Forecast those that are new, together."""
        fresh = [genome for genome in dict.fromkeys(genomes) if genome not in self._raw]
        if fresh:
            genes = torch.tensor(fresh).T
            changes = sum((part[chosen] for part, chosen in zip(self.effects.changes, genes, strict=True)), torch.zeros(1))
            self._raw |= zip(fresh, self.margins.lost(changes).tolist(), strict=True)

    def told(self, genome: Genome, drop: float) -> None:
        """Learn from a simulated trial, until there are enough to calibrate."""
        raw = self.raw(genome)
        if raw is None or self.calibrated is not None:
            return
        self._pairs.append((raw, drop))
        if len(self._pairs) == fewest_plans(LEVEL):
            raws, drops = zip(*self._pairs, strict=True)
            self.calibrated = calibrate(raws, drops, level=LEVEL)

    def refused(self, genome: Genome) -> float | None:
        """The forecast drop of a genome that is not worth a simulation; None for all others."""
        raw = None if self.calibrated is None else self.raw(genome)
        if raw is None or self.calibrated is None or self.calibrated.interval(raw)[0] <= self.max_drop:
            return None
        return self.calibrated.drop(raw)
