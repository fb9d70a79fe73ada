"""Attention written so that every product has a name: the two of scaled dot-product attention, and `nn.MultiheadAttention` taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from inexact.core.errors import PlanError
from inexact.nn.products import Product

Multiply = Callable[[Tensor, Tensor], Tensor]


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    qk: Multiply,
    pv: Multiply,
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention as `F.scaled_dot_product_attention` defines it, its two products by `qk` and `pv`.

    Returns (output [..., L, E], weights [..., L, S]). Scale, mask, softmax and dropout are computed in float32; a query whose keys are
    all masked attends to nothing (zeros).
    """
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    scores = qk(query, key.transpose(-2, -1)) * factor
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    weights = torch.softmax(scores, -1)
    if attn_mask is not None:
        weights = weights.masked_fill((scores == -torch.inf).all(-1, keepdim=True), 0.0)
    dropped = nn.functional.dropout(weights, dropout_p) if dropout_p else weights
    return pv(dropped, value), weights


@final
class SplitAttention(nn.Module):
    """What an `nn.MultiheadAttention` computes, from layers of their own: `q_proj`, `k_proj`, `v_proj`, `qk`, `pv`, `out_proj`.

    Takes and returns what the original does, in eval mode. `in_proj_bias` is None, which keeps the encoder layers of torch off the fused
    path that would read the weights past the emulation.
    """

    in_proj_bias = None

    def __init__(self, source: nn.MultiheadAttention) -> None:
        super().__init__()
        if source.bias_k is not None or source.add_zero_attn:
            raise PlanError("nn.MultiheadAttention with add_bias_kv or add_zero_attn cannot be emulated: keep it outside the model")
        self.num_heads = source.num_heads
        self.batch_first = source.batch_first
        self.dropout = source.dropout
        if source.in_proj_weight is not None:
            weights: tuple[Tensor, ...] = source.in_proj_weight.chunk(3)
        else:
            weights = (source.q_proj_weight, source.k_proj_weight, source.v_proj_weight)
        biases = [None] * 3 if source.in_proj_bias is None else source.in_proj_bias.chunk(3)
        self.q_proj, self.k_proj, self.v_proj = (linear(w, b) for w, b in zip(weights, biases, strict=True))
        self.qk = Product()
        self.pv = Product()
        self.out_proj = linear(source.out_proj.weight, source.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(output, attention weights or None), shaped as `nn.MultiheadAttention` shapes them."""
        batched = query.dim() == 3
        if not batched:
            query, key, value = (x.unsqueeze(0) for x in (query, key, value))
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        if is_causal and attn_mask is None:
            raise RuntimeError("is_causal=True needs attn_mask, as nn.MultiheadAttention does")
        q, k, v = self._heads(self.q_proj(query)), self._heads(self.k_proj(key)), self._heads(self.v_proj(value))
        mask = self._mask(attn_mask, key_padding_mask, len(query), q)
        dropout = self.dropout if self.training else 0.0
        mixed, weights = attend(q, k, v, mask, dropout, qk=self.qk, pv=self.pv)
        output: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        shown = weights.mean(1) if average_attn_weights else weights
        if not batched:
            return output.squeeze(0), shown.squeeze(0) if need_weights else None
        return output if self.batch_first else output.transpose(0, 1), shown if need_weights else None

    def _heads(self, x: Tensor) -> Tensor:
        """[N, L, E] as [N, heads, L, E / heads]."""
        return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)

    def _mask(self, attn_mask: Tensor | None, padding: Tensor | None, batch: int, like: Tensor) -> Tensor | None:
        """Both masks as one addend to the scores, broadcastable to [N, heads, L, S]."""
        total = None if attn_mask is None else _addend(attn_mask, like)
        if total is not None and total.dim() == 3:
            total = total.reshape(batch, self.num_heads, *total.shape[1:])
        if padding is None:
            return total
        hidden = _addend(padding if padding.dim() == 2 else padding[None], like)[:, None, None, :]
        return hidden if total is None else total + hidden


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """An `nn.Linear` that holds copies of these values."""
    with torch.device("meta"):  # no draw from the caller's generator
        empty = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)
    layer: nn.Linear = empty.to_empty(device=weight.device)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def _addend(mask: Tensor, like: Tensor) -> Tensor:
    """A mask of nn.MultiheadAttention (True hides) as numbers to add."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill_(mask, -torch.inf)
