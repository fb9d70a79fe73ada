"""Fault campaigns: faults are drawn, run and judged until the answer is as narrow as asked, and are not lost when it is interrupted."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FaultError
from inexact.reliability._base import ChipFault, Fault, ImageFault, Stratum, faults
from inexact.reliability._judge import BLOCK, Chunk, Judge, Opened, run_chunk, start_worker
from inexact.reliability._records import Records
from inexact.reliability._store import Store
from inexact.reliability.sampling import ALLOCATIONS, Rate, Sample, allocate, check_precision, least_sample, sample_size

CHUNK = {"image": 2048, "chip": 8}
"""Faults that are run and stored together."""
FIRST = {"image": 2048, "chip": 32}
"""Faults of the first round; every later one has as many as all before."""
METRICS = ("sdc1", "sdc5", "critical")

Progress = Callable[[str, int, int], None]
"""Told the fault, how many are done and how many are planned at most."""


@final
@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a campaign asks.

    faults: specs. margin: half of the interval of the SDC-1 rate, as a share, at `confidence`. budget: faults of each spec at most, None
    for as many as it takes. allocation: over strata, "proportional" or "neyman". about: anything that tells this network, data and plan
    from others; a campaign only resumes with the same.
    """

    faults: tuple[str, ...]
    margin: float = 0.01
    confidence: float = 0.95
    budget: int | None = None
    seed: int = 0
    allocation: str = "proportional"
    about: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_precision(self.margin, self.confidence)
        if not self.faults:
            raise FaultError("a campaign needs at least one fault, such as weight_flip")
        if self.allocation not in ALLOCATIONS:
            raise FaultError(f"allocation must be one of {', '.join(ALLOCATIONS)}, not {self.allocation!r}")
        if self.budget is not None and self.budget < least_sample(self.margin, self.confidence):
            raise FaultError(
                f"{self.budget} faults cannot give ± {100 * self.margin:g} points at {100 * self.confidence:g} % confidence: it takes at "
                f"least {least_sample(self.margin, self.confidence)} when none of them matters, and "
                f"{sample_size(10**12, self.margin, self.confidence)} at worst; raise --budget or --margin"
            )
        object.__setattr__(self, "faults", tuple(faults.get(spec).spec for spec in self.faults))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"about": dict(self.about)}


class Campaign:
    """Runs the faults of some settings on what `opening` opens, in `workers` processes (0: in this one), keeping chunks in `store`.

    opening: a function of a module, or a partial of one, so that worker processes can call it. The answer depends on settings and seed
    alone: neither on workers nor on interruptions.
    """

    def __init__(self, settings: Settings, opening: Callable[[], Opened], store: Store, *, workers: int = 0) -> None:
        self.settings = settings
        self.opening = opening
        self.store = store
        self.workers = workers

    def run(self, progress: Progress | None = None) -> dict[str, Any]:
        """All faults; the report as plain JSON, which is also kept in the store. Raises FaultError when the margin is out of reach."""
        self.store.claim(self.settings.to_json())
        judge = Judge(self.opening())
        images = len(judge.opened.images)
        for spec in self.settings.faults:
            judge.population(spec)  # what cannot be run is refused before anything is
        with self._runs(judge) as runs:
            found = [_Search(self, judge, place, runs, progress).result() for place in range(len(self.settings.faults))]
        report = {
            "settings": self.settings.to_json(),
            "images": images,
            "top1": 100 * judge.right(),
            "faults": found,
        }
        self.store.set_value("report", report)
        return report

    @contextmanager
    def _runs(self, judge: Judge) -> Iterator[Callable[[list[Chunk]], Iterator[tuple[Records, float]]]]:
        if self.workers < 1:
            yield lambda chunks: map(judge.run, chunks)
            return
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=start_worker, initargs=(self.opening,))
        try:
            yield lambda chunks: pool.map(run_chunk, chunks)
        finally:
            pool.shutdown(cancel_futures=True)


@final
class _Search:
    """One fault of a campaign, round after round."""

    def __init__(
        self,
        campaign: Campaign,
        judge: Judge,
        place: int,
        runs: Callable[[list[Chunk]], Iterator[tuple[Records, float]]],
        progress: Progress | None,
    ) -> None:
        self.settings, self.store, self.place = campaign.settings, campaign.store, place
        self.fault, self.strata = judge.population(self.settings.faults[place])
        self.images = len(judge.opened.images)
        self.runs = runs
        self.progress = progress
        self.scope = "chip" if isinstance(self.fault, ChipFault) else "image"
        self.sizes = [stratum.size for stratum in self.strata]
        self.population = sum(self.sizes) * (self.images if self.scope == "image" else 1)
        self.planned = sample_size(self.population, self.settings.margin, self.settings.confidence)
        self.parts: list[Records] = []

    def result(self) -> dict[str, Any]:
        """Run until the interval is narrow enough, or every site was."""
        drawn = np.zeros(len(self.strata), np.int64)
        for number in range(64):
            done = int(drawn.sum())
            if self.scope == "chip" and done >= self.population:
                break
            wanted = self._wanted(done)
            counts = self._allocated(wanted, number, drawn)
            self._run_round(number, counts, drawn)
            drawn += counts
            rate = self._sample().rate(Records.joined(self.parts).share("sdc1"), self.settings.confidence)
            if rate.margin <= self.settings.margin:
                break
            self._check_reach(rate)
        return self._summary()

    def _wanted(self, done: int) -> int:
        more = FIRST[self.scope] if done == 0 else done
        most = self.planned if done < self.planned else done + math.ceil(done / 20)
        if self.settings.budget is not None:
            most = min(most, self.settings.budget)
        return max(1, min(more, most - done))

    def _allocated(self, total: int, number: int, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        generator = np.random.default_rng([self.settings.seed, self.place, number, 0])
        spreads = None
        if self.settings.allocation == "neyman" and self.parts and bool((drawn > 0).all()):
            spreads = self._sample().spreads(Records.joined(self.parts).share("sdc1"))
        counts = allocate(total, self.sizes, spreads, generator)
        return np.minimum(counts, np.array(self.sizes, np.int64) - drawn) if self.scope == "chip" else counts

    def _run_round(self, number: int, counts: NDArray[np.int64], drawn: NDArray[np.int64]) -> None:
        chunks = self._chunks(number, counts, drawn)
        first = 1_000 * number
        kept = [self.store.chunk(self.place, first + place) for place in range(len(chunks))]
        missing = [chunk for chunk, records in zip(chunks, kept, strict=True) if records is None]
        for chunk, (records, seconds) in zip(missing, self.runs(missing), strict=True):
            self.store.save_chunk(self.place, chunk.number, seconds, records)
            kept[chunk.number - first] = records
            if self.progress is not None:
                done = sum(len(part.stratum) for part in (*self.parts, *kept) if part is not None)
                self.progress(self.fault.spec, done, self.settings.budget or self.planned)
        self.parts += [records for records in kept if records is not None]

    def _chunks(self, number: int, counts: NDArray[np.int64], drawn: NDArray[np.int64]) -> list[Chunk]:
        """The round's faults in a random order, cut into chunks; those of an image on a block of images that comes round."""
        strata = np.repeat(np.arange(len(counts)), counts)
        numbers = [self._drawn(h, int(drawn[h]), int(count)) for h, count in enumerate(counts) if count]
        generator = np.random.default_rng([self.settings.seed, self.place, number, 1])
        order = generator.permutation(len(strata))
        strata, sites = strata[order], np.concatenate(numbers)[order]
        size = max(CHUNK[self.scope], math.ceil(len(strata) / 999))
        pool = np.random.default_rng([self.settings.seed, self.place, 2]).permutation(self.images)
        blocks = np.array_split(pool, max(1, math.ceil(self.images / BLOCK)))
        chunks = []
        for place, start in enumerate(range(0, len(strata), size)):
            part = slice(start, start + size)
            block = blocks[(int(drawn.sum()) // size + place) % len(blocks)]
            images = generator.choice(block, len(strata[part])) if self.scope == "image" else None
            chunk = Chunk(fault=self.fault.spec, number=1_000 * number + place, strata=strata[part], numbers=sites[part], images=images)
            chunks.append(chunk)
        return chunks

    def _drawn(self, h: int, before: int, count: int) -> NDArray[np.int64]:
        """The next sites of a stratum: `before` were drawn already."""
        generator = np.random.default_rng([self.settings.seed, self.place, 3, h])
        assert isinstance(self.fault, (ImageFault, ChipFault))
        return self.fault.draw(self.strata[h], before + count, generator)[before:]

    def _sample(self) -> Sample:
        return Sample(self.sizes, Records.joined(self.parts).stratum, whole=self.scope == "chip")

    def _check_reach(self, rate: Rate) -> None:
        """Raise FaultError when the budget is spent, or will be, before the interval is narrow enough."""
        budget = self.settings.budget
        needed = math.ceil(rate.n * (rate.margin / self.settings.margin) ** 2)
        if budget is not None and needed > budget:
            raise FaultError(
                f"± {100 * self.settings.margin:g} points at {100 * self.settings.confidence:g} % need about {needed} faults of "
                f"{self.fault.spec} here, not {budget}: after {rate.n} its SDC-1 rate is {100 * rate.value:.2f} % "
                f"({100 * rate.low:.2f} to {100 * rate.high:.2f}); raise --budget or --margin, what is done is kept"
            )

    def _summary(self) -> dict[str, Any]:
        records, confidence = Records.joined(self.parts), self.settings.confidence
        sample = self._sample()
        rates = {name: _percent(sample.rate(records.share(name), confidence)) for name in METRICS}
        drop = sample.difference(records.share("critical"), records.share("gained"), confidence)
        return {
            "fault": self.fault.spec,
            "scope": self.scope,
            "n": len(records.stratum),
            "planned": self.planned,
            "population": self.population,
            "seconds": self.store.seconds(self.place),
            **rates,
            "drop": _percent(drop),
            "cells": _cells(self.fault, self.strata, records, confidence),
        }


def _percent(rate: Rate) -> dict[str, Any]:
    return {"value": 100 * rate.value, "ci": [100 * rate.low, 100 * rate.high], "n": rate.n}


def _cells(fault: Fault, strata: tuple[Stratum, ...], records: Records, confidence: float) -> list[dict[str, Any]]:
    """SDC-1 of every layer and bit, in percent with its own interval; parts of a layer are taken together."""
    keys = [(stratum.layer, stratum.bit) for stratum in strata]
    order = list(dict.fromkeys(keys))
    places = np.array([order.index(key) for key in keys])
    sdc1, found = records.share("sdc1"), []
    for cell, (layer, bit) in enumerate(order):
        members = np.flatnonzero(places == cell)
        inside = np.isin(records.stratum, members)
        sizes = [strata[h].size for h in members]
        row: dict[str, Any] = {"layer": layer, "bit": bit, "tensor": strata[members[0]].tensor, "sites": sum(sizes)}
        if inside.any():
            local = np.searchsorted(members, records.stratum[inside])
            row |= _percent(Sample(sizes, local, whole=isinstance(fault, ChipFault)).rate(sdc1[inside], confidence))
        found.append(row)
    return found
