"""One worker of a campaign: the network and its images, and what a chunk of faults does to them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.errors import DataError, FaultError
from inexact.nn import ApproxModel
from inexact.reliability._base import ChipFault, Fault, ImageFault, Stratum, faults
from inexact.reliability._records import Records
from inexact.reliability._subject import Subject
from inexact.reliability._walk import Golden, Runner, runner

BATCH = 128
"""Faults that are computed at once."""
BLOCK = 128
"""Images of one chunk: what is kept of them is a few MB."""
TOP = 5
"""Classes of highest score among which SDC-5 looks for the fault-free one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """What faults are judged on. images: [I, …]; labels: int64 [I]."""

    net: ApproxModel
    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if len(self.images) < 1 or len(self.images) != len(self.labels):
            raise DataError(f"faults need images with a label each, not {len(self.images)} images and {len(self.labels)} labels")


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """Some faults. strata: places in the population; numbers: sites; images: places of each among the images, None for chips."""

    fault: str
    number: int
    strata: NDArray[np.int64]
    numbers: NDArray[np.int64]
    images: NDArray[np.int64] | None


@final
class Judge:
    """Runs chunks; the same chunk has the same answer whoever runs it."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.subject = Subject.of(opened.net, opened.images[:3])
        self._runner: Runner | None = None
        self._scores: Tensor | None = None
        self._populations: dict[str, tuple[Fault, tuple[Stratum, ...]]] = {}

    def population(self, spec: str) -> tuple[Fault, tuple[Stratum, ...]]:
        """A fault and its strata."""
        if spec not in self._populations:
            fault = faults.get(spec)
            self._populations[spec] = (fault, fault.population(self.subject))
        return self._populations[spec]

    def run(self, chunk: Chunk) -> tuple[Records, float]:
        """What the faults do, and the seconds it took."""
        start = time.perf_counter()
        fault, strata = self.population(chunk.fault)
        if isinstance(fault, ImageFault):
            found = self._struck(fault, strata, chunk)
        elif isinstance(fault, ChipFault):
            found = self._chips(fault, strata, chunk)
        else:
            raise FaultError(f"{fault.spec} must be a fault of an image or of a chip to be run in a campaign")
        return found, time.perf_counter() - start

    def _struck(self, fault: ImageFault, strata: tuple[Stratum, ...], chunk: Chunk) -> Records:
        assert chunk.images is not None
        self._runner = self._runner or runner(self.subject)
        block, rows = np.unique(chunk.images, return_inverse=True)
        golden = self._runner.golden(self.opened.images[torch.from_numpy(block)])
        scores = golden.scores[torch.from_numpy(rows)].clone()
        layers = np.array([strata[i].layer for i in chunk.strata])
        for layer in dict.fromkeys(layers.tolist()):
            here = np.flatnonzero(layers == layer)
            for start in range(0, len(here), BATCH):
                part = here[start : start + BATCH]
                scores[torch.from_numpy(part)] = _scores(self._runner, golden, fault, strata, chunk, part, rows)
        labels = self.opened.labels[torch.from_numpy(chunk.images)]
        counts = _outcomes(golden.scores[torch.from_numpy(rows)], scores, labels)
        ones = np.ones(len(chunk.strata), np.int64)
        return Records(stratum=chunk.strata, number=chunk.numbers, image=chunk.images, images=ones, **counts)

    @torch.no_grad()
    def _chips(self, fault: ChipFault, strata: tuple[Stratum, ...], chunk: Chunk) -> Records:
        images, labels = self.opened.images, self.opened.labels
        if self._scores is None:
            self._scores = _whole(self.subject.net, images)
        rows = []
        for stratum, number in zip(chunk.strata, chunk.numbers, strict=True):
            broken = fault.faulty(self.subject, fault.site(self.subject, strata[stratum], int(number)))
            found = _outcomes(self._scores, _whole(broken, images), labels)
            rows.append({name: int(values.sum()) for name, values in found.items()})
        counts = {name: np.array([row[name] for row in rows], np.int64) for name in rows[0]}
        whole = np.full(len(rows), len(images), np.int64)
        return Records(stratum=chunk.strata, number=chunk.numbers, image=np.full(len(rows), -1, np.int64), images=whole, **counts)

    def right(self) -> float:
        """Share of the images that are classified right without a fault."""
        with torch.no_grad():
            return float((_whole(self.subject.net, self.opened.images).argmax(1) == self.opened.labels).double().mean())


def _scores(
    running: Runner,
    golden: Golden,
    fault: ImageFault,
    strata: tuple[Stratum, ...],
    chunk: Chunk,
    part: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> Tensor:
    """Scores of some faults of one layer."""
    chosen, numbers = [strata[i] for i in chunk.strata[part]], chunk.numbers[part]
    return running.faulty(golden, chosen[0].layer, torch.from_numpy(rows[part]), lambda struck: fault.strike(struck, chosen, numbers))


def _whole(net: torch.nn.Module, images: Tensor) -> Tensor:
    return torch.cat([net(images[start : start + BLOCK]) for start in range(0, len(images), BLOCK)])


def _outcomes(before: Tensor, after: Tensor, labels: Tensor) -> dict[str, NDArray[np.int64]]:
    """0 or 1 for every image: see `Records`. A score equal to that of the fault-free class does not push it out of the five."""
    first, then = before.argmax(1), after.argmax(1)
    above = (after > after.gather(1, first[:, None])).sum(1)
    was, now = first == labels, then == labels
    found = {"sdc1": first != then, "sdc5": above >= TOP, "critical": was & ~now, "gained": ~was & now}
    return {name: values.long().numpy() for name, values in found.items()}


_judge: Judge | None = None


def start_worker(opening: Callable[[], Opened]) -> None:
    """Open the network once in a worker process, which ends when the campaign's own is killed."""
    global _judge  # noqa: PLW0603 (one a process, as process pools have it)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _judge = Judge(opening())


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody is left to hear of an exception


def run_chunk(chunk: Chunk) -> tuple[Records, float]:
    """Run a chunk in a worker process."""
    assert _judge is not None
    return _judge.run(chunk)
