"""A network and images that the tests of reductions share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(scope="package")
def model() -> nn.Module:
    """A rectified convolution, a grouped one, one that is added to a branch, and a linear layer; inputs are not negative."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 8, 3, padding=1, stride=2)
            self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
            self.branch = nn.Conv2d(8, 8, 1)
            self.head = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.first(x))
            y = nn.functional.relu(self.grouped(x))
            y = torch.relu(self.branch(y) + x)
            found: Tensor = self.head(y.mean((2, 3)))
            return found

    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="package")
def images() -> Tensor:
    return torch.rand(24, 3, 12, 12, generator=torch.Generator().manual_seed(1))
