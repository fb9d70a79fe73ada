"""A reduction at work in an emulated layer: what it sees, its thresholds, and the work that is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn

from inexact.core.errors import FormatError, PlanError
from inexact.reduction import Prediction, Reduction, Work, reductions

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer

SHARES = tuple(field.name for field in fields(Work))
"""Fields of `Work` in the order of the buffer that sums them up."""


@final
class Reducer(nn.Module):
    """The reduction of one layer.

    Buffers: threshold float64 [O], of a prediction; work float64, sums of the fields of `Work` over batches and their weight.
    """

    threshold: Tensor
    work: Tensor

    def __init__(self, spec: str, channels: int) -> None:
        super().__init__()
        self.reduction: Reduction = reductions.get(spec)
        unknown = torch.nan if isinstance(self.reduction, Prediction) else 0.0  # others have none, and files of weights hold numbers
        self.register_buffer("threshold", torch.full((channels,), unknown, dtype=torch.float64))
        self.register_buffer("work", torch.zeros(len(SHARES) + 1, dtype=torch.float64))
        self.counting = False
        self.fitting = False
        self.waiting = False
        self._seen: list[tuple[Tensor, Tensor]] = []

    @property
    def changes(self) -> bool:
        """Whether every batch must pass through it."""
        return self.reduction.changes or self.counting

    def apply_to(self, layer: ApproxLayer, codes: Tensor, result: Tensor) -> Tensor:
        """The layer's output under the reduction, for input codes before padding; counts its work, or collects scores, when asked to."""
        view = LayerView(layer, codes, result)
        if self.fitting and isinstance(self.reduction, Prediction):
            self._seen.append((self.reduction.scores(view).cpu(), view.result.cpu()))
            return result
        if self.waiting:
            return result  # its turn comes once the layers before it have their thresholds
        if isinstance(self.reduction, Prediction) and bool(self.threshold.isnan().any()):
            raise FormatError(
                f"the threshold of {self.reduction.spec} in layer {layer.name} must be calibrated: give `calibrate=` to approximate()"
            )
        reduced = self.reduction.reduce(view, self.threshold)
        if self.counting:
            self._add(self.reduction.work(view, self.threshold, reduced), result.numel())
        return view.shaped(reduced) if self.reduction.changes else result

    def fit(self) -> None:
        """Fix the thresholds by what was collected."""
        if isinstance(self.reduction, Prediction) and self._seen:
            scores, results = (torch.cat(parts, 1) for parts in zip(*self._seen, strict=True))
            self.threshold.copy_(self.reduction.thresholds(scores, results))
        self._seen = []

    def begin_counting(self) -> None:
        """Forget what was counted, and count what comes."""
        self.work.zero_()
        self.counting = True

    def _add(self, work: Work, outputs: int) -> None:
        shares = torch.tensor([*(getattr(work, name) for name in SHARES), 1.0], dtype=torch.float64)
        self.work += (shares * outputs).to(self.work.device)

    @property
    def measured(self) -> Work:
        """The mean over what was counted; full work when nothing was."""
        *sums, whole = self.work.tolist()
        return Work(**{name: value / whole for name, value in zip(SHARES, sums, strict=True)}) if whole else Work()

    def extra_repr(self) -> str:
        """The spec."""
        return self.reduction.spec


@final
class LayerView:
    """See `reduction.View`; codes: of the input before padding."""

    def __init__(self, layer: ApproxLayer, codes: Tensor, result: Tensor) -> None:
        self.layer = layer
        self.shape = result.shape
        self.result = layer.channels_first(result)
        self.inputs = codes - layer.a_zero
        self._values, self._b = layer.padded(self.inputs), layer.b_codes()
        self._scale = layer.scale()
        bias = torch.zeros_like(self._scale) if layer.bias is None else layer.bias.detach().double() / self._scale
        self.offset = bias - layer.fold.double()
        self.groups = layer.contraction_groups
        self.coding: str = layer.rule.coding
        self.stored_bits = layer.rule.format.stored_bits
        self.width = (layer.rule.format.a_bits, layer.rule.format.b_bits)

    @classmethod
    def of(cls, layer: ApproxLayer, x: Tensor, result: Tensor) -> LayerView:
        """For float32 inputs."""
        return cls(layer, layer.a_quantiser().quantise(x), result)

    def windows(self) -> Iterator[tuple[slice, Tensor]]:
        """Group by group."""
        unrolled = self.layer.unrolled(self._values)  # [P, groups, K]
        size = self._b.shape[0] // self.groups
        for group in range(self.groups):
            yield slice(group * size, (group + 1) * size), unrolled[:, group]

    def weights(self, channels: slice) -> Tensor:
        """Codes without zero point."""
        b = self._b - self.layer.b_zero
        return b[channels].reshape(b[channels].shape[0], -1)

    def zero_points(self, channels: slice) -> tuple[Tensor, Tensor]:
        """Those of the layer."""
        b_zero = self.layer.b_zero.reshape(-1, 1)
        return self.layer.a_zero, b_zero if len(b_zero) == 1 else b_zero[channels]

    def products(self, a: Tensor, channels: slice) -> Tensor:
        """Exact products, or those of the table (zero points are 0 there, see `check`)."""
        if self.layer.rule.exact:
            return a[:, None, :] * self.weights(channels)
        patterns = self.layer.arithmetic.b_patterns(self._b)[channels].reshape(len(self._b[channels]), -1).long()
        rows = self.layer.arithmetic.a_patterns(a).long()
        return self.layer.table[rows[:, None, :], patterns].float()

    def partial_sums(self, a: Tensor, channels: slice, taps: Tensor) -> Tensor:
        """A matrix product for exact units, look-ups else."""
        if self.layer.rule.exact:
            b = self.weights(channels)
            return (a @ (b * torch.zeros_like(b).scatter_(1, taps, 1.0)).T).double()
        patterns = self.layer.arithmetic.b_patterns(self._b)[channels].reshape(len(taps), -1).long().gather(1, taps)
        rows = self.layer.arithmetic.a_patterns(a).long()
        found = [self.layer.table[rows[:, taps[o]], patterns[o]].sum(1, dtype=torch.float64) for o in range(len(taps))]
        return torch.stack(found, 1)

    def outputs(self, sums: Tensor, channels: slice) -> Tensor:
        """Corrected, scaled and with the bias, step by step as the layer does it."""
        layer = self.layer
        corrected = (sums - layer.fold[channels].double()[:, None]) * self._scale[channels][:, None]
        return corrected.float() if layer.bias is None else corrected.float() + layer.bias.detach()[channels][:, None]

    def image(self, values: Tensor) -> Tensor:
        """[N, O, H, W]; a layer without rows and columns is refused."""
        if len(self.shape) != 4:
            raise FormatError(
                f"{self.layer.rule.reduction} in layer {self.layer.name} goes by neighbouring outputs, which need rows and columns, and "
                "the layer has none; leave the layer's reduction away"
            )
        return values.reshape(self.shape[1], self.shape[0], *self.shape[2:]).transpose(0, 1)

    def flat(self, values: Tensor) -> Tensor:
        """[O, P]."""
        return self.layer.channels_first(values)

    def shaped(self, values: Tensor) -> Tensor:
        """[O, P] as the layer's output."""
        if len(self.shape) == 4:
            return self.image(values).contiguous()
        return values.T.reshape(self.shape).contiguous()


def check(layer: ApproxLayer) -> None:
    """Raise PlanError when the layer's rule and the reduction do not go together."""
    assert layer.reducer is not None
    reduction, rule = layer.reducer.reduction, layer.rule
    if reduction.integers_only and (rule.format.system, rule.format.block) != (None, None):
        raise PlanError(
            f"{reduction.spec} in layer {layer.name} adds products of integers of one scale, which {rule.precision} has not: take int"
        )
    if rule.wide and (reduction.changes or reduction.skips_zeros):
        raise PlanError(f"{reduction.spec} in layer {layer.name} looks products up in a table, which {rule.unit.spec} is too wide for")
    if reduction.needs_signs and rule.coding == "unsigned":
        raise PlanError(
            f"{reduction.spec} in layer {layer.name} must see products with signs: use coding 'signed' or 'sign_magnitude', not 'unsigned'"
        )
    if reduction.needs_weight_zero and rule.coding == "unsigned":
        raise PlanError(
            f"{reduction.spec} in layer {layer.name} leaves out weights of value 0, whose code must be 0: use coding 'signed' or "
            "'sign_magnitude', not 'unsigned'"
        )
    if (reduction.skips_zeros or reduction.exact_units_only) and not rule.exact:
        if reduction.exact_units_only:
            raise PlanError(
                f"{reduction.spec} in layer {layer.name} does not form whole products one by one, which only an exact unit allows"
            )
        if rule.coding == "unsigned":
            raise PlanError(
                f"{reduction.spec} in layer {layer.name} leaves products with zero out, but under unsigned coding {rule.unit.spec} "
                "multiplies codes whose zero is elsewhere: use coding 'signed' or 'sign_magnitude'"
            )
    if min(rule.format.a_bits, rule.format.b_bits) < reduction.least_width:
        raise PlanError(
            f"{reduction.spec} in layer {layer.name} must have operands of at least {reduction.least_width} bits, not "
            f"{rule.format.a_bits} and {rule.format.b_bits}"
        )
    if reduction.changes and rule.format.integer_output:
        raise PlanError(f"{reduction.spec} in layer {layer.name} must have float requantisation; leave requantisation=integer away")


def check_calibrated(layer: ApproxLayer, lowest: float) -> None:
    """Raise PlanError when the activations a layer saw, the least of them `lowest`, do not allow its reduction."""
    assert layer.reducer is not None
    reduction = layer.reducer.reduction
    if reduction.needs_signs and lowest < 0:
        raise PlanError(
            f"{reduction.spec} in layer {layer.name} must have activations that are not negative, but calibration saw negative ones"
        )


def gate_zeros(layer: ApproxLayer) -> None:
    """Take products with a zero out of the table of a unit that makes something else of them."""
    assert layer.reducer is not None
    if layer.reducer.reduction.skips_zeros and layer.table.numel() and not layer.rule.exact:
        layer.table[0, :] = 0
        layer.table[:, 0] = 0
