"""Many Trojans and many honest devices before every detector: who notices what, with intervals and in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from inexact.circuits import Circuit
from inexact.core.errors import DataError, NoRoomError, SpecError
from inexact.metrics import Mean, mean_of
from inexact.security._roc import Roc, roc
from inexact.security._seeds import part_seed
from inexact.security.record import Record
from inexact.security.trojans._declaration import Declaration, measured
from inexact.security.trojans._detector import Detector, Device, Golden, detectors
from inexact.security.trojans._search import host_of, most_harmful, rare_cubes
from inexact.security.trojans._trojan import Cube
from inexact.security.trojans._variants import rewritten
from inexact.units import Multiplier, catalogue, multipliers

SEES = 0.8
"""A detector sees a kind of Trojan when the lower end of its detection rate is at least this."""


@final
@dataclass(frozen=True, kw_only=True)
class DetectionSettings:
    """literals: operand bits a trigger compares, one kind of Trojan each. trojans: of each kind. honest: devices without.

    rewrite: share of the cells that every device has made of other gates (0: all have the same netlist). others: honest units of the
    catalogue under the same data sheet, for the detectors that know no certified unit. seed: of triggers, rewriting and measurements.
    """

    literals: tuple[int, ...] = (16, 12, 8)
    trojans: int = 30
    honest: int = 30
    rewrite: float = 0.0
    others: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rewrite <= 1:
            raise SpecError(f"rewrite must be a share of the cells, 0..1, not {self.rewrite}")
        if min(self.trojans, self.honest, self.others) < 2 or not self.literals:
            raise SpecError("a detection study needs at least 2 Trojans of some kind, 2 honest devices and 2 other units")


@final
@dataclass(frozen=True, kw_only=True)
class Detection:
    """rocs: kind of Trojan -> detector -> figures, against honest devices of the same unit. unseen: likewise, against other honest units
    with the same data sheet. excess: kind -> what the Trojans add to the area of their unit, percent. others: how many units."""

    rocs: Mapping[str, Mapping[str, Roc]]
    unseen: Mapping[str, Mapping[str, Roc]]
    excess: Mapping[str, Mean]
    others: int

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        found = {
            name: {kind: {detector: one.to_json() for detector, one in row.items()} for kind, row in rows.items()}
            for name, rows in (("same_unit", self.rocs), ("other_units", self.unseen))
        }
        return {
            **found,
            "area_excess_percent": {kind: mean.to_json() for kind, mean in self.excess.items()},
            "units_under_the_data_sheet": self.others,
            "conclusion": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """What each detector sees, and what Trojans cost."""
        lines = [f"{kind}: the Trojans add {mean.shown(2)} % area" for kind, mean in self.excess.items()]
        for title, rows in (("honest devices of the same unit", self.rocs), ("other honest units with the same data sheet", self.unseen)):
            lines += [f"{name} against {title}: {_verdict({kind: row[name] for kind, row in rows.items()})}" for name in _names(rows)]
        return lines


def _names(rows: Mapping[str, Mapping[str, Roc]]) -> list[str]:
    return list(next(iter(rows.values()), {}))


def _verdict(by_kind: Mapping[str, Roc]) -> str:
    seen = [kind for kind, one in by_kind.items() if one.tpr_ci[0] >= SEES]
    blind = [kind for kind, one in by_kind.items() if one.auc_ci[0] <= 0.5]
    if len(seen) == len(by_kind):
        return "sees all kinds."
    if len(blind) == len(by_kind):
        return "sees none: no better than chance for any kind."
    partly = [kind for kind in by_kind if kind not in seen and kind not in blind]
    parts = [f"{verb} {', '.join(kinds)}" for verb, kinds in (("sees", seen), ("sees part of", partly), ("is blind to", blind)) if kinds]
    return "; ".join(parts) + "."


def kind_of(literals: int, bits: int) -> str:
    """Name of a kind of Trojan."""
    return f"{1 << (bits - literals)} operand pair{'s' if bits > literals else ''}"


def detection_study(
    golden: Golden,
    settings: DetectionSettings,
    *,
    record: Record,
    progress: Callable[[int, int], None],
) -> Detection:
    """Insert Trojans under the golden data sheet, and score them and honest devices with every detector. record: keeps scores.

    Raises SpecError when the unit has no netlist or the data sheet leaves no room, DataError when too few other units keep it.
    """
    host = golden.unit.circuit()
    bits = sum(golden.unit.width)
    if host is None:
        raise SpecError(
            f"a Trojan needs a netlist to sit in, and {golden.unit.spec} has none; import one with `inexact unit import FILE.v`"
        )
    others = _others(golden, settings.others)
    every = [member for _, cls in detectors.items() for member in cls.samples()]
    run = _Run(golden, settings, record, progress, len(others))
    run.score(
        "honest", every, [rewritten(host, share=settings.rewrite, seed=part_seed(settings.seed, place)) for place in range(settings.honest)]
    )
    run.score("other", _free(every), [host_of(unit) for unit in others])
    for literals in settings.literals:
        kind = kind_of(literals, bits)
        cubes = rare_cubes(golden.counts, literals=literals, number=settings.trojans, seed=part_seed(settings.seed, literals))
        made = [
            most_harmful(golden.unit, cube, golden.declaration).circuit(
                rewritten(host, share=settings.rewrite, seed=part_seed(settings.seed, 1000 * literals + place))
            )
            for place, cube in enumerate(cubes)
        ]
        run.score(kind, every, made)
        cubes = rare_cubes(golden.counts, literals=literals, number=len(others), seed=part_seed(settings.seed, literals + 1))
        run.score(f"other {kind}", _free(every), _in_others(others, cubes, golden.declaration))
    return run.result([kind_of(literals, bits) for literals in settings.literals], every, len(others))


@final
class _Run:
    """Scores by population and detector as they come."""

    def __init__(
        self, golden: Golden, settings: DetectionSettings, record: Record, progress: Callable[[int, int], None], others: int
    ) -> None:
        self.golden, self.record, self.progress, self.seed = golden, record, progress, settings.seed
        self.found: dict[str, list[dict[str, float]]] = {}
        self.total = settings.honest + others + len(settings.literals) * (settings.trojans + others)

    def score(self, population: str, chosen: Sequence[Detector], netlists: Sequence[Circuit]) -> None:
        """Every detector's score of every netlist."""
        rows = self.found.setdefault(population, [])
        for place, circuit in enumerate(netlists):
            device = Device(circuit=circuit, seed=part_seed(self.seed, 1000 * len(self.found) + place))
            rows.append(
                self.record.part(f"{population} {place}", lambda device=device: {d.spec: d.score(device, self.golden) for d in chosen})  # type: ignore[misc]
            )
            self.progress(sum(map(len, self.found.values())), self.total)

    def result(self, kinds: Sequence[str], every: Sequence[Detector], others: int) -> Detection:
        """ROC figures of everything."""

        def scores(population: str, spec: str) -> list[float]:
            return [row[spec] for row in self.found[population]]

        return Detection(
            rocs={kind: {d.spec: roc(scores("honest", d.spec), scores(kind, d.spec)) for d in every} for kind in kinds},
            unseen={kind: {d.spec: roc(scores("other", d.spec), scores(f"other {kind}", d.spec)) for d in _free(every)} for kind in kinds},
            excess={kind: mean_of([100 * excess for excess in scores(kind, "area")]) for kind in kinds},
            others=others,
        )


def _free(every: Sequence[Detector]) -> list[Detector]:
    return [detector for detector in every if not detector.golden]


def _in_others(others: Sequence[Multiplier], cubes: Sequence[Cube], declaration: Declaration) -> list[Circuit]:
    """One Trojan in each unit that has room for it."""
    found = []
    for unit, cube in zip(others, cubes, strict=True):
        try:
            found.append(most_harmful(unit, cube, declaration).circuit(host_of(unit)))
        except NoRoomError:
            continue
    return found


def _others(golden: Golden, number: int) -> list[Multiplier]:
    """Units of the catalogue with the same operands, each another function, that keep the data sheet and have a netlist; evenly spread."""
    unit, tables = golden.unit, {golden.unit.sha256}
    kept: list[Multiplier] = []
    for entry in catalogue.entries().values():
        if entry.kind != "multiplier" or entry.width != unit.width or entry.signed != unit.signed or entry.sha256 in tables:
            continue
        if entry.metrics["mae"] > golden.declaration.bounds.get("mae", float("inf")):
            continue
        candidate = multipliers.get(entry.spec)
        if golden.declaration.excess(measured(candidate.table(), candidate.exact_table())) <= 1 and candidate.circuit() is not None:
            tables.add(candidate.sha256)
            kept.append(candidate)
    if len(kept) < 2:
        raise DataError(
            f"too few other units of the catalogue keep the data sheet of {unit.spec}: {len(kept)}; declare fewer metrics or digits"
        )
    step = max(1, len(kept) // number)
    return kept[::step][:number]
