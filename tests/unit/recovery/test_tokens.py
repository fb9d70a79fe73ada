"""Recoveries and fine-tuning of a network of tokens: embeddings, products of two activations, no batch norm."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from inexact.nn import ApproxLinear, ApproxModel, ApproxProduct, Plan, Product, approximate
from inexact.recovery import _trials, finetune, recover

TOKENS = torch.randint(1, 20, (64, 6), generator=torch.Generator().manual_seed(2))
LABELS = (TOKENS[:, 0] > 10).long()


class Reader(nn.Module):
    """One block of attention over embedded tokens, and a linear head on their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.norm = nn.LayerNorm(8)
        self.value, self.wide, self.head = nn.Linear(8, 8), nn.Linear(8, 12), nn.Linear(12, 2)
        self.qk, self.pv = Product(), Product()

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids [N, T] to logits [N, 2]."""
        x = self.norm(self.words(tokens))
        mixed = self.pv(torch.softmax(self.qk(x, x.transpose(1, 2)), -1), self.value(x))
        logits: Tensor = self.head(torch.relu(self.wide(x + mixed)).mean(1))
        return logits


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(3)
    return Reader().eval()


def emulated(model: nn.Module, unit: str = "mitchell", coding: str = "sign_magnitude") -> ApproxModel:
    plan = Plan(multiplier=unit, coding=coding, precision="int(granularity=per_channel)")
    return approximate(model, plan, calibrate=TOKENS)


def rms(net: ApproxModel, model: nn.Module) -> float:
    with torch.no_grad():
        return float((net(TOKENS) - model(TOKENS)).square().mean().sqrt())


@pytest.mark.parametrize(
    ("unit", "coding", "recovery", "at_most"),
    [
        ("mitchell", "sign_magnitude", "bias_correction(gain=true,target=network)", 0.5),
        ("mitchell", "sign_magnitude", "batch_norm", 0.5),
        ("trunc(cut=8)", "unsigned", "control_variate(columns=4,gain=true,target=network)", 0.15),
        ("drum(k=3)", "sign_magnitude", "ranges(factors=(2.0,9.0))", 0.5),
        ("mitchell", "sign_magnitude", "weight_tuning(weighted=true) + bias_correction(gain=true)", 0.5),
        ("mitchell", "sign_magnitude", "reconstruction(positions=256,sweeps=1)", 0.4),
    ],
)
def test_every_recovery_brings_the_scores_nearer(model: nn.Module, unit: str, coding: str, recovery: str, at_most: float) -> None:
    net = emulated(model, unit, coding)
    found = recover(net, recovery, data=TOKENS)
    assert rms(found, model) < at_most * rms(net, model)
    assert torch.equal(found.state_dict()["model.words.weight"], net.state_dict()["model.words.weight"])


def test_products_keep_their_operands_and_share_one_constant(model: nn.Module) -> None:
    found = recover(emulated(model), "weight_tuning(weighted=true) + bias_correction(gain=true)", data=TOKENS)
    for name in ("qk", "pv"):
        layer = found.layers()[name]
        assert isinstance(layer, ApproxProduct)
        assert layer.fold.shape == layer.gain.shape == (1,)
        assert float(layer.gain) > 1.01  # Mitchell's products are never too large


def test_ranges_look_at_evenly_spaced_rows(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    net, seen = emulated(model, "drum(k=3)"), []
    monkeypatch.setattr(_trials, "ROWS", 100)  # of 64 x 6: every fourth
    trials = _trials.Trials.__init__

    def watch(self: _trials.Trials, layer: ApproxLinear, x: Tensor, goal: Tensor, gain: bool) -> None:
        seen.append((layer.name, tuple(x.shape), tuple(goal.shape)))
        trials(self, layer, x, goal, gain)

    monkeypatch.setattr(_trials.Trials, "__init__", watch)
    recover(net, "ranges(factors=(2.0,))", data=TOKENS)
    looked_at = {name: shapes for name, *shapes in seen}
    assert looked_at == {"value": [(96, 8), (96, 8)], "wide": [(96, 8), (96, 12)], "head": [(64, 12), (64, 2)]}


def test_tokens_can_be_trained_on(model: nn.Module) -> None:
    net = emulated(model, "drum(k=3)")
    tuned = finetune(net, [(TOKENS, LABELS)], "finetune(epochs=6,batch=16,rate=0.5)", seed=0)

    def right(candidate: ApproxModel) -> float:
        with torch.no_grad():
            return float((candidate(TOKENS).argmax(1) == LABELS).float().mean())

    assert right(tuned) > right(net) + 0.1
    assert not torch.equal(tuned.state_dict()["model.words.weight"], net.state_dict()["model.words.weight"])
