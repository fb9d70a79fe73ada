"""Images in the units of an attack, and what a target counts."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from inexact import zoo
from inexact.core.errors import AttackError, DataError
from inexact.security.adversarial import Images, Target, images_of, input_gradients, margins
from inexact.security.adversarial._pictures import pictures


def test_pixels_of_a_data_set_normalise_to_the_same_bits() -> None:
    data = zoo.data("fashion-mnist", "test", 50)
    found = images_of(data)
    assert found.scaling == data.scaling == (0.2860, 0.3530)
    assert float(found.pixels.min()) == 0
    assert float(found.pixels.max()) == 1
    assert torch.equal((found.pixels - 0.2860) / 0.3530, data.images)
    assert torch.equal(found.pixels * 255, (found.pixels * 255).round())


def data_set(images: Tensor, scaling: tuple[float, float] | None) -> zoo.Dataset:
    labels = torch.zeros(len(images), dtype=torch.int64)
    return zoo.Dataset(images=images, labels=labels, name="own", split="test", classes=("a",), scaling=scaling)


def test_what_is_no_image_in_known_pixels_is_refused() -> None:
    tokens = data_set(torch.ones(2, 7, dtype=torch.int64), None)
    with pytest.raises(AttackError, match=r"attacks change pixels, so inputs must be images \[C, H, W\] of numbers; 'own' has tokens"):
        images_of(tokens)
    plain = data_set(torch.rand(2, 1, 3, 3), None)
    with pytest.raises(DataError, match="the mean and deviation 'own' was normalised by must be known: give --scaling MEAN,DEVIATION"):
        images_of(plain)
    assert torch.equal(images_of(plain, (0.0, 1.0)).pixels.round(decimals=2), plain.images.round(decimals=2))
    with pytest.raises(DataError, match=r"pixels must be 0..1 when normalisation by 0.5, 1 is undone; they are 0.5"):
        images_of(data_set(torch.tensor([[[[0.0, 0.9]]]]), (0.5, 1.0)))


class Sums(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        total = x.flatten(1).sum(1)
        return torch.stack([total, 2 * total, -total], 1)


def test_queries_and_gradients_are_counted_by_image() -> None:
    found = Images(pixels=torch.rand(5, 1, 2, 2), labels=torch.tensor([0, 1, 2, 0, 1]), scaling=(0.0, 1.0))
    target = Target(Sums(), found.scaling, name="sums")
    target.correct(found)
    assert (target.queries, target.backward_passes) == (5, 0)
    gradients = input_gradients(target, found)
    assert (target.queries, target.backward_passes) == (10, 5)
    assert gradients is not None
    # margins: (2t) - t, t - 2t, 2t + t for labels 0, 1, 2
    assert gradients.flatten(1)[:, 0].tolist() == [1, -1, 3, 1, -1]
    blind = Target(Sums(), found.scaling, name="sums", gives_gradients=False)
    assert input_gradients(blind, found) is None
    assert (blind.queries, blind.backward_passes) == (5, 0)


def test_pictures_show_images_that_were_changed_and_are_wrong() -> None:
    before = torch.full((4, 1, 2, 2), 0.5)
    after = before.clone()
    after[1:, 0, 0, 0] = torch.tensor([0.75, 0.25, 0.6])
    found = pictures(before, after, torch.tensor([True, True, True, False]))
    assert [picture["image"] for picture in found] == [1, 2]  # 0 is as it was, 3 is right
    assert found[1]["largest"] == 0.25
    shown = {name: np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1][name])))) for name in ("before", "after", "change")}
    assert shown["before"].tolist() == [[128, 128], [128, 128]]
    assert shown["after"].tolist() == [[64, 128], [128, 128]]
    assert shown["change"].tolist() == [[0, 128], [128, 128]]
    assert pictures(torch.zeros(1, 1, 200, 200), torch.ones(1, 1, 200, 200), torch.tensor([True])) == []


def test_margins_are_the_best_other_logit_less_the_own() -> None:
    logits = torch.tensor([[1.0, 4.0, 2.0], [1.0, 4.0, 2.0]])
    assert margins(logits, torch.tensor([1, 0])).tolist() == [-2.0, 3.0]
