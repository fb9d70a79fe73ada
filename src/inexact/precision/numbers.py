"""Small floats, posits and logarithms: operands are the nearest numbers of a system, after one scale a tensor or channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, near
from inexact.core.numbers import SYSTEMS
from inexact.core.workload import Coding
from inexact.precision._base import Format, formats
from inexact.precision._calibration import Observer, check_method, ranges, remembered
from inexact.precision._quantiser import Grid, Quantiser

OPERANDS = tuple(name for name, system in SYSTEMS.items() if system.width <= 8)
"""Systems of at most 8 bits, which layers can compute with."""


SEARCHED = 1 << 15
"""Values of a tensor or channel that a scale is searched on."""


@formats.register("number")
@final
@dataclass(frozen=True, kw_only=True)
class Number(Format):
    """Weights and activations are numbers of one system, times a scale: one a tensor for activations, one an output channel for weights.

    system: e4m3, e5m2 (FP8), e3m2, e2m3 (FP6), e2m1 (FP4), posit8_0, posit8_1, posit8_2 (es = 2, that of the standard) or lns8; its name
    alone is a spec too. The value is divided by the scale in float32 and rounded to the nearest number, ties to the even code; beyond the
    largest it saturates. Products are added exactly (a fixed-point register wide enough for all of them), the sum is rounded once.
    calibration, weight_calibration: how scales are found: "minmax" (the largest value becomes the largest number), "percentile" of the
    values, "mse" (of powers of the square root of two times that, the scale of least squared error; where precision is tapered, the
    values come to lie around 1). percentile: share kept on each side, in percent, 50..100.

    Reference: P. Micikevicius et al., FP8 formats for deep learning, 2022, arXiv:2209.05433; Standard for Posit Arithmetic, 2022;
    J. Johnson, Rethinking floating point for deep learning, 2018, arXiv:1811.01721 (exact accumulation of short floats, posits and logs)
    """

    system: str = "e4m3"
    calibration: str = "mse"
    weight_calibration: str = "mse"
    percentile: float = 99.99

    def __post_init__(self) -> None:
        if self.system not in OPERANDS:
            raise SpecError(f"system must be one of {', '.join(OPERANDS)}, not {self.system!r}{near(str(self.system), OPERANDS)}")
        check_method(self.calibration)
        check_method(self.weight_calibration)
        if not 50 < self.percentile <= 100:
            raise SpecError(f"percentile must be above 50 and at most 100, not {self.percentile!r}")

    def short_name(self) -> str | None:
        """The system's name when only that is chosen."""
        return self.system if self == Number(system=self.system) else None

    @property
    def a_bits(self) -> int:  # type: ignore[override]  # of a code
        """Of a code."""
        return SYSTEMS[self.system].width

    @property
    def b_bits(self) -> int:  # type: ignore[override]  # of a code
        """Of a code."""
        return SYSTEMS[self.system].width

    @cached_property
    def a_grid(self) -> Grid:
        """Codes are ranks of numbers."""
        return grid_of(self.system)

    @property
    def b_grid(self) -> Grid:
        """The same."""
        return self.a_grid

    @property
    def integer_output(self) -> bool:
        """Never."""
        return False

    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """One scale for the tensor."""
        low, high, rows = observer.rows()
        return self._scaled(low, high, rows, (), self.calibration)

    def right_activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """As `activations`."""
        return self.activations(observer, coding)

    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """One scale an output channel; weight [O, …]."""
        rows = weight.detach().float().cpu().reshape(weight.shape[0], -1)
        low, high = rows.double().aminmax(dim=1)
        return self._scaled(low, high, rows, self.scale_shape(weight), self.weight_calibration)

    def scale_shape(self, weight: Tensor) -> tuple[int, ...]:
        """[-1, 1, …]: one an output channel."""
        return (-1, *[1] * (weight.dim() - 1))

    def outputs(self, observer: Observer) -> Quantiser:
        """As activations; outputs are not requantised here."""
        return self.activations(observer, "signed")

    def _scaled(self, low: Tensor, high: Tensor, rows: Tensor, shape: tuple[int, ...], method: str) -> Quantiser:
        lows, highs = ranges(low, high, rows, method="minmax" if method == "mse" else method, percentile=self.percentile)
        scale = torch.maximum(-lows, highs) / self.a_grid.values[-1]
        scale = torch.where(scale > 0, scale, 1.0)
        if method == "mse":
            scale, _ = remembered((self.system,), (low, high, rows), lambda: (self._best(scale, rows), highs))
        return self._quantiser(scale.float().reshape(shape))

    def _best(self, plain: Tensor, rows: Tensor) -> Tensor:
        steps = range(-2, 2 * math.ceil(math.log2(self.a_grid.values[-1])) + 1)
        rows = rows[:, :: max(1, rows.shape[1] // SEARCHED)]
        tried = [plain * 2 ** (step / 2) for step in steps]
        errors = []
        for scale in tried:
            quantiser = self._quantiser(scale.float()[:, None])
            errors.append((quantiser.dequantise(quantiser.quantise(rows)) - rows).square().mean(1))
        return torch.stack(tried).gather(0, torch.stack(errors).argmin(0)[None])[0]

    def _quantiser(self, scale: Tensor) -> Quantiser:
        top = self.a_grid.codes[-1]
        return Quantiser(scale, torch.zeros_like(scale), -top, top, self.a_grid)


def grid_of(system: str) -> Grid:
    """The sizes of a number system by rank."""
    numbers = SYSTEMS[system]
    return Grid(tuple(range(len(numbers.sizes))), tuple(numbers.sizes.tolist()), numbers.limits)
