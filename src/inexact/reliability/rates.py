"""One rate of one network, without a store: for scripts, and to compare plans."""

from __future__ import annotations

import numpy as np
import torch

from inexact.core.errors import DataError
from inexact.nn import ApproxModel, Data, batches
from inexact.reliability._base import ChipFault
from inexact.reliability._judge import Chunk, Judge, Opened
from inexact.reliability.sampling import Rate, Sample, allocate


def sdc_rate(net: ApproxModel, data: Data, fault: str, *, count: int = 2048, confidence: float = 0.95, seed: int = 0) -> Rate:
    """SDC-1 rate in 0..1 of `count` faults of the spec `fault`, drawn from its strata in proportion to size, on the images of `data`.

    data: batches of (images, labels) or a data set. Of a chip fault each is judged on all images. The same seed gives the same faults.
    Raises FaultError for faults that the network cannot have, DataError for data without labels.
    """
    if count < 1:
        raise DataError(f"count must be at least 1 fault, not {count}")
    pairs = [(images, labels) for images, labels in batches(data, 256) if labels is not None]
    if not pairs:
        raise DataError("faults are judged on images with labels: give batches of (images, labels)")
    judge = Judge(Opened(net=net, images=torch.cat([images for images, _ in pairs]), labels=torch.cat([labels for _, labels in pairs])))
    member, strata = judge.population(fault)
    generator = np.random.default_rng(seed)
    sizes = [stratum.size for stratum in strata]
    counts = allocate(count, sizes, None, generator)
    chips = isinstance(member, ChipFault)
    if chips:
        counts = np.minimum(counts, sizes)
    drawn = [member.draw(stratum, int(n), generator) for stratum, n in zip(strata, counts, strict=True)]  # type: ignore[attr-defined]
    places = np.repeat(np.arange(len(strata)), counts)
    images = None if chips else generator.integers(0, len(judge.opened.images), len(places))
    records, _ = judge.run(Chunk(fault=member.spec, number=0, strata=places, numbers=np.concatenate(drawn), images=images))
    return Sample(sizes, records.stratum, whole=chips).rate(records.share("sdc1"), confidence)
