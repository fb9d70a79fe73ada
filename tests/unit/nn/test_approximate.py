"""approximate(): folding, untouched originals, state dicts, export, messages."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import DataError, FormatError, PlanError
from inexact.nn import ApproxModel, Plan, Rule, approximate


class Residual(nn.Module):
    """Two convolutions with norms, one shared input, one linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4)
        self.free = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x)) + x
        answer: Tensor = self.fc(self.free(y).mean((2, 3)))
        return answer


class Branching(Residual):
    """Cannot be traced symbolically."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if float(x.sum()) > -1e9 else x


def network(make: Callable[[], nn.Module] = Residual) -> nn.Module:
    torch.manual_seed(0)
    model = make()
    model.train()
    for _ in range(5):
        model(torch.randn(16, 2, 8, 8) * 2 + 1)
    return model.eval()


X = torch.randn(12, 2, 8, 8, generator=torch.Generator().manual_seed(3))


def test_batch_norm_is_folded_and_the_rest_stays() -> None:
    model = network()
    net = approximate(model, Plan(precision="int16"), calibrate=X)
    assert net.unfolded == ["free"]
    assert isinstance(net.model.bn1, nn.Identity)
    with torch.no_grad():
        assert float((net(X) - model(X)).abs().max()) < 1e-3


def test_what_cannot_be_traced_keeps_its_norms_and_its_answers() -> None:
    model = network(Branching)
    net = approximate(model, Plan(precision="int16"), calibrate=X)
    assert net.unfolded == ["bn1", "bn2", "free"]
    with torch.no_grad():
        assert float((net(X) - model(X)).abs().max()) < 1e-3


def test_the_original_is_untouched() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        answer = model(X)
    approximate(model, Plan(multiplier="trunc(cut=6)"), calibrate=X)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    with torch.no_grad():
        assert torch.equal(answer, model(X))
    assert isinstance(model.bn1, nn.BatchNorm2d)


def test_state_dict_round_trip_into_an_uncalibrated_network() -> None:
    model = network()
    plan = Plan({"conv*": Rule(multiplier="drum(k=4)", coding="sign_magnitude"), "fc": Rule(precision="w4a8")})
    net = approximate(model, plan, calibrate=X)
    fresh = approximate(network(), plan)
    with pytest.raises(FormatError, match="layer conv1 must be calibrated"):
        fresh(X)
    fresh.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert torch.equal(net(X), fresh(X))


def test_heterogeneous_plan_changes_only_its_layers() -> None:
    net = approximate(network(), Plan({"conv2": "trunc(cut=5)"}), calibrate=X)
    assert list(net.layers()) == ["conv2"]
    assert isinstance(net.model.conv1, nn.Conv2d)


def test_a_unit_spec_is_a_plan() -> None:
    assert set(approximate(network(), "kulkarni", calibrate=X).layers()) == {"conv1", "conv2", "fc"}


def test_calibration_may_be_a_loader_of_batches() -> None:
    batches = [(X[:4], torch.zeros(4)), (X[4:], torch.zeros(8))]
    a, b = (approximate(network(), "kulkarni", calibrate=data) for data in (X, batches))
    with torch.no_grad():
        assert torch.equal(a(X), b(X))


@pytest.mark.slow
def test_torch_export_and_compile_keep_the_answers() -> None:
    net = approximate(network(), Plan(multiplier="trunc(cut=4)"), calibrate=X)
    with torch.no_grad():
        expected = net(X)
        exported = torch.export.export(net, (X,))
        assert torch.equal(exported.module()(X), expected)
        compiled = torch.compile(net, backend="eager")
        assert torch.equal(compiled(X), expected)


def test_unknown_layer_suggests() -> None:
    with pytest.raises(PlanError, match="plan key 'conv3' must match a layer; none does; did you mean 'conv"):
        approximate(network(), Plan({"conv3": "exact"}), calibrate=X)


def test_nan_weights_name_the_layer() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("conv2.weight")[0, 0, 0, 0] = float("nan")
    with pytest.raises(FormatError, match="weight of layer conv2 must be finite"):
        approximate(model, "exact", calibrate=X)


def test_nan_calibration_is_refused() -> None:
    with pytest.raises(FormatError, match="values must be finite"):
        approximate(network(), "exact", calibrate=torch.full((2, 2, 8, 8), float("nan")))


def test_empty_calibration_is_refused() -> None:
    with pytest.raises(DataError, match="calibration data must hold at least one input"):
        approximate(network(), "exact", calibrate=X[:0])


def test_a_plan_on_top_of_a_plan_is_refused() -> None:
    net = approximate(network(), "exact", calibrate=X)
    with pytest.raises(PlanError, match="model must be the float32 network"):
        approximate(net, "exact", calibrate=X)
    assert isinstance(net, ApproxModel)


def test_layers_calibration_never_reaches_are_named() -> None:
    class Unused(Residual):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Linear(3, 3)

    with pytest.raises(PlanError, match="calibration must reach every planned layer; it never entered spare"):
        approximate(network(Unused), "exact", calibrate=X)
