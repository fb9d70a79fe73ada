"""Which error metric tells what a multiplier costs a network? Units by the hundred in whole networks, with and without correction."""

from __future__ import annotations

import importlib.metadata
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inexact import metrics, zoo
from inexact.core.errors import DataError, StudyError
from inexact.core.files import write_text
from inexact.explore.pool import Pool
from inexact.explore.watch import Silent, Watch
from inexact.nn import Plan, approximate, correct_answers, operand_histograms, workload
from inexact.recovery import recover
from inexact.units import Multiplier, catalogue, multipliers

FORMAT = 1
RECOVERIES = {"raw": "none", "corrected": "bias_correction(gain=true)"}
"""What is done before measuring: nothing, or the correction that costs nothing at run time."""
CALIBRATION = 128
"""Validation images that fix ranges and corrections."""
WORST_NMED = 0.05
"""Units beyond are useless in any network."""
CASES = ("resnet8:fashion-mnist", "mobilenetv2s:fashion-mnist", "lenet5:fashion-mnist", "vit_tiny:fashion-mnist", "lenet5:mnist")
"""Networks and data whose weights come with the package."""


@final
@dataclass(frozen=True, kw_only=True)
class Settings:
    """cases: "network:data". units: how many of the catalogue's 8x8 multipliers. images: of the test split."""

    cases: tuple[str, ...] = CASES
    units: int = 180
    images: int = 1000

    def __post_init__(self) -> None:
        for case in self.cases:
            if case.count(":") < 1:
                raise StudyError(f"a case must be network:data, such as resnet8:fashion-mnist, not {case!r}")


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """One unit in every layer of one network, under one coding."""

    case: str
    coding: str
    unit: str

    @property
    def key(self) -> str:
        """Identity in the file."""
        return f"{self.case} {self.coding} {self.unit}"


def chosen_units(count: int) -> list[str]:
    """Specs of 8x8 multipliers of the catalogue that err, each table once: two thirds unsigned; evenly spread by family and NMED."""
    found: dict[bool, dict[str, tuple[str, float, str]]] = {False: {}, True: {}}
    for entry in catalogue.entries().values():
        if entry.kind == "multiplier" and entry.width == (8, 8) and 0 < entry.metrics["nmed"] <= WORST_NMED and entry.sha256:
            found[entry.signed].setdefault(entry.sha256, (entry.family, entry.metrics["nmed"], entry.spec))
    specs: list[str] = []
    for signed, share in ((False, count - count // 3), (True, count // 3)):
        ordered = [spec for _, _, spec in sorted(found[signed].values())]
        places = np.unique(np.linspace(0, len(ordered) - 1, min(share, len(ordered))).round().astype(int))
        specs += [ordered[i] for i in places]
    return specs


def tasks(settings: Settings) -> list[Task]:
    """Every coding a unit can serve, in every network."""
    found = []
    for case in settings.cases:
        for spec in chosen_units(settings.units):
            codings = ("signed",) if multipliers.get(spec).signed else ("unsigned", "sign_magnitude")
            found += [Task(case=case, coding=coding, unit=spec) for coding in codings]
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Loaded:
    model: nn.Module
    calibration: torch.Tensor
    images: Pool
    right: float


@lru_cache(maxsize=8)
def _loaded(case: str, images: int) -> _Loaded:
    torch.set_num_threads(1)
    network, _, data = case.partition(":")
    model = zoo.network(network, data=data)
    calibration = Pool.of(zoo.data(data, "validation", CALIBRATION)).images
    pool = Pool.of(zoo.data(data, "test", images))
    right = float(correct_answers(model, pool.batches()).mean())
    return _Loaded(model=model, calibration=calibration, images=pool, right=right)


Histogram = NDArray[np.float64]


@lru_cache(maxsize=32)
def _operands(case: str, images: int, coding: str) -> tuple[Histogram, Histogram]:
    """Histograms of both operands over the network, each layer weighed by its operations."""
    loaded = _loaded(case, images)
    net = approximate(loaded.model, Plan(coding=coding), calibrate=loaded.calibration)
    macs = {layer.name: layer.macs for layer in workload(net).multiplying}
    a, b = np.zeros(256), np.zeros(256)
    for name, found in operand_histograms(net, loaded.calibration).items():
        a += macs[name] * found.a / found.a.sum()
        b += macs[name] * found.b / found.b.sum()
    return a, b


def measure(task: Task, images: int) -> dict[str, Any]:
    """Drops in points against float32, raw and corrected, and every metric of the unit: uniform, and under the network's operands."""
    loaded = _loaded(task.case, images)
    drops = {}
    for name, recovery in RECOVERIES.items():
        net = approximate(loaded.model, Plan(multiplier=task.unit, coding=task.coding, recovery=recovery), calibrate=loaded.calibration)
        repaired = recover(net, data=loaded.calibration)
        drops[name] = 100 * (loaded.right - float(correct_answers(repaired, loaded.images.batches()).mean()))
    unit = multipliers.get(task.unit)
    assert isinstance(unit, Multiplier)
    a, b = _operands(task.case, images, task.coding)
    found = {name: float(value) for name, value in metrics.profile(unit).metrics().items()}
    found |= {f"weighted {name}": float(value) for name, value in _weighted(unit, a, b).items()}
    return {**asdict(task), "drops": drops, "metrics": found}


def _weighted(unit: Multiplier, a: Histogram, b: Histogram) -> Mapping[str, float]:
    """The metrics operands change, and what corrections leave of the error."""
    unweighted = {"zero_exact", "commutative", "monotone", "sign_symmetric", "error_rank", "wce", "wcre"}
    profile = {name: value for name, value in metrics.profile(unit, a, b).metrics().items() if name not in unweighted}
    return profile | {name: value for name, value in metrics.anova(unit, a, b).figures().items() if name != "mean"}


@final
class Rows:
    """The file of a study: a JSON line that names version and settings, then a line a task. A line cut off by a kill is measured again.

    Raises StudyError for a file of another version or of other settings, or one that is no metric study.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.header = {"metric_study": FORMAT, "inexact": importlib.metadata.version("inexact"), "settings": _plain(settings)}
        if path.exists():
            self._check(settings)
        else:
            write_text(path, json.dumps(self.header) + "\n")
        self.found = {f"{row['case']} {row['coding']} {row['unit']}": row for row in self._lines()}

    def _check(self, settings: Settings) -> None:
        header = read_header(self.path)
        if header["settings"] != _plain(settings):
            raise StudyError(f"{self.path} holds a metric study with other settings ({header['settings']}); choose another --out")

    def _lines(self) -> Iterator[dict[str, Any]]:
        lines = self.path.read_text(encoding="utf-8").splitlines()
        whole = [line for line in lines[1:] if _is_json(line)]
        if len(whole) < len(lines) - 1:
            write_text(self.path, "\n".join([lines[0], *whole]) + "\n")
        return (json.loads(line) for line in whole)

    def add(self, row: dict[str, Any]) -> None:
        """Append one task's row."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.found[f"{row['case']} {row['coding']} {row['unit']}"] = row


def _plain(settings: Settings) -> dict[str, Any]:
    return {"cases": list(settings.cases), "units": settings.units, "images": settings.images}


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def read_header(path: Path) -> dict[str, Any]:
    """The first line of a study's file. Raises StudyError when it is none, or of another version."""
    try:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} must be the file of a metric study: {error}") from error
    header = json.loads(first) if _is_json(first) else {}
    if "metric_study" not in header:
        raise StudyError(f"{path} must be the file of a metric study, whose first line says so; name another file")
    version = importlib.metadata.version("inexact")
    if header["metric_study"] != FORMAT or header.get("inexact") != version:
        raise StudyError(
            f"{path} must come from this version of inexact ({version}, format {FORMAT}), not from {header.get('inexact')}, "
            f"format {header['metric_study']}; choose another --out"
        )
    return header


def run(
    settings: Settings,
    path: Path,
    *,
    workers: int = 2,
    watch: Watch | None = None,
    executor: Callable[[int], Executor] | None = None,
) -> list[dict[str, Any]]:
    """Measure what the file does not hold yet, in worker processes of one thread each; all rows, in the order of `tasks`.

    Every finished task is a line of the file at once: stopping and starting again loses at most those that were running.
    """
    if settings.images < 1 or settings.units < 3:
        raise DataError(f"a metric study needs at least 3 units and 1 image, not {settings.units} and {settings.images}")
    wanted = tasks(settings)
    rows = Rows(path, settings)
    missing = [task for task in wanted if task.key not in rows.found]
    watch = watch or Silent()
    watch.stage("measure units", len(missing))
    with (executor or _processes)(workers) as pool:
        for row in _measured(pool, missing, settings.images):
            rows.add(row)
            watch.step(note=f"{row['unit']} in {row['case']}")
    return [rows.found[task.key] for task in wanted]


def _processes(workers: int) -> Executor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def _measured(pool: Executor, missing: Sequence[Task], images: int) -> Iterable[dict[str, Any]]:
    waiting = [pool.submit(measure, task, images) for task in missing]
    try:
        for done in as_completed(waiting):
            yield done.result()
    finally:
        for future in waiting:
            future.cancel()
