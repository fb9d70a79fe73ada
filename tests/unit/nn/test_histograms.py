"""Operand histograms of layers: counted codes are those the layer computes with, in every coding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn as torch_nn

from inexact import nn
from inexact.core.errors import DataError


def network() -> torch_nn.Module:
    torch.manual_seed(0)
    return torch_nn.Sequential(torch_nn.Conv2d(2, 3, 3, padding=1), torch_nn.ReLU(), torch_nn.Flatten(), torch_nn.Linear(3 * 25, 4)).eval()


@pytest.mark.parametrize("coding", ["unsigned", "signed", "sign_magnitude"])
def test_counts_of_every_layer(coding: str) -> None:
    inputs = torch.randn(300, 2, 5, 5, generator=torch.Generator().manual_seed(1))
    model = nn.approximate(network(), nn.Plan(precision="w5a6", coding=coding, multiplier="exact"), calibrate=inputs)
    before = model(inputs[:4]).clone()
    found = nn.operand_histograms(model, inputs, images=200)
    assert set(found) == {"0", "3"}
    first, last = found["0"], found["3"]
    assert (first.a.shape, first.b.shape) == ((64,), (32,))
    assert first.a.sum() == 200 * 2 * 7 * 7  # padding is fed to the unit
    assert (first.b.sum(), last.a.sum(), last.b.sum()) == (3 * 2 * 9, 200 * 75, 4 * 75)
    layer = model.layers()["0"]
    assert isinstance(layer, nn.ApproxLayer)
    codes = layer.a_quantiser().quantise(layer.padded(inputs[:200]))
    assert np.array_equal(first.a, np.bincount(layer.arithmetic.a_patterns(codes).flatten().numpy(), minlength=64))
    if coding == "sign_magnitude":
        assert first.b[16:].sum() == 0  # magnitudes
    assert torch.equal(model(inputs[:4]), before)


def test_a_network_without_planned_layers_is_refused() -> None:
    inputs = torch.randn(4, 2, 5, 5)
    model = nn.approximate(network(), nn.Plan(precision="int8").keep("*"), calibrate=inputs)
    with pytest.raises(DataError, match="must emulate a layer with weights"):
        nn.operand_histograms(model, inputs)
