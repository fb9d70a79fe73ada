"""The family of recoveries, chains of them, and applying them layer by layer."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from inexact.core.errors import SpecError
from inexact.core.registry import Family, calls_of, spec_of
from inexact.nn import ApproxLayer, Correction, Probe
from inexact.recovery._facts import Facts
from inexact.recovery._weights import probe_now

_FOLD = Facts(changes=frozenset({"gain", "bias"}))


class Recovery(ABC):
    """How one layer is corrected from what it computes on calibration data; members are frozen dataclasses with the hook `correct`."""

    family_name: ClassVar[str]
    facts: ClassVar[Facts] = _FOLD

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    @property
    def stages(self) -> tuple[Recovery, ...]:
        """The recoveries of a chain, in order; of any other, itself."""
        return (self,)

    @property
    def against_network(self) -> bool:
        """Whether it compares the layer with the float32 network, and not with the exact layer on the inputs the layer really gets."""
        return False

    @abstractmethod
    def correct(self, probe: Probe) -> Correction:
        """The correction for one layer. The probe's inputs come through the layers before it, approximate and already corrected."""


@final
@dataclass(frozen=True)
class Chain(Recovery):
    """Recoveries one after another in every layer, written `first + second`: each sees the weights and columns of those before it.

    Modes and ranges come first, because weights and columns are found for given codes; a map of weight codes comes before anything else
    that changes weights. Each stage fits bias (and gain) anew, so the last one's stand. Raises SpecError for stages that undo each other.
    """

    parts: tuple[Recovery, ...]

    def __post_init__(self) -> None:
        for place, stage in enumerate(self.parts):
            self._check(place, stage)

    def _check(self, place: int, stage: Recovery) -> None:
        before = self.parts[:place]
        if not stage.facts.changes:
            raise SpecError(f"{stage.spec} cannot be combined with another recovery: leave it out of {self.spec!r}")
        if any(type(stage) is type(other) for other in before):
            raise SpecError(f"a recovery must stand once in a chain, but {stage.family_name} stands twice in {self.spec!r}: leave one out")
        if "modes" in stage.facts.changes and place:
            raise SpecError(f"{stage.family_name} must come first in {self.spec!r}: what stands before it was found for other modes")
        if "ranges" in stage.facts.changes and any("channels" not in other.facts.changes for other in before):
            raise SpecError(f"{stage.family_name} must come first in {self.spec!r}: what stands before it was found for other codes")
        rivals = [other for other in before if "columns" in other.facts.changes & stage.facts.changes]
        if rivals:
            raise SpecError(f"{rivals[0].family_name} and {stage.family_name} both set the correction columns: keep one in {self.spec!r}")
        changed = [other for other in before if "weights" in other.facts.changes and "ranges" not in other.facts.changes]
        if changed and stage.facts.least == 0:
            raise SpecError(
                f"{stage.family_name} must come before {changed[0].family_name} in {self.spec!r}: it maps the original weight codes"
            )

    @property
    def spec(self) -> str:
        """The stages' specs, joined by plus signs."""
        return " + ".join(stage.spec for stage in self.parts)

    @property
    def stages(self) -> tuple[Recovery, ...]:
        """In order."""
        return self.parts

    @property
    def against_network(self) -> bool:
        """Whether any stage does."""
        return any(stage.against_network for stage in self.parts)

    def correct(self, probe: Probe) -> Correction:
        """What the last stage leaves."""
        for stage in self.parts:
            correction = stage.correct(probe)
            probe = _as_it_is_now(probe, stage).after(correction)
        return probe.correction


def _as_it_is_now(probe: Probe, stage: Recovery) -> Probe:
    """The probe after a stage has changed modes, or scales and zero points, in its layer."""
    layer = probe.layer
    if "ranges" in stage.facts.changes and isinstance(layer, ApproxLayer) and probe.x is not None:
        return probe_now(layer, probe.x, probe.reference)
    return probe.renewed() if "modes" in stage.facts.changes else probe


@final
class Recoveries(Family[Recovery]):
    """The family; `get` also reads chains."""

    def get(self, spec: str | Recovery) -> Recovery:
        """The recovery or chain a spec describes; a recovery is returned as it is.

        Raises SpecError for malformed specs, unknown parameters and stages that cannot be combined, UnknownNameError for unknown names.
        """
        if isinstance(spec, Recovery):
            return spec
        if not isinstance(spec, str):
            raise SpecError(f"a recovery must be given as an object or as a spec such as 'bias_correction(gain=true)', not {spec!r}")
        calls = calls_of(spec)
        stages = tuple(self._build(call, ast.unparse(call) if len(calls) > 1 else spec) for call in calls)
        return stages[0] if len(stages) == 1 else Chain(stages)


recoveries = Recoveries("recovery", "inexact.recovery")
