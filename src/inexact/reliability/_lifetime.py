"""Accuracy over a chip's life: fewer operand bits as it ages, against a lower clock from the start, and against timing errors.

Reference: S. Salamin, G. Zervakis, O. Spantidi, I. Anagnostopoulos, J. Henkel, H. Amrouch, Reliability-Aware Quantization for Anti-Aging
NPUs, DATE 2021, arXiv:2103.04812
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from torch import nn

from inexact.core.errors import FaultError, near
from inexact.nn import ApproxModel, Data, Evaluation, Plan, approximate, evaluate
from inexact.reliability._ageing import Ageing
from inexact.reliability._fewer_bits import Width, feasible, sensitised_ns, widths
from inexact.reliability._late_sums import weight_operands
from inexact.reliability._stage import LateRows, Stage, stage
from inexact.reliability.late_products import late_rows, with_late_products

CODINGS = {"unsigned": "exact", "sign_magnitude": "exact(width=(8,7))"}
"""Coding -> the multiplier of a processing element; the sign of a weight does not enter it."""

CALIBRATIONS = ("minmax", "percentile", "mse")

Progress = Callable[[str], None]


@final
@dataclass(frozen=True, kw_only=True)
class Moment:
    """One age. drift_v: of the threshold. factor: delay over that of the fresh chip. width, calibration: chosen on validation data.
    sensitised_ns: the longest path that a sample of transitions of that width takes.

    aware: accuracy with the operands chosen for that age, at the fresh clock. unguarded: with all bits at the fresh clock, late products
    included; None where it was not asked for. late_share: of all products there.
    """

    years: float
    drift_v: float
    factor: float
    width: Width
    sensitised_ns: float
    calibration: str
    aware: Evaluation
    unguarded: Evaluation | None
    late_share: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        chosen = {name: getattr(self.width, name) for name in ("a_bits", "b_bits", "static_ns", "cycle_ns")}
        return {
            "years": self.years,
            "drift_v": self.drift_v,
            "delay_factor": self.factor,
            **chosen,
            "padding": list(self.width.padding),
            "sensitised_ns": self.sensitised_ns,
            "calibration": self.calibration,
            "aware": self.aware.to_json(),
            "unguarded": None if self.unguarded is None else self.unguarded.to_json(),
            "late_share": self.late_share,
        }


@final
@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """A network over a chip's life. clock_ns: fresh, without guard band. guardband: share by which a clock that is safe until the last age
    is longer. fresh: accuracy with all bits, which a guarded chip keeps."""

    clock_ns: float
    guardband: float
    fresh: Evaluation
    moments: tuple[Moment, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "clock_ns": self.clock_ns,
            "guardband": self.guardband,
            "fresh": self.fresh.to_json(),
            "ages": [moment.to_json() for moment in self.moments],
        }


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """What ages how. ages: years, rising. voltage: of the array, V. coding: one of `CODINGS`. calibrations: ranges of activations to try.

    timing_errors: also evaluate all bits at the fresh clock. array_rows: of the array, for those.
    """

    ageing: Ageing
    ages: tuple[float, ...] = (0.0, 1.0, 3.0, 10.0)
    voltage: float = 1.1
    coding: str = "unsigned"
    calibrations: tuple[str, ...] = CALIBRATIONS
    timing_errors: bool = True
    array_rows: int = 16
    node: str = "45nm"

    def __post_init__(self) -> None:
        if self.coding not in CODINGS:
            raise FaultError(
                f"coding must be one of {', '.join(CODINGS)} for operands of fewer bits, not {self.coding!r}{near(self.coding, CODINGS)}"
            )
        if not self.ages or list(self.ages) != sorted(set(self.ages)):
            raise FaultError(f"ages must be different years in rising order, not {', '.join(map(str, self.ages)) or 'none'}")
        unknown = [name for name in self.calibrations if name not in CALIBRATIONS]
        if unknown or not self.calibrations:
            raise FaultError(f"calibrations must be some of {', '.join(CALIBRATIONS)}, not {', '.join(unknown) or 'none'}")


def lifetime(
    model: nn.Module, settings: Settings, *, calibrate: Data, validation: Data, test: Data, progress: Progress | None = None
) -> Lifetime:
    """For every age the operand widths that meet the fresh clock with the least loss, chosen on validation and reported on test data.

    The unit is exact and the only one in the array; all layers have the same widths. Raises FaultError for ages, coding or calibrations
    that do not exist and for clocks that no width meets; HardwareError for a voltage near the risen threshold.
    """
    found = _Search(model, settings, calibrate, validation, test, progress or _silent)
    return found.run()


def _silent(_what: str) -> None:
    """Say nothing."""


@final
class _Search:
    """One network under one set of settings; evaluations are kept."""

    def __init__(self, model: nn.Module, settings: Settings, calibrate: Data, validation: Data, test: Data, progress: Progress) -> None:
        self.model, self.settings, self.progress = model, settings, progress
        self.calibrate, self.validation, self.test = calibrate, validation, test
        self.stage: Stage = stage(CODINGS[settings.coding], node=settings.node)
        self.signs = int(settings.coding == "sign_magnitude")
        self.top1: dict[tuple[int, int, str], float] = {}
        self.reports: dict[tuple[int, int, str], Evaluation] = {}

    def run(self) -> Lifetime:
        settings = self.settings
        drifts = {years: settings.ageing.drift(years) for years in settings.ages}
        fresh_factor = self.stage.slowdown(settings.voltage)
        factors = {years: self.stage.slowdown(settings.voltage, drift) / fresh_factor for years, drift in drifts.items()}
        self.known = widths(self.stage)
        full = self.known[0]
        calibration = self._best_calibration(full)
        self.fresh = evaluate(self._emulated(full, calibration), self.test)
        late = self._late(full, calibration, factors) if settings.timing_errors else {}
        moments = tuple(self._moment(years, drifts[years], factors[years], late.get(years)) for years in settings.ages)
        guardband = factors[settings.ages[-1]] - 1
        return Lifetime(clock_ns=self.stage.clock_ns * fresh_factor, guardband=guardband, fresh=self.fresh, moments=moments)

    def _moment(self, years: float, drift: float, factor: float, late: tuple[Evaluation, float] | None) -> Moment:
        choices = [
            (self._validated(width, calibration), width, calibration)
            for width in feasible(self.known, self.stage.clock_ns, factor)
            for calibration in self.settings.calibrations
        ]
        _, width, calibration = max(choices, key=lambda choice: choice[0])
        key = (width.a_bits, width.b_bits, calibration)
        if key not in self.reports:
            self.progress(f"{years:g} years: {width.a_bits} x {width.b_bits} bits on test images")
            self.reports[key] = evaluate(self._emulated(width, calibration), self.test, reference_int8=self.fresh)
        return Moment(
            years=years,
            drift_v=drift,
            factor=factor,
            width=width,
            sensitised_ns=sensitised_ns(self.stage, width),
            calibration=calibration,
            aware=self.reports[key],
            unguarded=None if late is None else late[0],
            late_share=None if late is None else late[1],
        )

    def _best_calibration(self, width: Width) -> str:
        return max(self.settings.calibrations, key=lambda calibration: self._validated(width, calibration))

    def _validated(self, width: Width, calibration: str) -> float:
        key = (width.a_bits, width.b_bits, calibration)
        if key not in self.top1:
            self.progress(f"{width.a_bits} x {width.b_bits} bits, ranges by {calibration}")
            self.top1[key] = evaluate(self._emulated(width, calibration), self.validation).top1
        return self.top1[key]

    def _emulated(self, width: Width, calibration: str, multiplier: str = "exact") -> ApproxModel:
        precision = f"int(a_bits={width.a_bits},b_bits={width.b_bits + self.signs},calibration={calibration},weight_calibration=minmax)"
        plan = Plan(precision=precision, coding=self.settings.coding, multiplier=multiplier)
        return approximate(self.model, plan, calibrate=self.calibrate)

    def _late(self, full: Width, calibration: str, factors: dict[float, float]) -> dict[float, tuple[Evaluation, float]]:
        """All bits at the fresh clock: accuracy and share of late products at every age."""
        net = self._emulated(full, calibration, CODINGS[self.settings.coding])
        rows: LateRows = late_rows(self.stage.unit.spec, 0.0, self.settings.node)
        edges = [self.stage.edge_ns(factor) for factor in factors.values()]

        def simulated(done: int, total: int) -> None:
            self.progress(f"transitions of weight {done} of {total}")

        rows.prepare(weight_operands(net), edges, simulated)
        found = {}
        for years, factor in factors.items():
            self.progress(f"{years:g} years: all bits with late products")
            late = with_late_products(net, dict.fromkeys(net.layers(), factor), array_rows=self.settings.array_rows)
            found[years] = (evaluate(late.net, self.test, reference_int8=self.fresh), late.total.late_share)
        return found
