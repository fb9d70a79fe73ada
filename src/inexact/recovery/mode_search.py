"""Choosing modes of reconfigurable units layer by layer, until an accuracy budget is used up."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import final

from inexact.core.errors import DataError, PlanError
from inexact.nn import ApproxLayer, ApproxModel, Data, Evaluation, Plan, evaluate
from inexact.recovery._base import Recovery
from inexact.recovery._recover import recover
from inexact.recovery.automatic import Choice, Trial
from inexact.recovery.lvrm_ranges import RangesOfModes
from inexact.recovery.pn_balance import Balance
from inexact.units import Multiplier
from inexact.units.lvrm import LowVariance
from inexact.units.pn import PositiveNegative

RANGES = {"strong": (10, 5, 0), "weak": (30, 20)}
"""Published ranges of weights around zero, in codes, widest first: those that take mode 2 of `lvrm`, then those that take mode 1."""

NO_WEIGHT, EVERY_WEIGHT = -1, 255

Chosen = dict[str, Recovery]
"""Layer -> recovery that sets its modes."""


def choose_modes(
    net: ApproxModel,
    exact: Evaluation,
    *,
    calibration: Data,
    decide: Data,
    max_drop: float,
    balance: str = "pairs",
    correction: str = "bias_correction(gain=true)",
    progress: Callable[[str], None] | None = None,
) -> Choice:
    """Modes for every layer whose rule has a mode per weight or filter, as cheap as a drop of at most `max_drop` points on `decide` allows.

    First as many whole layers as possible take the cheapest way: mode 2 for every weight of `lvrm`, `pn_balance(start=balance)` for `pn`.
    They are taken in the order of what each loses when it alone does, with every other layer in its exact mode. In the layers of `lvrm`
    that are left, in the same order, weights within 10, 5 or 0 codes of zero take mode 2, then weights within 30 or 20 codes mode 1: the
    widest range that keeps to the budget. Everything else stays exact. Layers whose weights all run one mode store it once a filter.
    `correction` follows in every layer with approximate modes, as the published bias update.
    exact: of the exact 8-bit network on `decide`. progress: called with a line before each trial. The images that decide make the kept
    drop optimistic: report another set.
    Raises PlanError when no layer has modes, DataError for a negative budget. A budget that cannot be met leaves every weight in its exact
    mode; then `met` is False.

    Reference: Z.-G. Tasoulas et al., IEEE TCAS-I 67(12), 2020, doi:10.1109/TCSI.2020.3019460 (the four steps, for LVRM);
    O. Spantidi et al., ICCAD 2021, doi:10.1109/ICCAD51958.2021.9643443 (P/N; the order of layers is that of the other work)
    """
    if max_drop < 0:
        raise DataError(f"max_drop must be 0 or more points, not {max_drop}")
    search = _Search(net, exact, calibration, decide, max_drop, balance, correction, progress)
    search.run()
    kept = search.trials.index(search.best)
    return Choice(net=search.network(search.chosen), trials=tuple(search.trials), kept=kept, met=search.best.drop <= max_drop)


@final
class _Search:
    """The four steps. chosen: what was accepted so far; best: its trial."""

    def __init__(
        self,
        net: ApproxModel,
        exact: Evaluation,
        calibration: Data,
        decide: Data,
        max_drop: float,
        balance: str,
        correction: str,
        progress: Callable[[str], None] | None,
    ) -> None:
        self.net = net
        self.reference = exact
        self.calibration = calibration
        self.decide = decide
        self.max_drop = max_drop
        self.balance = balance
        self.correction = correction
        self.progress = progress
        self.units: Mapping[str, Multiplier] = _modal_units(net)
        self.trials: list[Trial] = []
        self.chosen: Chosen = {}
        self.best = self._tried({}, "every layer exact")

    def run(self) -> None:
        """Whole layers, then ranges of weights in the others."""
        if self.best.drop > self.max_drop:
            return
        everything = {name: self._cheapest(unit) for name, unit in self.units.items()}
        if self._accepts(everything, "every layer in its cheapest modes"):
            return
        order = self._by_loss(everything)
        self._whole_layers(order, everything)
        rest = [name for name in order if name not in self.chosen and isinstance(self.units[name], LowVariance)]
        for step, ranges in RANGES.items():
            for name in rest:
                self._widest(name, step, ranges)

    def network(self, chosen: Chosen) -> ApproxModel:
        """The network with its layers' modes chosen so, corrected."""
        net = copy.deepcopy(self.net)
        for name, layer in net.layers().items():
            if name in self.units:
                assert isinstance(layer, ApproxLayer)
                choice = chosen.get(name)
                if choice is None or (isinstance(choice, RangesOfModes) and choice.strong == EVERY_WEIGHT):
                    layer.share_mode(0)  # its recovery says which
                spec = _exact(self.units[name]) if choice is None else f"{choice.spec} + {self.correction}"
                layer.rule = layer.rule.but(recovery=spec)
        rules = {name: layer.rule for name, layer in net.layers().items() if name in self.units}
        net.plan = Plan({**net.plan.rules, **rules}, exits=net.plan.exits)
        return recover(net, data=self.calibration)

    def _cheapest(self, unit: Multiplier) -> Recovery:
        if isinstance(unit, PositiveNegative):
            return Balance(start=self.balance)
        return RangesOfModes(strong=EVERY_WEIGHT, weak=EVERY_WEIGHT)

    def _by_loss(self, everything: Chosen) -> list[str]:
        losses = {name: self._tried({name: spec}, f"only {name}").drop for name, spec in everything.items()}
        return sorted(losses, key=lambda name: losses[name])

    def _whole_layers(self, order: list[str], everything: Chosen) -> None:
        """As many layers of the order as keep to the budget, found by bisection: losses are taken to grow with the layers."""
        low, high = 0, len(order) - 1  # all of them were refused
        while low < high:
            middle = (low + high + 1) // 2
            found = {name: everything[name] for name in order[:middle]}
            if self._accepts(found, f"{middle} of {len(order)} layers in their cheapest modes"):
                low = middle
            else:
                high = middle - 1

    def _widest(self, name: str, step: str, ranges: Iterable[int]) -> None:
        """The widest range of a step that keeps to the budget; of mode 2 alone, or of mode 1 beside the mode 2 that was found."""
        before = self.chosen.get(name)
        for width in ranges:
            strong = width if step == "strong" else before.strong if isinstance(before, RangesOfModes) else NO_WEIGHT
            found = RangesOfModes(strong=strong, weak=width)
            if self._accepts({**self.chosen, name: found}, f"{name}: {found.spec}"):
                return

    def _accepts(self, chosen: Chosen, label: str) -> bool:
        trial = self._tried(chosen, label)
        if trial.drop > self.max_drop:
            return False
        self.chosen, self.best = chosen, trial
        return True

    def _tried(self, chosen: Chosen, label: str) -> Trial:
        if self.progress is not None:
            self.progress(label)
        found = evaluate(self.network(chosen), self.decide, reference=self.reference)
        assert found.drop is not None
        assert found.drop_ci is not None
        self.trials.append(Trial(recovery=label, drop=found.drop, low=found.drop_ci[0], high=found.drop_ci[1]))
        return self.trials[-1]


def _exact(unit: Multiplier) -> str:
    """The recovery under which every weight is in its exact mode; weights of `pn` start there."""
    return RangesOfModes(strong=NO_WEIGHT, weak=NO_WEIGHT).spec if isinstance(unit, LowVariance) else "none"


def _modal_units(net: ApproxModel) -> dict[str, Multiplier]:
    """By layer, units whose modes may be chosen; PlanError when there are none, or when one does not start in its exact mode."""
    found: dict[str, Multiplier] = {}
    for name, layer in net.layers().items():
        unit = layer.rule.unit
        if layer.rule.modes == "uniform" or not isinstance(unit, (PositiveNegative, LowVariance)):
            continue
        first = next(iter(unit.modes().values()))
        if unit.spec != first.spec:
            raise PlanError(f"layer {name} must start in the exact mode for its modes to be chosen: plan {first.spec}, not {unit.spec}")
        found[name] = unit
    if not found:
        raise PlanError("no layer has modes to choose: give a rule a unit pn or lvrm and modes = 'per_weight'")
    return found
