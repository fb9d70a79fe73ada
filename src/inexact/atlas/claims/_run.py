"""Running claims, one after the other or in worker processes, each kept as soon as it is done."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inexact.atlas.claims._claim import Claim
from inexact.atlas.claims._results import Result, Results
from inexact.atlas.claims._tolerance import NOT_RUNNABLE, verdict
from inexact.core.errors import InexactError

if TYPE_CHECKING:
    from inexact.explore.watch import Watch


def run_claim(claim: Claim) -> Result:
    """Check one claim now. What this machine lacks, or another error with a sentence of its own, makes it "not runnable here"."""
    start = time.perf_counter()
    measured, reason = None, ""
    try:
        measured = claim.check()
    except InexactError as error:
        reason = str(error)
    return Result(
        id=claim.id,
        sha256=claim.sha256,
        verdict=NOT_RUNNABLE if measured is None else verdict(measured.low, measured.high, claim.band),
        measured=measured,
        reason=reason,
        seconds=round(time.perf_counter() - start, 3),
        date=datetime.now(UTC).date().isoformat(),
    )


def run(
    chosen: Sequence[Claim],
    path: Path | None = None,
    *,
    command: str = "",
    workers: int = 1,
    again: bool = False,
    watch: Watch | None = None,
) -> Results:
    """Check claims; all results of the file, with those of `chosen` up to date.

    path: file the results are kept in, which is whole after every claim; what it already says of a claim whose record has not changed
    stands, unless it could not be run, or `again` is set. None: nothing is kept. workers: processes, of one thread each; 1 runs in this
    one. Raises ClaimError for a file of another version.
    """
    from inexact.explore.watch import Silent

    results = Results.load(path) if path is not None and path.exists() else Results.empty(command)
    missing = [claim for claim in chosen if again or not _stands(results.of(claim))]
    watch = watch or Silent()
    watch.stage("check claims", len(missing))
    for result in _outcomes(missing, workers):
        results = results.with_result(result)
        if path is not None:
            results.save(path)
        watch.step(note=f"{result.id}: {result.verdict}")
    return results


def _stands(result: Result | None) -> bool:
    return result is not None and result.verdict != NOT_RUNNABLE


def _outcomes(missing: Sequence[Claim], workers: int) -> Iterator[Result]:
    if workers == 1 or len(missing) < 2:
        yield from map(run_claim, missing)
        return
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread)
    try:
        for done in as_completed([pool.submit(run_claim, claim) for claim in missing]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
