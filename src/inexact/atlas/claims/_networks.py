"""Trained networks under plans, and which test images they get right; what one process has measured it does not measure again.

Torch is imported by what measures, so that claims can be listed without it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from inexact.core.errors import ClaimError, DataError, UnavailableError

if TYPE_CHECKING:
    import torch

    from inexact.explore.pool import Pool
    from inexact.nn import ApproxModel, Plan

CALIBRATION = 512
"""Validation images that fix ranges and corrections, as in `inexact net evaluate`."""

FLOAT32: dict[str, Any] = {}
"""The rules of the network as it was trained."""

INT8: dict[str, Any] = {"default": {"precision": "int8", "coding": "signed"}}
"""The rules of the exact 8-bit network."""

Rules = Mapping[str, Any]


def plan_of(rules: Rules) -> Plan:
    """A plan from a claim's table: layer key -> rule. Raises PlanError for what is none."""
    from inexact.nn import Plan

    return Plan.from_toml(tomli_w.dumps({"plan": {"version": 1, "rules": dict(rules)}}))


def emulated(network: str, data: str, rules: Rules, calibrate: str = "") -> ApproxModel:
    """The network under the rules, calibrated on validation images (of `calibrate`, where given) and repaired as the rules say."""
    return _emulated(network, data, json.dumps(rules), calibrate)


def correct(network: str, data: str, rules: Rules, images: int) -> NDArray[np.bool_]:
    """Which of the first `images` test images the network gets right. No rules: the network as it was trained."""
    return _correct(network, data, json.dumps(rules), images)


def correct_after(net: ApproxModel, data: str, images: int) -> NDArray[np.bool_]:
    """Which of the first `images` test images an emulated network gets right."""
    from inexact.nn import correct_answers

    return correct_answers(net, _pool(data, "test", images).batches())


def logits(network: str, data: str, rules: Rules, images: int) -> torch.Tensor:
    """float32 [images, classes], of the first test images."""
    import torch

    model = emulated(network, data, rules)
    with torch.no_grad():
        return torch.cat([model(inputs) for inputs, _ in _pool(data, "test", images).batches()])


def trained(network: str, data: str) -> torch.nn.Module:
    """The network of the zoo. Raises UnavailableError when its weights are not here."""
    return _trained(network, data)


def check_images(images: int) -> None:
    """Raise ClaimError for fewer than 50 images, which tell nothing."""
    if images < 50:
        raise ClaimError(f"images must be at least 50, not {images}")


@functools.lru_cache(maxsize=8)
def _trained(network: str, data: str) -> torch.nn.Module:
    from inexact import zoo

    return zoo.network(network, data=data)


@functools.lru_cache(maxsize=8)
def _pool(data: str, split: str, limit: int) -> Pool:
    from inexact import zoo
    from inexact.explore.pool import Pool

    try:
        return Pool.of(zoo.data(data, split, limit))
    except DataError as error:
        raise UnavailableError(str(error)) from error


@functools.lru_cache(maxsize=4)
def _emulated(network: str, data: str, rules: str, calibrate: str) -> ApproxModel:
    from inexact import zoo
    from inexact.nn import approximate
    from inexact.recovery import recover

    calibration = zoo.data(calibrate or data, "validation", CALIBRATION)
    net = approximate(trained(network, data), plan_of(json.loads(rules)), calibrate=calibration)
    return recover(net, data=calibration)


@functools.lru_cache(maxsize=32)
def _correct(network: str, data: str, rules: str, images: int) -> NDArray[np.bool_]:
    from inexact.nn import correct_answers

    pool = _pool(data, "test", images)
    model = _emulated(network, data, rules, "") if json.loads(rules) else trained(network, data)
    return correct_answers(model, pool.batches())
