"""Reading whatever a user calls data: a tensor, a pair of inputs and labels, a batch loader, a data set of (image, label)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from inexact.core.errors import DataError

Data = Tensor | Iterable[Any] | Dataset[Any]


def batches(data: Data, batch_size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """(inputs, labels or None) in batches: tensors, pairs of them and data sets are cut, loaders are taken as they come.

    A tuple of two tensors is a pair when the second has one integer for each of the first; otherwise two batches of inputs.
    """
    if isinstance(data, Tensor):
        for start in range(0, len(data), batch_size):
            yield data[start : start + batch_size], None
        return
    if _is_pair(data):
        inputs, labels = data
        for start in range(0, len(inputs), batch_size):
            yield inputs[start : start + batch_size], labels[start : start + batch_size]
        return
    if isinstance(data, str) or not isinstance(data, Dataset | Iterable):
        raise DataError(
            f"data must be a tensor of inputs, a pair (inputs, labels), a data set or batches, not {data!r}; data sets by name: zoo.data"
        )
    loader: Iterable[Any] = DataLoader(data, batch_size=batch_size) if isinstance(data, Dataset) else data
    for item in loader:
        if isinstance(item, Tensor):
            yield item, None
        else:
            inputs, labels = item[0], item[1]
            yield torch.as_tensor(inputs), torch.as_tensor(labels)


def _is_pair(data: Any) -> TypeGuard[tuple[Tensor, Tensor]]:
    if not (isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, Tensor) for part in data)):
        return False
    inputs, labels = data
    return labels.dim() == 1 and not labels.is_floating_point() and inputs.dim() > 1 and len(inputs) == len(labels)


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
