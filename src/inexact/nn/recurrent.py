"""Recurrent networks with a layer for every matrix product: `ih*` for the input, `hh*` for the state, `hr*` for an LSTM's projection."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, final

import torch
from torch import Tensor, nn

from inexact.core.errors import PlanError
from inexact.nn.attention import linear

Hidden = tuple[Tensor, ...]


class Step(nn.Module):
    """The non-linear part of one time step, in float32. states: how many tensors the state has."""

    states = 1

    @abstractmethod
    def forward(self, from_input: Tensor, from_state: Tensor, state: Hidden) -> Hidden:
        """The next state, the output first; gate sums [N, gates H], state [N, H] each."""


@final
class LSTMStep(Step):
    """Gates i, f, g, o; the state is (h, c)."""

    states = 2

    def forward(self, from_input: Tensor, from_state: Tensor, state: Hidden) -> Hidden:
        """(h, c), h before a projection."""
        i, f, g, o = (from_input + from_state).chunk(4, 1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


@final
class GRUStep(Step):
    """Gates r, z, n."""

    def forward(self, from_input: Tensor, from_state: Tensor, state: Hidden) -> Hidden:
        """(h,)."""
        r_in, z_in, n_in = from_input.chunk(3, 1)
        r_st, z_st, n_st = from_state.chunk(3, 1)
        r, z = torch.sigmoid(r_in + r_st), torch.sigmoid(z_in + z_st)
        n = torch.tanh(n_in + r * n_st)
        return (n + z * (state[0] - n),)


@final
class RNNStep(Step):
    """tanh or relu of the sum."""

    def __init__(self, nonlinearity: str) -> None:
        super().__init__()
        self.apply_to = torch.tanh if nonlinearity == "tanh" else torch.relu

    def forward(self, from_input: Tensor, from_state: Tensor, state: Hidden) -> Hidden:
        """(h,)."""
        return (self.apply_to(from_input + from_state),)


def step_of(source: nn.RNNBase | nn.RNNCellBase) -> Step:
    """The step of a recurrent module or cell."""
    if isinstance(source, (nn.LSTM, nn.LSTMCell)):
        return LSTMStep()
    if isinstance(source, (nn.GRU, nn.GRUCell)):
        return GRUStep()
    return RNNStep(source.nonlinearity)  # type: ignore[arg-type]


@final
class SplitCell(nn.Module):
    """What an `nn.LSTMCell`, `nn.GRUCell` or `nn.RNNCell` computes, from layers `ih` and `hh`; called as the original."""

    def __init__(self, source: nn.RNNCellBase) -> None:
        super().__init__()
        self.hidden_size = source.hidden_size
        self.step = step_of(source)
        self.ih = linear(source.weight_ih, source.bias_ih if source.bias else None)
        self.hh = linear(source.weight_hh, source.bias_hh if source.bias else None)

    def forward(self, x: Tensor, hidden: Any = None) -> Any:
        """h, or (h, c) for an LSTM; x [N, I] or [I]."""
        batched = x.dim() == 2
        rows = x if batched else x.unsqueeze(0)
        if hidden is None:
            state: Hidden = (rows.new_zeros(len(rows), self.hidden_size),) * self.step.states
        else:
            given = hidden if isinstance(hidden, tuple) else (hidden,)
            state = tuple(h if batched else h.unsqueeze(0) for h in given)
        found = self.step(self.ih(rows), self.hh(state[0]), state)
        found = found if batched else tuple(h.squeeze(0) for h in found)
        return found if self.step.states > 1 else found[0]


@final
class SplitRecurrent(nn.Module):
    """What an `nn.LSTM`, `nn.GRU` or `nn.RNN` computes, from layers `ih_l0`, `hh_l0`, `ih_l0_reverse`, … (and `hr_l0`, …).

    Takes and returns what the original does: any number of layers, both directions, batch first or not, unbatched input, dropout between
    layers in training. A packed sequence is refused.
    """

    def __init__(self, source: nn.RNNBase) -> None:
        super().__init__()
        self.num_layers = source.num_layers
        self.batch_first = source.batch_first
        self.dropout = source.dropout
        self.widths = (source.proj_size or source.hidden_size, source.hidden_size)
        self.suffixes = ("", "_reverse") if source.bidirectional else ("",)
        self.step = step_of(source)
        for layer in range(source.num_layers):
            for suffix in self.suffixes:
                end = f"l{layer}{suffix}"
                for kind in ("ih", "hh"):
                    bias = getattr(source, f"bias_{kind}_{end}") if source.bias else None
                    self.add_module(f"{kind}_{end}", linear(getattr(source, f"weight_{kind}_{end}"), bias))
                if source.proj_size:
                    self.add_module(f"hr_{end}", linear(getattr(source, f"weight_hr_{end}"), None))

    def forward(self, x: Any, hidden: Any = None) -> tuple[Tensor, Any]:
        """(output, last state), shaped as the original's."""
        if not isinstance(x, Tensor):
            raise PlanError("an emulated recurrent network takes tensors, not packed sequences: pad them and select the last real step")
        batched = x.dim() == 3
        steps = x.unsqueeze(1) if not batched else x.transpose(0, 1) if self.batch_first else x  # [T, N, I]
        given = None if hidden is None else hidden if isinstance(hidden, tuple) else (hidden,)
        last: list[Hidden] = []
        for layer in range(self.num_layers):
            outputs = []
            for suffix in self.suffixes:
                state = self._first_state(given, len(last), steps, batched)
                sequence, state = self._run(f"l{layer}{suffix}", steps, state, backwards=bool(suffix))
                outputs.append(sequence)
                last.append(state)
            steps = torch.cat(outputs, 2)
            if self.dropout and self.training and layer < self.num_layers - 1:
                steps = nn.functional.dropout(steps, self.dropout)
        states = tuple(torch.stack(part) for part in zip(*last, strict=True))
        if not batched:
            states = tuple(state.squeeze(1) for state in states)
        output = steps.squeeze(1) if not batched else steps.transpose(0, 1) if self.batch_first else steps
        return output, states if self.step.states > 1 else states[0]

    def _first_state(self, given: Hidden | None, index: int, steps: Tensor, batched: bool) -> Hidden:
        if given is None:
            return tuple(steps.new_zeros(steps.shape[1], self.widths[i]) for i in range(self.step.states))
        return tuple(h[index] if batched else h[index].unsqueeze(0) for h in given)

    def _run(self, end: str, steps: Tensor, state: Hidden, *, backwards: bool) -> tuple[Tensor, Hidden]:
        """The outputs [T, N, H] of one direction of one layer, and its last state."""
        layers = dict(self.named_children())
        from_input = layers[f"ih_{end}"](steps)
        outputs: list[Tensor] = [steps] * len(steps)
        for t in reversed(range(len(steps))) if backwards else range(len(steps)):
            state = self.step(from_input[t], layers[f"hh_{end}"](state[0]), state)
            if f"hr_{end}" in layers:
                state = (layers[f"hr_{end}"](state[0]), *state[1:])
            outputs[t] = state[0]
        return torch.stack(outputs), state
