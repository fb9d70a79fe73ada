"""Reading whatever a user calls data: a tensor or array, a pair of inputs and labels, a batch loader, a data set of (image, label)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from inexact.core.errors import DataError

Array = Tensor | NDArray[Any]
Data = Array | Iterable[Any] | Dataset[Any]


def batches(data: Data, batch_size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """(inputs, labels or None) in batches: tensors, arrays, pairs of them and data sets are cut, loaders are taken as they come.

    A tuple of two is a pair when the second has one dimension and the first has more; otherwise two batches of inputs. Arrays of float64
    become float32. Raises DataError for labels that are not one integer for each input.
    """
    if isinstance(data, Tensor | np.ndarray):
        inputs = _tensor(data)
        for start in range(0, len(inputs), batch_size):
            yield inputs[start : start + batch_size], None
        return
    if _is_pair(data):
        inputs, labels = _checked(*map(_tensor, data))
        for start in range(0, len(inputs), batch_size):
            yield inputs[start : start + batch_size], labels[start : start + batch_size]
        return
    if isinstance(data, str) or not isinstance(data, Dataset | Iterable):
        raise DataError(
            f"data must be a tensor of inputs, a pair (inputs, labels), a data set or batches, not {data!r}; data sets by name: zoo.data"
        )
    loader: Iterable[Any] = DataLoader(data, batch_size=batch_size) if isinstance(data, Dataset) else data
    for item in loader:
        if isinstance(item, Tensor | np.ndarray):
            yield _tensor(item), None
        else:
            yield _tensor(item[0]), _tensor(item[1])


def _tensor(values: Any) -> Tensor:
    """As torch has it; numbers of numpy are float64 where nobody asked for that."""
    found = torch.as_tensor(values)
    return found.float() if isinstance(values, np.ndarray) and found.dtype == torch.float64 else found


def _is_pair(data: Any) -> TypeGuard[tuple[Array, Array]]:
    if not (isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, Tensor | np.ndarray) for part in data)):
        return False
    return bool(data[0].ndim > 1 == data[1].ndim)


def _checked(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if labels.is_floating_point() or len(labels) != len(inputs):
        came = f"{str(labels.dtype).removeprefix('torch.')} [{len(labels)}] for {len(inputs)} inputs"
        raise DataError(f"labels must be integers, the numbers of classes, one for each input, not {came}")
    return inputs, labels


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
