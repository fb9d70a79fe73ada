"""Reading whatever a user calls data: a tensor, a batch loader, a data set of (image, label)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from inexact.core.errors import DataError

Data = Tensor | Iterable[Any] | Dataset[Any]


def batches(data: Data, batch_size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """(inputs, labels or None) in batches: tensors and data sets are cut, loaders are taken as they come."""
    if isinstance(data, Tensor):
        for start in range(0, len(data), batch_size):
            yield data[start : start + batch_size], None
        return
    if isinstance(data, str) or not isinstance(data, Dataset | Iterable):
        raise DataError(f"data must be a tensor of inputs, a data set or batches, not {data!r}; data sets by name: zoo.data")
    loader: Iterable[Any] = DataLoader(data, batch_size=batch_size) if isinstance(data, Dataset) else data
    for item in loader:
        if isinstance(item, Tensor):
            yield item, None
        else:
            inputs, labels = item[0], item[1]
            yield torch.as_tensor(inputs), torch.as_tensor(labels)


def first_inputs(data: Data, limit: int) -> Tensor:
    """The first `limit` inputs as one tensor. Raises DataError when there are none."""
    found: list[Tensor] = []
    count = 0
    for inputs, _ in batches(data, limit):
        found.append(inputs[: limit - count])
        count += len(found[-1])
        if count >= limit:
            break
    if not count:
        raise DataError("calibration data must hold at least one input; it is empty")
    return torch.cat(found)


def device_of(model: nn.Module) -> torch.device:
    """Where a model's first parameter lives; the CPU for one without parameters."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
