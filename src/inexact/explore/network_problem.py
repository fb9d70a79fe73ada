"""A torch network on labelled images and a described accelerator, as a problem to search."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from torch import nn

from inexact.core.errors import FormatError, HardwareError, PlanError
from inexact.core.files import sha256
from inexact.explore.accounts import Accounting, Total
from inexact.explore.describe import describe
from inexact.explore.exit_problem import ExitProblem, Leavers, scores_of
from inexact.explore.exits import WEIGHTS, ExitSpace, exit_choices
from inexact.explore.fault_rate import FaultRate
from inexact.explore.forecast import Forecaster
from inexact.explore.pool import Pool
from inexact.explore.ranking import rank
from inexact.explore.robustness import Robustness
from inexact.explore.samplers import Genome
from inexact.explore.screening import Effects
from inexact.explore.seeds import initial_genomes
from inexact.explore.settings import Settings
from inexact.explore.space import Space, SpaceInput, candidates
from inexact.explore.store import Correct
from inexact.explore.watch import Watch
from inexact.hardware import Accelerator
from inexact.nn import ApproxModel, Data, ExitNetwork, Plan, Rule, approximate, correct_answers, exits_of, plannable, workload
from inexact.recovery import recover
from inexact.reduction import reductions
from inexact.zoo import write_weights


@final
class NetworkProblem:
    """See `Problem`. model: the float32 network; never changed. validation: calibration and search; test: final figures only, or None.

    exits: the same network with trained early exits, whose thresholds are then searched for too; their classifiers are layers of the space.
    The first `settings.calibration` images of the shuffled validation data (at most a quarter of it) calibrate and correct; the others
    measure. space: see `space.candidates`.
    """

    def __init__(
        self,
        model: nn.Module,
        validation: Data,
        test: Data | None,
        accelerator: Accelerator,
        settings: Settings,
        space: SpaceInput = None,
        *,
        exits: ExitNetwork | None = None,
    ) -> None:
        self.model = model.eval()
        self.settings = settings
        whole = Pool.of(validation).shuffled(settings.seed)
        reserved = min(settings.calibration, max(1, len(whole) // 4))
        self.calibration = whole.images[:reserved]
        self.pools = {"validation": whole.part(reserved, len(whole))}
        if test is not None:
            self.pools["test"] = Pool.of(test)
        self.exits = None if exits is None else ExitProblem(exits, model, self.calibration)
        self.whole = self.model if exits is None else exits.eval()
        self.layers = plannable(self.whole, self.calibration)
        shape = tuple(whole.images.shape[1:])
        opened = {} if self.exits is None else self.exits.workloads(shape)
        self.accounting = Accounting.of(accelerator, workload(model, shape, name=settings.network), opened)
        wanted = candidates(space, self.layers, self.accounting.exact, families=settings.families)
        self.robustness = Robustness.of(settings, validation, self.pools["validation"])
        self.fault_rate = FaultRate.of(settings, self.pools["validation"])
        self._known: dict[tuple[str, ...], bool] = {}
        self.candidates = {name: [rule for rule in rules if self._allowed(name, rule)] for name, rules in wanted.items()}

    def _allowed(self, name: str, rule: Rule) -> bool:
        """Whether a layer can have the rule's reduction: what it needs around it is known by applying it."""
        if rule.reduction == "none":
            return True
        wide = min(rule.format.a_bits, rule.format.b_bits) >= reductions.get(rule.reduction).least_width
        kind = (name, rule.reduction, rule.coding, str(rule.exact), str(wide))
        if kind not in self._known:
            try:
                net = approximate(self.whole, Plan({name: rule}), calibrate=self.calibration[:8], calibration_size=8)
                self.accounting.machine.evaluate(workload(net))
            except (PlanError, FormatError, HardwareError):
                self._known[kind] = False
            else:
                self._known[kind] = True
        return self._known[kind]

    def fingerprint(self) -> str:
        """Hash of weights, structure, data, hardware constants, candidates, calibration, seed and version."""
        state = hashlib.sha256(repr(self.model).encode())
        for name, value in sorted(self.model.state_dict().items()):
            state.update(name.encode())
            state.update(value.detach().cpu().contiguous().numpy().tobytes())
        machine = {name: estimate.to_json() for name, estimate in self.accounting.machine.constants().items()}
        known = {
            "model": state.hexdigest(),
            "data": {split: pool.digest() for split, pool in self.pools.items()},
            "calibration": [len(self.calibration), self.settings.rank_images, self.settings.seed],
            "machine": [machine, list(self.accounting.machine.dataflows)],
            "candidates": {name: [rule.to_dict() for rule in rules] for name, rules in self.candidates.items()},
            "version": importlib.metadata.version("inexact"),
        }
        known |= self.robustness.known() | self.fault_rate.known()
        if self.exits is not None:
            known["exits"] = [self.exits.digest(), list(self.settings.thresholds)]
        return sha256(json.dumps(known, sort_keys=True).encode())

    def images(self, split: str) -> int:
        """Images to measure on."""
        return len(self.pools[split]) if split in self.pools else 0

    def rank(self, watch: Watch) -> Space:
        """The ranked space."""
        images, seed = self.calibration[: self.settings.rank_images], self.settings.seed
        found = rank(self.whole, self.candidates, images, self.accounting.with_heads, seed=seed, watch=watch)
        return found if self.exits is None else dataclasses.replace(found, exits=self._exit_space(self.exits, watch))

    def _exit_space(self, exits: ExitProblem, watch: Watch) -> ExitSpace:
        """What thresholds are worth trying, by the exact 8-bit network on as many validation images as a trial sees."""
        seen = self.pools["validation"].part(0, self.settings.search_images)
        watch.stage("rank early exits", len(seen))
        exact = Plan(dict.fromkeys(self.candidates, self.accounting.exact))
        net = approximate(exits.network, exact, calibrate=self.calibration, calibration_size=len(self.calibration))
        settings, energy = self.settings, self.accounting.exact_energy
        choices = exit_choices(
            scores_of(net, seen, watch), seen.labels, settings.thresholds, energy, max_drop=settings.max_drop, seed=settings.seed
        )
        return ExitSpace(after=exits.network.after, pool=exits.pool, choices=choices)

    def effects(self, space: Space, watch: Watch) -> Effects:
        """Effects on the first calibration images; answers are counted on as many validation images as a trial sees."""
        counted = self.pools["validation"].part(0, self.settings.search_images)
        return Effects.of(space, Forecaster(self.model, calibration=self.calibration, counted=counted.images, labels=counted.labels), watch)

    def initial(self, space: Space, count: int) -> list[Genome]:
        """Plans the ranking predicts to be good."""
        return initial_genomes(space, lambda genome: self._cost(space, genome), count)

    def _cost(self, space: Space, genome: Genome) -> Total:
        options = space.choose(genome)
        rules = {name: option.rule for name, option in options.items()}
        works = {name: option.work for name, option in options.items()}
        return self.accounting.predict(rules, works, space.exit_choice(genome))

    def costs(self, space: Space, genome: Genome) -> dict[str, float]:
        """Costs of the design a genome stands for."""
        found = self._cost(space, genome)
        return {"energy_pj": found.energy_pj, "area_um2": found.area_um2, "cycles": found.cycles}

    @property
    def exact_plan(self) -> Plan:
        """The exact 8-bit design that savings are measured against."""
        return Plan({layer.name: self.accounting.exact for layer in self.accounting.workload.multiplying})

    def reference(self, split: str, kind: str, watch: Watch) -> Correct:
        """Right answers of the float32 network, or of the exact 8-bit one."""
        net = self.model if kind == "float32" else self.built(self.exact_plan)
        return correct_answers(net, self.pools[split].batches(), progress=watch.step)

    def built(self, plan: Plan) -> ApproxModel:
        """The approximate network of a plan, calibrated and repaired."""
        source = self.model if plan.exits is None else self.whole
        net = approximate(source, plan, calibrate=self.calibration, calibration_size=len(self.calibration))
        net = recover(net, data=self.calibration, seed=self.settings.seed, size=len(self.calibration))
        network = exits_of(net)
        if network is not None and plan.exits is not None and plan.exits.tau is not None:
            network.set_thresholds(plan.exits.tau)
        return net

    def candidate(self, plan: Plan) -> NetworkCandidate:
        """Build a plan."""
        return NetworkCandidate(problem=self, net=self.built(plan), leavers=Leavers())

    def describe(self, plan: Plan | None, space: Space, accounts: dict[str, Any]) -> dict[str, Any]:
        """Layers, units, ceiling, baseline energy, provenance."""
        return describe(self.accounting, plan, space, accounts)


@final
@dataclass(frozen=True, kw_only=True)
class NetworkCandidate:
    """An approximate network of one problem. leavers: by which exit every image left that it has classified."""

    problem: NetworkProblem
    net: ApproxModel
    leavers: Leavers

    def correct(self, split: str, start: int, stop: int) -> Correct:
        """bool [stop - start]."""
        with self.leavers.watching(self.net):
            return correct_answers(self.net, self.problem.pools[split].part(start, stop).batches())

    def accounts(self) -> dict[str, Any]:
        """Savings and costs of the network as built (correction columns that came out zero are not charged); what was asked beside."""
        left = self.leavers.settle(self.net)
        judged = self.problem.accounting.judge(workload(self.net, name=self.problem.settings.network))
        return judged | left | self.problem.robustness.judge(self.net) | self.problem.fault_rate.judge(self.net)

    def write_weights(self, path: Path) -> None:
        """The state dict as safetensors; of a plan with exits with the shares of the images a trial sees, and its classifiers beside it."""
        if self.net.plan.exits is not None and self.problem.exits is not None:
            if not self.leavers.images:
                self.correct("validation", 0, self.problem.settings.search_images)
            self.leavers.settle(self.net)
            write_weights(path.parent / WEIGHTS, self.problem.exits.network.exits)
        write_weights(path, self.net)
