"""Trained networks under plans, and which test images they get right; what one process has measured it does not measure again."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tomli_w
import torch
from numpy.typing import NDArray

from inexact import zoo
from inexact.core.errors import ClaimError, DataError, UnavailableError
from inexact.explore.pool import Pool
from inexact.nn import ApproxModel, Plan, approximate, correct_answers
from inexact.recovery import recover

CALIBRATION = 512
"""Validation images that fix ranges and corrections, as in `inexact net evaluate`."""

FLOAT32: dict[str, Any] = {}
"""The rules of the network as it was trained."""

INT8: dict[str, Any] = {"default": {"precision": "int8", "coding": "signed"}}
"""The rules of the exact 8-bit network."""

Rules = Mapping[str, Any]


def plan_of(rules: Rules) -> Plan:
    """A plan from a claim's table: layer key -> rule. Raises PlanError for what is none."""
    return Plan.from_toml(tomli_w.dumps({"plan": {"version": 1, "rules": dict(rules)}}))


def emulated(network: str, data: str, rules: Rules, calibrate: str = "") -> ApproxModel:
    """The network under the rules, calibrated on validation images (of `calibrate`, where given) and repaired as the rules say."""
    return _emulated(network, data, json.dumps(rules), calibrate)


def correct(network: str, data: str, rules: Rules, images: int) -> NDArray[np.bool_]:
    """Which of the first `images` test images the network gets right. No rules: the network as it was trained."""
    return _correct(network, data, json.dumps(rules), images)


def correct_after(net: ApproxModel, data: str, images: int) -> NDArray[np.bool_]:
    """Which of the first `images` test images an emulated network gets right."""
    return correct_answers(net, _pool(data, "test", images).batches())


def logits(network: str, data: str, rules: Rules, images: int) -> torch.Tensor:
    """float32 [images, classes], of the first test images."""
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
    return zoo.network(network, data=data)


@functools.lru_cache(maxsize=8)
def _pool(data: str, split: str, limit: int) -> Pool:
    try:
        return Pool.of(zoo.data(data, split, limit))
    except DataError as error:
        raise UnavailableError(str(error)) from error


@functools.lru_cache(maxsize=4)
def _emulated(network: str, data: str, rules: str, calibrate: str) -> ApproxModel:
    calibration = zoo.data(calibrate or data, "validation", CALIBRATION)
    net = approximate(trained(network, data), plan_of(json.loads(rules)), calibrate=calibration)
    return recover(net, data=calibration)


@functools.lru_cache(maxsize=32)
def _correct(network: str, data: str, rules: str, images: int) -> NDArray[np.bool_]:
    pool = _pool(data, "test", images)
    model = _emulated(network, data, rules, "") if json.loads(rules) else trained(network, data)
    return correct_answers(model, pool.batches())
