"""Measuring plans on growing prefixes of a split, answered from the store where it can, and judging them against the references."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from inexact.core.files import sha256
from inexact.explore.problem import Candidate, Problem
from inexact.explore.result import Accuracy, PairedAccuracy
from inexact.explore.store import Correct, Measurement, Store
from inexact.explore.watch import Watch
from inexact.metrics import paired_difference, wilson
from inexact.nn import Plan


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Points below float32 on the same images: estimate, 95 % interval, standard error, images."""

    value: float
    ci: tuple[float, float]
    error: float
    n: int


@final
class Ledger:
    """All measurements of one problem. Every image order is the problem's own, so longer measurements extend shorter ones."""

    def __init__(self, problem: Problem, store: Store) -> None:
        self.problem = problem
        self.store = store
        self.fingerprint = problem.fingerprint()
        self._references: dict[tuple[str, str], Correct] = {}

    def key(self, plan: str, split: str) -> str:
        """Content hash of a measurement: plan text, split and everything the problem depends on."""
        return sha256(f"{self.fingerprint}\n{split}\n{plan}".encode())

    def reference(self, split: str, kind: str, watch: Watch) -> Correct:
        """Right answers of the "float32" or exact "int8" network on a whole split; measured once and stored."""
        known = self._references.get((split, kind))
        if known is not None:
            return known
        key = self.key(kind, split)
        stored = self.store.measurement(key)
        if stored is None:
            start = time.perf_counter()
            correct = self.problem.reference(split, kind, watch)
            stored = Measurement(key=key, split=split, plan=kind, correct=correct, accounts={}, seconds=time.perf_counter() - start)
            self.store.save_measurement(stored)
        else:
            watch.step(len(stored.correct))
        self._references[split, kind] = stored.correct
        return stored.correct

    def stored(self, plan: Plan, split: str) -> Measurement | None:
        """The longest measurement of a plan so far."""
        return self.store.measurement(self.key(plan.to_toml(), split))

    def extended(self, plan: Plan, split: str, n: int, have: Measurement | None, candidate: Candidate) -> Measurement:
        """`have` continued to the first `n` images (not saved, and without accounts as long as nobody charges it).

        n is cut to the size of the split.
        """
        n = min(n, self.problem.images(split))
        if have is not None and len(have.correct) >= n:
            return have
        start = time.perf_counter()
        done: Correct = have.correct if have is not None else np.zeros(0, dtype=np.bool_)
        fresh = candidate.correct(split, len(done), n)
        return Measurement(
            key=self.key(plan.to_toml(), split),
            split=split,
            plan=plan.to_toml(),
            correct=np.concatenate([done, fresh]),
            accounts=have.accounts if have is not None else {},
            seconds=(have.seconds if have is not None else 0.0) + time.perf_counter() - start,
        )

    def charged(self, measurement: Measurement, candidate: Candidate) -> Measurement:
        """With the candidate's accounts, which rest on the images it has seen; those that a measurement has stay what they are."""
        if measurement.accounts:
            return measurement
        start = time.perf_counter()
        accounts = candidate.accounts()
        return replace(measurement, accounts=accounts, seconds=measurement.seconds + time.perf_counter() - start)

    def measure(self, plan: Plan, split: str, n: int) -> Measurement:
        """The plan on the first `n` images: from the store, or built, measured and saved."""
        have = self.stored(plan, split)
        if have is not None and len(have.correct) >= min(n, self.problem.images(split)):
            return have
        candidate = self.problem.candidate(plan)
        found = self.charged(self.extended(plan, split, n, have, candidate), candidate)
        self.store.save_measurement(found)
        return found

    def drop(self, correct: Correct, split: str, watch: Watch) -> Drop:
        """The drop of right answers on the first images of a split."""
        n = len(correct)
        found = paired_difference(self.reference(split, "float32", watch)[:n], correct)
        spread = found.only_reference + found.only_candidate - (found.only_reference - found.only_candidate) ** 2 / n
        return Drop(value=100 * found.drop, ci=(100 * found.low, 100 * found.high), error=100 * math.sqrt(max(spread, 1.0)) / n, n=n)

    def accuracy(self, correct: Correct) -> Accuracy:
        """Accuracy of right answers."""
        low, high = wilson(int(correct.sum()), len(correct))
        return Accuracy(top1=100 * float(correct.mean()), ci=(100 * low, 100 * high), n=len(correct))

    def paired(self, correct: Correct, split: str, watch: Watch) -> PairedAccuracy:
        """Accuracy with drops against both references on the same images."""
        n = len(correct)
        alone = self.accuracy(correct)
        drop = self.drop(correct, split, watch)
        int8 = paired_difference(self.reference(split, "int8", watch)[:n], correct)
        return PairedAccuracy(
            top1=alone.top1,
            ci=alone.ci,
            drop=drop.value,
            drop_ci=drop.ci,
            drop_int8=100 * int8.drop,
            drop_int8_ci=(100 * int8.low, 100 * int8.high),
            p_value=int8.p_value,
            n=n,
            split=split,
        )
