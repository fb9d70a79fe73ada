"""Block formats: successive channels share a power of two (block floating point, and the microscaling formats of the OCP)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from inexact.core.errors import SpecError, near, require_range
from inexact.core.numbers import SYSTEMS, SmallFloat
from inexact.core.workload import Coding
from inexact.precision._base import NAMED, Format, formats
from inexact.precision._calibration import Observer
from inexact.precision._quantiser import Quantiser
from inexact.precision.numbers import grid_of

FLOATS = tuple(name for name, system in SYSTEMS.items() if isinstance(system, SmallFloat) and system.width <= 8)
SCALE_BITS = 8
LARGEST_SCALE = 127


@formats.register("block")
@final
@dataclass(frozen=True, kw_only=True)
class Block(Format):
    """`size` successive channels of a position share a scale 2**e; elements are integers or small floats.

    element: int2..int8 (symmetric, `bits - 2` bits behind the point) or e4m3, e5m2, e3m2, e2m3, e2m1. size: 1..1024 channels of one group
    at one position of the image or kernel; what is left over at the end is a shorter block. Names of the OCP's formats are specs too:
    mxint8, mxfp8_e4m3, mxfp8_e5m2, mxfp6_e3m2, mxfp6_e2m3, mxfp4_e2m1 (size 32).
    e is floor(log2(largest magnitude)) minus the exponent of the element's largest power of two, within -127..127; the element nearest to
    value / 2**e is taken, ties to the even code, saturating. Nothing is calibrated. In a sum, products of one block are added exactly,
    scaled and rounded to float32; blocks are added in float32, over kernel rows, then columns, then blocks of channels.

    Reference: OCP Microscaling Formats (MX) specification v1.0, 2023; B. Rouhani et al., Microscaling data formats for deep learning,
    2023, arXiv:2310.10537
    """

    element: str = "int8"
    size: int = 32

    def __post_init__(self) -> None:
        known = (*(f"int{bits}" for bits in range(2, 9)), *FLOATS)
        if self.element not in known:
            raise SpecError(f"element must be one of {', '.join(known)}, not {self.element!r}{near(str(self.element), known)}")
        require_range("size", self.size, 1, 1024)

    def short_name(self) -> str | None:
        """The OCP's name for blocks of 32."""
        return next((name for name, call in NAMED.items() if self.size == 32 and call == f"block(element={self.element})"), None)

    @property
    def system(self) -> str | None:
        """That of the elements; None for integers."""
        return None if self.element.startswith("int") else self.element

    @property
    def block(self) -> int:
        """Channels of a block."""
        return self.size

    @cached_property
    def a_bits(self) -> int:  # type: ignore[override]  # of an element
        """Of an element."""
        return int(self.element[3:]) if self.system is None else SYSTEMS[self.element].width

    @property
    def b_bits(self) -> int:  # type: ignore[override]  # of an element
        """Of an element."""
        return self.a_bits

    @property
    def integer_output(self) -> bool:
        """Never."""
        return False

    @cached_property
    def top_exponent(self) -> int:
        """Exponent of the largest power of two an element can be."""
        if self.system is None:
            return 0
        return int(torch.frexp(torch.tensor(SYSTEMS[self.element].sizes[-1])).exponent) - 1

    @property
    def element_step(self) -> float:
        """What an element of code 1 stands for; of integers."""
        return 2.0 ** (2 - self.a_bits) if self.system is None else 1.0

    def elements(self) -> Quantiser:
        """Values, divided by their block's scale, to codes."""
        unit, zero = torch.tensor(self.element_step), torch.tensor(0.0)
        if self.system is None:
            top = 2 ** (self.a_bits - 1) - 1
            return Quantiser(unit, zero, -top, top)
        grid = grid_of(self.element)
        return Quantiser(unit, zero, -grid.codes[-1], grid.codes[-1], grid)

    def split(self, values: Tensor, groups: int = 1) -> tuple[Tensor, Tensor]:
        """Codes, shaped as `values` [N, groups x channels, …], and exponents of the blocks, float32 [N, groups, blocks, …]."""
        n, channels, *rest = values.shape
        each = channels // groups
        blocks = -(-each // self.size)
        grouped = values.reshape(n, groups, each, -1)
        whole = functional.pad(grouped, (0, 0, 0, blocks * self.size - each)).reshape(n, groups, blocks, self.size, -1)
        peak = whole.abs().amax(3)
        exponent = torch.frexp(peak).exponent.float() - 1 - self.top_exponent
        exponent = torch.where(peak > 0, exponent, -LARGEST_SCALE).clamp(-LARGEST_SCALE, LARGEST_SCALE)
        codes = self.elements().quantise(torch.ldexp(whole, -exponent[:, :, :, None].int()))
        codes = codes.reshape(n, groups, blocks * self.size, -1)[:, :, :each]
        return codes.reshape(values.shape), exponent.reshape(n, groups, blocks, *rest)

    def restored(self, values: Tensor, groups: int = 1) -> Tensor:
        """What is left of values [N, C, …], float32."""
        codes, exponent = self.split(values, groups)
        each = values.shape[1] // groups
        scale = exponent.repeat_interleave(self.size, dim=2)[:, :, :each].reshape(values.shape)
        return torch.ldexp(self.elements().dequantise(codes), scale.int())

    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """Of elements: scales are found block by block as values come."""
        return self.elements()

    def right_activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """Of elements."""
        return self.elements()

    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """Of elements."""
        return self.elements()

    def scale_shape(self, weight: Tensor) -> tuple[int, ...]:
        """()."""
        return ()

    def outputs(self, observer: Observer) -> Quantiser:
        """Of elements."""
        return self.elements()
