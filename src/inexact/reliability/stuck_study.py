"""Exact and approximate multipliers under the same stuck-at faults: which images each broken network still gets right.

Reference: A. Siddique, K. Basu, K. A. Hoque, "Exploring fault-energy trade-offs in approximate DNN hardware accelerators", ISQED 2021,
arXiv:2101.02860 (a stuck bit of the products of a layer, exact against EvoApproxLib's signed multipliers, MNIST and Fashion-MNIST)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact import zoo
from inexact.circuits import stuck_at
from inexact.core.errors import FaultError
from inexact.nn import ApproxModel, Plan, approximate, correct_answers
from inexact.reliability._array import Placement
from inexact.reliability._broken import ElementFault, placements, with_broken_element, with_stuck_unit
from inexact.units import Multiplier, multipliers
from inexact.units.stuck_at import netlist_of, product_word

Correct = NDArray[np.bool_]
Kind = Literal["none", "bit", "net", "element"]
Watch = Callable[[int, int], None]

EXACT = "exact(signed=true)"
CASES = ("lenet5:mnist", "lenet5:fashion-mnist", "resnet8:fashion-mnist")
UNITS = (
    EXACT,
    "trunc(cut=6,signed=true)",
    "evolved(name=smae_43p3)",
    "trunc(cut=4,signed=true)",
    "perforation(start=0,count=2,signed=true)",
    "sign_magnitude(multiplier=drum(k=4))",
    "pr(k=1,m=3)",
)
BATCH, CALIBRATION, WIDTH = 250, 512, (8, 8)
ELEMENT_BITS = (8, 11, 14)


@final
@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is compared. cases: "network:data". units: by name, signed 8x8, the first one exact. images: of the test split.

    layered: how many of the units, from the first, also with the fault in one layer at a time, and in one element. nets: random nets of
    every unit with a netlist, in all multipliers. elements: random elements of the array with a stuck product bit. seed: of nets and
    elements.
    """

    units: Mapping[str, Multiplier]
    cases: tuple[str, ...] = CASES
    images: int = 1000
    layered: int = 3
    nets: int = 30
    elements: int = 6
    accelerator: str = "edge-16x16"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.units or self.images < 1 or min(self.layered, self.nets, self.elements) < 0:
            raise FaultError("a comparison needs a unit and an image, and no negative numbers of units, nets and elements")
        for name, unit in self.units.items():
            if not unit.signed or unit.width != WIDTH:
                raise FaultError(f"units of this comparison must be signed 8x8 multipliers, which {name} is not")
        for case in self.cases:
            if case.count(":") != 1:
                raise FaultError(f"a case must be NETWORK:DATA, as in lenet5:mnist, not {case!r}")


@final
@dataclass(frozen=True, kw_only=True)
class Row:
    """One broken network. scope: layer, or "all". site: bit number, name of a net, or "row,column,bit"; "" without a fault.

    correct: which images it gets right, hexadecimal, first image in the top bit.
    """

    case: str
    unit: str
    kind: Kind
    scope: str
    site: str
    value: int
    images: int
    correct: str

    @property
    def key(self) -> tuple[str, ...]:
        """What was broken where."""
        return (self.case, self.unit, self.kind, self.scope, self.site, str(self.value), str(self.images))

    @cached_property
    def right(self) -> Correct:
        """bool [images]."""
        return np.unpackbits(np.frombuffer(bytes.fromhex(self.correct), np.uint8), count=self.images).astype(bool)


def named(specs: tuple[str, ...]) -> dict[str, Multiplier]:
    """Units by their specs."""
    return {spec: multipliers.get(spec) for spec in specs}


def run(settings: Settings, file: Path, *, watch: Watch | None = None) -> list[Row]:
    """Measure what `file` (JSON lines) does not hold yet, appending; returns all rows of these settings.

    watch: called with (done, all). Raises FaultError for a file of something else.
    """
    known = {row.key: row for row in read(file)}
    found: list[Row] = []
    with file.open("a", encoding="utf-8") as out:
        total = sum(1 for _ in _planned(settings))
        for job in _jobs(settings):
            row = known.get(job.key) or job.measured()
            if row.key not in known:
                out.write(json.dumps(asdict(row)) + "\n")
                out.flush()
            found.append(row)
            if watch is not None:
                watch(len(found), total)
    return found


def read(file: Path) -> list[Row]:
    """The rows of a file; none when it does not exist."""
    if not file.exists():
        return []
    try:
        return [Row(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    except (ValueError, TypeError) as error:
        raise FaultError(f"{file} must hold rows of this comparison, one JSON object a line: {error}; give another file") from None


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One fault of one unit in one network."""

    bench: _Bench
    unit: str
    kind: Kind
    scope: str
    site: str
    value: int

    @property
    def key(self) -> tuple[str, ...]:
        return (self.bench.case, self.unit, self.kind, self.scope, self.site, str(self.value), str(self.bench.images))

    def measured(self) -> Row:
        right = self.bench.right(self.broken())
        return Row(
            case=self.bench.case,
            unit=self.unit,
            kind=self.kind,
            scope=self.scope,
            site=self.site,
            value=self.value,
            images=self.bench.images,
            correct=np.packbits(right).tobytes().hex(),
        )

    def broken(self) -> nn.Module:
        net = self.bench.network(self.unit)
        names = list(net.layers()) if self.scope == "all" else [self.scope]
        if self.kind == "none":
            return net
        if self.kind == "element":
            row, column, bit = (int(part) for part in self.site.split(","))
            return with_broken_element(net, self.bench.places(self.unit), ElementFault(row=row, column=column, bit=bit, value=self.value))
        return with_stuck_unit(net, names, f"y[{self.site}]" if self.kind == "bit" else self.site, self.value)


class _Bench:
    """A network and its images; emulated networks are made when they are needed, the last one is kept."""

    def __init__(self, settings: Settings, case: str) -> None:
        self.settings, self.case, self.images = settings, case, settings.images
        self.kept: tuple[str, ApproxModel] | None = None

    @cached_property
    def _data(self) -> tuple[nn.Module, list[tuple[Tensor, Tensor]], Any]:
        network, data = self.case.split(":")
        test = zoo.data(data, "test", self.images)
        if len(test) < self.images:
            raise FaultError(f"{data} must have {self.images} test images, but has {len(test)}; ask for fewer")
        pairs = [test[index] for index in range(self.images)]
        images, labels = torch.stack([image for image, _ in pairs]), torch.tensor([int(label) for _, label in pairs])
        batches = [(images[start : start + BATCH], labels[start : start + BATCH]) for start in range(0, self.images, BATCH)]
        return zoo.network(network, data=data), batches, zoo.data(data, "validation", CALIBRATION)

    def network(self, unit: str) -> ApproxModel:
        if self.kept is None or self.kept[0] != unit:
            model, _, calibration = self._data
            net = approximate(model, Plan(multiplier=self.settings.units[unit], coding="signed"), calibrate=calibration)
            self.kept = unit, net
        return self.kept[1]

    def layers(self) -> list[str]:
        return list(self.network(next(iter(self.settings.units))).layers())

    def places(self, unit: str) -> dict[str, Placement]:
        net = self.network(unit)
        return placements(net, self.settings.accelerator, net.layers(), dataflow="weight_stationary")

    def right(self, net: nn.Module) -> Correct:
        return correct_answers(net, self._data[1])


def _jobs(settings: Settings) -> Iterator[_Job]:
    for case in settings.cases:
        bench = _Bench(settings, case)
        layers = bench.layers()
        for unit, kind, scope, site, value in _of_case(settings, layers):
            yield _Job(bench=bench, unit=unit, kind=kind, scope=scope, site=site, value=value)


def _planned(settings: Settings) -> Iterator[tuple[str, Kind, str, str, int]]:
    for case in settings.cases:
        yield from _of_case(settings, _Bench(settings, case).layers())


def _of_case(settings: Settings, layers: list[str]) -> Iterator[tuple[str, Kind, str, str, int]]:
    """(unit, kind, scope, site, value) of everything that is measured in a network of these layers."""
    rng = np.random.default_rng(settings.seed)
    elements = rng.integers(0, 16, (settings.elements, 2)).tolist()
    for place, (name, unit) in enumerate(settings.units.items()):
        yield name, "none", "all", "", 0
        for scope in ["all", *(layers if place < settings.layered else [])]:
            for bit in range(product_word(unit)[0]):
                yield from ((name, "bit", scope, str(bit), value) for value in (0, 1))
        for net, value in _nets(unit, settings):
            yield name, "net", "all", net, value
        for row, column in elements if place < settings.layered else []:
            for bit in ELEMENT_BITS:
                yield from ((name, "element", "all", f"{row},{column},{bit}", value) for value in (0, 1))


def _nets(unit: Multiplier, settings: Settings) -> list[tuple[str, int]]:
    """Random faults of the collapsed list of nets; none of a unit without a netlist."""
    circuit = netlist_of(unit)
    if circuit is None:
        return []
    listed = stuck_at.faults(circuit, branches=False)
    picked = np.random.default_rng(settings.seed).choice(len(listed), min(settings.nets, len(listed)), replace=False)
    return [(stuck_at.name_of(circuit, listed[index]), listed[index].value) for index in sorted(picked.tolist())]
