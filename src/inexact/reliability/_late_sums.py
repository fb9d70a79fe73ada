"""Sums of a layer whose products are taken before they have settled, in the order in which the array forms them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.circuits.synthesis import late_sums
from inexact.core.errors import FaultError, near
from inexact.nn import ApproxConv2d, ApproxLayer, ApproxLinear, ApproxModel, coded_table
from inexact.reliability._stage import LateRows, taken_products

Policy = Literal["none", "te_drop", "boost"]

POLICIES = {
    "none": "registers keep what they took",
    "te_drop": "a late product is corrected in the cycle of the next product of its sum, which is left out",
    "boost": "late products are foreseen and their supply raised: no error, more energy",
}

ORDERS = ("weight_stationary", "output_stationary")

_AT_ONCE = 1 << 21  # products of an output-stationary layer


def require_policy(name: str) -> None:
    """Raise FaultError unless the policy is known."""
    if name not in POLICIES:
        raise FaultError(f"a policy must be one of {', '.join(POLICIES)}, not {name!r}{near(name, POLICIES)}")


def require_order(name: str) -> None:
    """Raise FaultError unless products come in an order that is known."""
    if name not in ORDERS:
        raise FaultError(f"products must come in the order of {' or '.join(ORDERS)}, not {name!r}{near(name, ORDERS)}")


@dataclass
class Tally:
    """Products so far: all, those that came too late, those left out for them."""

    products: int = 0
    late: int = 0
    dropped: int = 0

    @property
    def late_share(self) -> float:
        """Share of all products that came too late."""
        return self.late / self.products if self.products else 0.0


@final
class LateSums:
    """What late products add to the sums of one layer: a `Disturbance`.

    weight_stationary: row k mod `array_rows` of the array holds weight k of a sum, and meets the activations of one image output position
    by output position; registers are 0 before an image. A product left out (`te_drop`) is that of the next row; the last row has none
    after it. output_stationary: an element forms the products of one sum one after the other from registers that are 0; every transition
    of both operands that occurs is simulated, which suits small layers only.
    Raises FaultError for layers that are neither Conv2d nor Linear, whose padding is skipped, or without integers of one scale.
    """

    def __init__(self, layer: ApproxLayer, rows: LateRows, edge_ns: float, *, policy: str, order: str, array_rows: int) -> None:
        require_policy(policy)
        require_order(order)
        _require_integers(layer)
        self.layer = layer
        self.late = rows
        self.edge_ns = edge_ns
        self.policy = policy
        self.order = order
        self.array_rows = array_rows
        self.tally = Tally()

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """float64, shaped as the layer's output, for padded codes a and weight codes b."""
        codes = self.layer.arithmetic.a_patterns(a)
        images = codes.shape[0]
        windows = self.layer.unrolled(codes.float()).to(torch.uint8)  # [P, groups, K]
        stream = windows.reshape(images, -1, *windows.shape[1:]).numpy()  # [N, steps, groups, K]
        patterns = self.layer.arithmetic.b_patterns(b).flatten(1).numpy()
        self.tally.products += stream.shape[0] * stream.shape[1] * patterns.size
        stationary = self.order == "weight_stationary"
        found = self._stationary(stream, patterns) if stationary else self._streamed(stream, patterns)
        return self._shaped(torch.from_numpy(found).double(), a)

    def _stationary(self, stream: NDArray[np.uint8], patterns: NDArray[np.uint8]) -> NDArray[np.int64]:
        tables = self._made(patterns)  # anew for every batch: kept for all layers they would fill the memory
        moved = np.moveaxis(stream, 1, 3)  # [N, groups, K, steps]
        timed = np.concatenate([np.zeros((*moved.shape[:3], 1), np.uint8), moved], axis=3)
        found = late_sums(timed, tables.place[patterns], tables.late, tables.errors, tables.products, self.array_rows, drop=self._drops)
        self._count(found.late, found.dropped)
        return found.sums if self.policy != "boost" else np.zeros_like(found.sums)

    @property
    def _drops(self) -> bool:
        return self.policy == "te_drop"

    def _count(self, late: int, dropped: int) -> None:
        self.tally.late += late
        self.tally.dropped += dropped

    def _made(self, patterns: NDArray[np.uint8]) -> _Tables:
        """Dense tables of the weights there are."""
        rule = self.layer.rule
        present = np.unique(patterns)
        place = np.zeros(1 << rule.format.b_bits, np.int32)
        place[present] = np.arange(len(present))
        count = 1 << (2 * rule.format.a_bits)
        errors, late = np.zeros((len(present), count), np.int32), np.zeros((len(present), count), np.bool_)
        operands, signs = _operands(self.layer, present)
        for line, (operand, sign) in enumerate(zip(operands.tolist(), signs.tolist(), strict=True)):
            if sign == 0:
                continue
            row = self.late.row(operand, self.edge_ns)
            errors[line, row.transitions] = sign * row.errors
            late[line, row.transitions] = True
        products = np.ascontiguousarray(coded_table(rule.unit.spec, rule.coding, rule.format.b_bits)[:, present].T)
        return _Tables(place=place, errors=errors, late=late, products=products)

    def _streamed(self, stream: NDArray[np.uint8], patterns: NDArray[np.uint8]) -> NDArray[np.int64]:
        images, steps, groups, window = stream.shape
        own = len(patterns) // groups
        found = np.zeros((images, len(patterns), steps), np.int64)
        share = max(1, _AT_ONCE // (own * window))
        for image in range(images):
            for group in range(groups):
                channels = slice(group * own, (group + 1) * own)
                for start in range(0, steps, share):
                    part = slice(start, start + share)
                    found[image, channels, part] = self._sums_of(stream[image, part, group], patterns[channels]).T
        return found

    def _sums_of(self, a: NDArray[np.uint8], patterns: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Errors [steps, channels] of sums that are each formed by one element; a [steps, K], patterns [channels, K]."""
        operands, signs = _operands(self.layer, patterns)
        shape = (len(a), *patterns.shape)
        left = np.broadcast_to(a[:, None, :], shape).astype(np.int64)
        right = np.broadcast_to(operands[None], shape).astype(np.int64)
        key = (left << 8) | right
        before = np.concatenate([np.zeros_like(key[..., :1]), key[..., :-1]], axis=2)
        transitions, where = np.unique((before << 16) | key, return_inverse=True)
        old, new = transitions >> 16, transitions & 0xFFFF
        taken, right_products = taken_products(self.late.stage, (old >> 8, old & 255), (new >> 8, new & 255), [self.edge_ns])
        error = ((taken[:, 0] - right_products)[where]).reshape(shape) * signs[None]
        product = right_products[where].reshape(shape) * signs[None]
        return self._summed(error, product)

    def _summed(self, error: NDArray[np.int64], product: NDArray[np.int64]) -> NDArray[np.int64]:
        """Over the last axis, in its order."""
        if not self._drops:
            self._count(int((error != 0).sum()), 0)
            return error.sum(axis=2) if self.policy == "none" else np.zeros(error.shape[:2], np.int64)
        total = np.zeros(error.shape[:2], np.int64)
        skip = np.zeros(error.shape[:2], np.bool_)
        for k in range(error.shape[2]):
            total -= np.where(skip, product[..., k], 0)
            late = (error[..., k] != 0) & ~skip
            self._count(int(late.sum()), int(skip.sum()))
            skip = late
        return total

    def _shaped(self, sums: Tensor, a: Tensor) -> Tensor:
        """Sums [N, channels, steps] as the output for padded codes a."""
        if isinstance(self.layer, ApproxLinear):
            return sums.transpose(1, 2).reshape(*a.shape[:-1], -1)
        assert isinstance(self.layer, ApproxConv2d)
        taps, spread, stride = self.layer.weight.shape[2:], self.layer.dilation, self.layer.stride
        rows, columns = ((a.shape[2 + i] - spread[i] * (taps[i] - 1) - 1) // stride[i] + 1 for i in (0, 1))
        return sums.reshape(len(sums), -1, rows, columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tables:
    """place: of a weight pattern among the rows. late: bool, errors: int32 [rows, transitions]; products: int32 [rows, activations]."""

    place: NDArray[np.int32]
    errors: NDArray[np.int32]
    late: NDArray[np.bool_]
    products: NDArray[np.int32]


def _operands(layer: ApproxLayer, patterns: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the unit gets for weight patterns, and the sign its product then takes: 0 where the product is 0 whatever comes."""
    if layer.rule.coding != "sign_magnitude":
        return patterns.astype(np.int64), np.ones(patterns.shape, np.int64)
    half = 1 << (layer.rule.format.b_bits - 1)
    values = patterns.astype(np.int64) - np.where(patterns >= half, 2 * half, 0)
    return np.minimum(np.abs(values), half - 1), np.sign(values)


def _require_integers(layer: ApproxLayer) -> None:
    if not isinstance(layer, (ApproxConv2d, ApproxLinear)):
        raise FaultError(f"timing errors are for Conv2d and Linear layers, not for layer {layer.name}: leave it out")
    if layer.mixture is not None or layer.rule.format.system is not None or layer.rule.format.block is not None:
        raise FaultError(f"timing errors are for integers of one scale, which {layer.rule.precision} of layer {layer.name} has not")
    if layer.rule.modes != "uniform":
        raise FaultError(f"timing errors are for units of one mode, but layer {layer.name} has modes {layer.rule.modes!r}: leave them away")
    if layer.skips_padding or layer.rule.sums is not None:
        raise FaultError(
            f"timing errors are for padding that is multiplied and exact sums, but layer {layer.name} has padding={layer.rule.padding} "
            f"and accumulator={layer.rule.accumulator}: change the plan"
        )


def weight_operands(net: ApproxModel) -> list[int]:
    """The patterns of the unit's operand b that the weights of a network need."""
    found: set[int] = set()
    for layer in net.layers().values():
        if isinstance(layer, ApproxLayer):
            with torch.no_grad():
                operands, signs = _operands(layer, np.unique(layer.arithmetic.b_patterns(layer.b_codes()).numpy()))
            found |= set(operands[signs != 0].tolist())
    return sorted(found)
