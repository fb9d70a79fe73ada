"""What a finished study says, as plain data: the one object the files, the `--json` answer and the HTML report are made from.

Every figure is a number in the unit its field names (percent, points, pJ) or an estimate object
`{value, unit, source, node, spread, verified}` as `core.Estimate.to_json` writes it. No torch, no numpy.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-1 accuracy in percent with its 95 % Wilson interval, over `n` images."""

    top1: float
    ci: Interval
    n: int


@dataclass(frozen=True, kw_only=True)
class PairedAccuracy:
    """Accuracy of a design on the same images as its references.

    top1, ci: percent. drop, drop_ci: points below float32 (positive = worse). drop_int8, drop_int8_ci: points below the exact 8-bit
    network. p_value: exact McNemar test against the exact 8-bit network. n: images. split: "validation" or "test".
    """

    top1: float
    ci: Interval
    drop: float
    drop_ci: Interval
    drop_int8: float
    drop_int8_ci: Interval
    p_value: float
    n: int
    split: str


@dataclass(frozen=True, kw_only=True)
class TrialReport:
    """One plan the search tried.

    drop, drop_ci: points below float32 on `n_images` images of `split`; None when the trial failed.
    energy_saving: percent of the whole accelerator's energy, DRAM included. area_saving: percent of its area.
    measured: objectives that only a built network tells, such as robust_accuracy in percent.
    status: "done" or "failed"; error: last line of the traceback of a failed trial. on_front: nothing measured is better in everything.
    """

    id: int
    drop: float | None
    drop_ci: Interval | None
    n_images: int
    split: str
    energy_saving: float | None
    area_saving: float | None
    plan_toml: str
    status: str
    on_front: bool
    measured: dict[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """One layer of a design. noise: output error power over signal power after the free correction, as ranked (None: not ranked).

    energy_pj, baseline_energy_pj: of the layer, this design and exact 8-bit, one inference. energy_share: of the design's total, 0..1.
    products: share of the layer's products that its reduction leaves, 0..1 (None: not counted). reached: share of the inputs
    that come to it, 0..1; others leave early.
    """

    name: str
    kind: str
    macs: int
    multiplier: str | None
    precision: str
    coding: str
    recovery: str
    reduction: str = "none"
    products: float | None = None
    reached: float = 1.0
    noise: float | None
    energy_pj: float
    energy_share: float
    baseline_energy_pj: float


@dataclass(frozen=True, kw_only=True)
class DesignReport:
    """A chosen plan. savings: boundary -> estimate ("multiplier", "array", "on_chip", "with_dram"), percent of the exact 8-bit design.

    ceiling: boundary -> estimate of the saving if multiplications cost nothing at all. latency_ms, baseline_latency_ms: estimates of one
    inference of this design and of the exact 8-bit one; empty in studies of older versions. test is None when no test data was given.
    exits: of a design with early exits {images, test_images, leave: [{after, tau, share, test_share}], worst_latency_ms, test_savings}:
    where inputs leave, 0..1, by the validation images, which savings rest on, and by the test images, and savings by those.
    """

    trial: int
    plan_toml: str
    layers: tuple[LayerReport, ...]
    validation: PairedAccuracy
    test: PairedAccuracy | None
    savings: dict[str, JsonObject]
    area_saving: JsonObject
    ceiling: dict[str, JsonObject]
    latency_ms: JsonObject = field(default_factory=dict)
    baseline_latency_ms: JsonObject = field(default_factory=dict)
    exits: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UnitReport:
    """One unit the best design uses. metrics: the passport; cost: estimates relative to exact 8x8.

    error_heatmap: mean signed error (approx - exact) in 32x32 blocks (or fewer), rows = activation, columns = weight, both by bit pattern.
    """

    spec: str
    sha256: str
    metrics: JsonObject
    cost: dict[str, JsonObject]
    error_heatmap: list[list[float]]


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """Everything a study found. `to_json()` is the dictionary the report writer takes.

    energy: {"unit": "pJ", "baseline": {component: pJ}, "best": {component: pJ}, "by_boundary": {"baseline": {boundary: pJ}, "best": {…}}},
    one inference.
    provenance: [{quantity, value, unit, source, node, verified}]. best is None when no design meets `max_drop`; `message` says why.
    screened: plans that were refused by their forecast and not simulated.
    """

    title: str
    command: str
    network: str
    data: str
    accelerator: str
    max_drop: float
    seed: int
    seconds: float
    versions: dict[str, str]
    settings: JsonObject
    float32: Accuracy
    int8: PairedAccuracy
    test_float32: Accuracy | None = None
    test_int8: PairedAccuracy | None = None
    trials: tuple[TrialReport, ...] = ()
    finalists: tuple[JsonObject, ...] = ()
    best: DesignReport | None = None
    message: str = ""
    energy: JsonObject = field(default_factory=dict)
    units: tuple[UnitReport, ...] = ()
    provenance: tuple[JsonObject, ...] = ()
    screened: int = 0

    @property
    def front(self) -> tuple[TrialReport, ...]:
        """The non-dominated trials, largest energy saving first."""
        chosen = [t for t in self.trials if t.on_front]
        return tuple(sorted(chosen, key=lambda t: -(t.energy_saving or 0.0)))

    def to_json(self) -> JsonObject:
        """The whole report as plain JSON types; `front` is included."""
        content = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        content["front"] = [_plain(t) for t in self.front]
        return content

    def summary(self) -> JsonObject:
        """The short answer of `study run --json`: trials, seconds, front, best."""
        return {
            "trials": len(self.trials),
            "screened": self.screened,
            "seconds": self.seconds,
            "front": [front_point(t) for t in self.front],
            "best": _plain(self.best),
        }


def front_point(trial: TrialReport) -> JsonObject:
    """{trial, drop, drop_ci, n_images, energy_saving, area_saving, plan} of one trial, and what was measured: points, percent, TOML."""
    return {
        "trial": trial.id,
        "drop": trial.drop,
        "drop_ci": list(trial.drop_ci) if trial.drop_ci else None,
        "n_images": trial.n_images,
        "energy_saving": trial.energy_saving,
        "area_saving": trial.area_saving,
        **trial.measured,
        "plan": trial.plan_toml,
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
