"""The backward pass of an emulated layer whose gradient is not straight-through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inexact.nn.gradients._contraction import Contraction
from inexact.nn.gradients._slopes import Slopes


@dataclass(frozen=True)
class Errors:
    """What a unit's error adds to the gradients of one forward pass.

    a, b: uint8 patterns, a padded. a_scale: scalar; b_scale: broadcastable to the weights; gain and channel_scale (b_scale again):
    broadcastable to the output. outside: None, or 1 where the input is padding whose products are skipped, broadcastable to a.
    a_zero: the pattern of zero.
    """

    slopes: Slopes
    a: Tensor
    b: Tensor
    a_scale: Tensor
    b_scale: Tensor
    a_zero: int
    channel_scale: Tensor
    gain: Tensor
    outside: Tensor | None


@dataclass(frozen=True)
class Behind:
    """A layer as its backward pass needs it.

    by_channel: an output-shaped tensor as [O, everything else].
    """

    contraction: Contraction
    by_channel: Callable[[Tensor], Tensor]
    errors: Errors


class EmulatedGradient(torch.autograd.Function):
    """Passes the emulated output on as it is; its gradient is that of the sums behind it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, result: Tensor, behind: Behind) -> Tensor:
        """x: padded, quantised input; weight: quantised; result: what the layer computed."""
        ctx.save_for_backward(x, weight)
        ctx.behind = behind
        return result.detach()  # no view of it: layers that follow may write in place

    @staticmethod
    def backward(ctx: Any, *arrived: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients for x, weight and bias."""
        (g,) = arrived
        x, weight = ctx.saved_tensors
        behind: Behind = ctx.behind
        by_bias = behind.by_channel(g).sum(1) if ctx.needs_input_grad[2] else None
        g = (g * behind.errors.gain).contiguous()
        by_x = behind.contraction.by_input(x.shape, weight, g) if ctx.needs_input_grad[0] else None
        by_weight = behind.contraction.by_weight(x, weight.shape, g) if ctx.needs_input_grad[1] else None
        _add_errors(behind.errors, behind.contraction, g, by_x, by_weight)
        return by_x, by_weight, by_bias, None, None


def _add_errors(e: Errors, contraction: Contraction, g: Tensor, by_x: Tensor | None, by_weight: Tensor | None) -> None:
    """Add what the slopes of the error contribute, in place: one code of a is `a_scale`, one code of b `b_scale`."""
    through_tables: tuple[Tensor, Tensor] | None = None
    if (by_x is not None and not e.slopes.a.factored) or (by_weight is not None and not e.slopes.b.factored):
        through_tables = contraction.by_tables(e.a, e.b, g * e.channel_scale, e.slopes.a.table, e.slopes.b.table)
    if by_x is not None:
        by_x += _inputs_by_factors(e, contraction, g) if e.slopes.a.factored or through_tables is None else through_tables[0]
    if by_weight is not None:
        factored = e.slopes.b.factored or through_tables is None
        by_weight += _weights_by_factors(e, contraction, g) if factored else through_tables[1] * (e.a_scale / e.b_scale)  # type: ignore[index]
        if e.outside is not None:  # a skipped product has no error, whatever the weight
            at_zero = e.slopes.b.table[e.a_zero][e.b.int()]
            by_weight -= e.a_scale * at_zero * contraction.by_weight(e.outside.expand(e.a.shape), e.b.shape, g)


def _inputs_by_factors(e: Errors, contraction: Contraction, g: Tensor) -> Tensor:
    total = torch.zeros(e.a.shape, device=g.device)
    for p, q in zip(e.slopes.a.a, e.slopes.a.b, strict=True):
        total += p[e.a.int()] * contraction.by_input(e.a.shape, q[e.b.int()] * e.b_scale, g)
    return total


def _weights_by_factors(e: Errors, contraction: Contraction, g: Tensor) -> Tensor:
    total = torch.zeros(e.b.shape, device=g.device)
    for u, v in zip(e.slopes.b.a, e.slopes.b.b, strict=True):
        total += v[e.b.int()] * contraction.by_weight(u[e.a.int()] * e.a_scale, e.b.shape, g)
    return total
