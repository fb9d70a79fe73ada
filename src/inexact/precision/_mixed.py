"""Formats whose operands do not all have one width or scale: what they need to see of a layer, and what they ask of hardware."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Protocol

from torch import Tensor

from inexact.core.errors import FormatError
from inexact.core.workload import CODINGS, Arithmetic, Coding
from inexact.precision._base import Format
from inexact.precision._calibration import Observer
from inexact.precision._quantiser import Grid, Quantiser


class Codes(Protocol):
    """One batch of a layer as a mixed format sees it.

    values: float32 inputs of the layer. inputs: their codes; a: the same with padding; a_zero: the code of 0. b: weight codes [O, …].
    threshold: what `MixedFormat.threshold` found.
    """

    values: Tensor
    inputs: Tensor
    a: Tensor
    a_zero: Tensor
    b: Tensor
    threshold: float
    coding: Coding

    def padded(self, plane: Tensor) -> Tensor:
        """A plane over the inputs with the layer's padding."""

    def products(self, a: Tensor, b: Tensor) -> float:
        """The sum of a b over every product the layer forms; a shaped as the padded input, b as the weight."""


class MixedFormat(Format):
    """A format of operands that differ in width or scale. Its products and sums are exact; what it costs follows from shares that are
    counted on calibration inputs.

    scheme: what elements must have, see `core.workload.SCHEMES`. codings: those it has a meaning under. shares: names of what it counts.
    splits: whether its products are not those of its codes. needs_image: rows and columns. needs_zero: that 0 has the code 0.
    filtered: additions that it takes for each input to tell inputs apart.
    """

    scheme: ClassVar[str]
    codings: ClassVar[tuple[Coding, ...]] = CODINGS
    shares: ClassVar[tuple[str, ...]]
    splits: ClassVar[bool] = False
    needs_image: ClassVar[bool] = False
    needs_zero: ClassVar[bool] = False
    filtered: ClassVar[int] = 0

    @property
    def integer_output(self) -> bool:
        """Never."""
        return False

    def right_activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """There are none. Raises FormatError."""
        raise FormatError(f"{self.spec} is for layers with weights, and this product has none: give it another precision")

    def activation_grid(self, coding: Coding) -> Grid | None:
        """The sizes that codes of activations may have; None when all may be."""
        return None

    def observer(self) -> Observer:
        """What looks at the float32 inputs of a layer in calibration."""
        return Observer()

    def threshold(self, observer: Observer) -> float:
        """What tells the inputs of a layer apart, where something beside their codes does."""
        return 0.0

    def parts(self, codes: Codes) -> tuple[tuple[Tensor, Tensor], ...] | None:
        """Operands (a less its zero point, b) whose sums of products add up to the layer's; None where codes say it all."""
        return None

    @abstractmethod
    def counted(self, codes: Codes) -> tuple[float, ...]:
        """The shares in one batch, 0..1 each."""

    @abstractmethod
    def charged(self, found: Mapping[str, float], coding: Coding) -> Arithmetic:
        """What hardware is asked for, given the shares by name; accumulator and correction are left at their defaults."""
