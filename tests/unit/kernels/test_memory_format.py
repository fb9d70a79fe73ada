"""Images arranged with the channels of each pixel side by side."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from inexact import kernels
from inexact.kernels._memory_format import is_channels_last


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (2, 1, 5, 4), (3, 1, 1, 4)])
def test_channels_last_says_so_and_changes_no_value(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    turned = kernels.channels_last(x)
    assert not is_channels_last(x)
    assert is_channels_last(turned)
    assert torch.equal(turned, x)


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (2, 1, 1, 1), (2, 3), (2, 3, 4, 5, 6)])
def test_where_both_orders_are_the_same_or_there_is_no_image(shape: tuple[int, ...]) -> None:
    assert not is_channels_last(torch.randn(shape))


def test_convolutions_of_torch_take_one_channel_for_channels_last_too() -> None:
    x = kernels.channels_last(torch.randn(2, 1, 6, 6))
    assert functional.conv2d(x, torch.randn(4, 1, 3, 3)).is_contiguous(memory_format=torch.channels_last)
