"""Attention and recurrent modules taken apart: the parts compute what torch's module does, and a plan reaches each of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inexact.core.errors import PlanError
from inexact.nn import Plan, Rule, approximate, plannable, workload
from inexact.nn.attention import SplitAttention
from inexact.nn.recurrent import SplitCell, SplitRecurrent


def same(a: Any, b: Any) -> None:
    """Equal up to float32 rounding, through nested tuples."""
    if isinstance(a, tuple):
        assert isinstance(b, tuple)
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif a is None:
        assert b is None
    else:
        assert a.shape == b.shape
        assert torch.allclose(a, b, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_attention_equals_torch(batch_first: bool, bias: bool) -> None:
    torch.manual_seed(0)
    source = nn.MultiheadAttention(8, 2, bias=bias, batch_first=batch_first).eval()
    parts = SplitAttention(source).eval()
    q, k = torch.randn(3, 5, 8), torch.randn(3, 6, 8)
    q, k = (q, k) if batch_first else (q.transpose(0, 1), k.transpose(0, 1))
    hidden = torch.zeros(3, 6, dtype=torch.bool)
    hidden[1, 4:] = True
    masks: list[dict[str, Any]] = [
        {},
        {"need_weights": False},
        {"average_attn_weights": False},
        {"key_padding_mask": hidden},
        {"attn_mask": torch.ones(5, 6, dtype=torch.bool).triu(1)},
        {"attn_mask": torch.randn(6, 5, 6), "key_padding_mask": torch.zeros(3, 6).masked_fill(hidden, -torch.inf)},
    ]
    with torch.no_grad():
        for options in masks:
            same(parts(q, k, k, **options), source(q, k, k, **options))
        same(parts(q[0], k[0], k[0]), source(q[0], k[0], k[0]))


def test_attention_with_other_key_and_value_widths_equals_torch() -> None:
    torch.manual_seed(0)
    source = nn.MultiheadAttention(8, 4, kdim=3, vdim=5, batch_first=True).eval()
    q, k, v = torch.randn(2, 5, 8), torch.randn(2, 6, 3), torch.randn(2, 6, 5)
    with torch.no_grad():
        same(SplitAttention(source).eval()(q, k, v), source(q, k, v))


def test_attention_with_extra_keys_is_refused() -> None:
    with pytest.raises(PlanError, match="add_bias_kv or add_zero_attn cannot be emulated"):
        approximate(nn.MultiheadAttention(8, 2, add_zero_attn=True), "exact")


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("norm_first", [True, False])
def test_an_encoder_of_torch_is_emulated_in_every_product(norm_first: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=norm_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=not norm_first).eval()
    x = torch.randn(6, 5, 16)
    names = list(plannable(model, x))
    parts = ("q_proj", "k_proj", "v_proj", "qk", "pv", "out_proj")
    assert names == [f"layers.{i}.{part}" for i in range(2) for part in (*(f"self_attn.{p}" for p in parts), "linear1", "linear2")]
    net = approximate(model, Plan(precision="int16"), calibrate=x)
    hidden = torch.zeros(6, 5, dtype=torch.bool)
    hidden[2, 3:] = True
    with torch.no_grad():
        assert float((net(x) - model(x)).abs().max()) < 2e-3
        one = approximate(model, Plan({"layers.1.linear1": Rule(precision="int16")}), calibrate=x)
        difference = (one.model(x, src_key_padding_mask=hidden) - model(x, src_key_padding_mask=hidden))[~hidden].abs().max()
        assert float(difference) < 2e-3
        for name in names:  # each of them matters: none is computed past its module
            changed = approximate(model, Plan({name: "trunc(cut=11)"}), calibrate=x)
            assert float((changed(x) - model(x)).abs().max()) > 1e-3, name
    assert {entry.name for entry in workload(net).multiplying} == set(names)


KINDS = [
    (nn.LSTM, {}),
    (nn.LSTM, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    (nn.LSTM, {"proj_size": 2, "num_layers": 2}),
    (nn.GRU, {"bias": False}),
    (nn.GRU, {"num_layers": 2, "bidirectional": True, "batch_first": True, "dropout": 0.3}),
    (nn.RNN, {"nonlinearity": "relu", "num_layers": 2}),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("kind", "options"), KINDS, ids=[f"{kind.__name__}{i}" for i, (kind, _) in enumerate(KINDS)])
def test_recurrent_equals_torch(kind: Any, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    source = kind(3, 5, **options).eval()
    parts = SplitRecurrent(source).eval()
    x = torch.randn(4, 6, 3)
    with torch.no_grad():
        output, hidden = source(x)
        same(parts(x), (output, hidden))
        same(parts(x, hidden), source(x, hidden))
        same(parts(x[0]), source(x[0]))


@pytest.mark.parametrize(("kind", "options"), [(nn.LSTMCell, {}), (nn.GRUCell, {"bias": False}), (nn.RNNCell, {})])
def test_cells_equal_torch(kind: Any, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    source = kind(3, 5, **options).eval()
    parts = SplitCell(source).eval()
    x = torch.randn(4, 3)
    with torch.no_grad():
        hidden = source(x)
        same(parts(x), hidden)
        same(parts(x, hidden), source(x, hidden))
        same(parts(x[0]), source(x[0]))


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 8, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.gru(x)[0][:, -1])
        return result


def test_a_plan_reaches_every_product_of_a_recurrent_network() -> None:
    torch.manual_seed(0)
    model = Tagger().eval()
    x = torch.randn(8, 6, 3)
    ends = [f"l{layer}{direction}" for layer in range(2) for direction in ("", "_reverse")]
    names = [f"gru.{kind}_{end}" for end in ends for kind in ("ih", "hh")]
    assert list(plannable(model, x)) == [*names, "head"]
    net = approximate(model, Plan(precision="int16"), calibrate=x)
    with torch.no_grad():
        assert float((net(x) - model(x)).abs().max()) < 1e-3
        for name in ("gru.ih_l0", "gru.hh_l0", "gru.hh_l1"):
            changed = approximate(model, Plan({name: "trunc(cut=11)"}), calibrate=x)
            assert float((changed(x) - model(x)).abs().max()) > 1e-3, name
    fresh = approximate(model, Plan(precision="int16"))
    fresh.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh(x), net(x))
    macs = {layer.name: layer.macs for layer in workload(net).layers}
    assert macs["gru.ih_l0"] == 6 * 3 * 24
    assert macs["gru.hh_l0"] == 6 * 8 * 24
    assert macs["gru.ih_l1"] == 6 * 16 * 24
    loss = net(x).square().sum()
    torch.autograd.backward(loss)
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_packed_sequences_are_refused() -> None:
    net = approximate(nn.LSTM(3, 4), "exact", calibrate=torch.randn(5, 2, 3))
    packed = nn.utils.rnn.pack_padded_sequence(torch.randn(5, 2, 3), torch.tensor([5, 3]))
    with pytest.raises(PlanError, match="takes tensors, not packed sequences"):
        net(packed)
