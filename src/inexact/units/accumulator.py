"""The accumulator of a processing element: which adder sums the products, in how many bits, what overflow does, and in which order."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from inexact.core.accumulation import Accumulation
from inexact.core.errors import FormatError, SpecError, UnknownNameError, near, require_range
from inexact.core.registry import parse_call
from inexact.units._base import Adder, Integers, adders

NARROWEST, WIDEST = 2, 32
OVERFLOWS = ("wrap", "saturate")
ORDERS = {"sequential": "", "tree": "radix", "systolic": "rows"}
"""Order -> its parameter."""
MOST_ROWS, MOST_LANES = 4096, 256


@final
@dataclass(frozen=True, kw_only=True)
class Accumulator:
    """A two's complement accumulator that starts at 0 and takes the products of one output through an adder.

    adder: spec or adder; a spec without a width gets the accumulator's. width: bits, 2..32.
    overflow: "wrap" (modulo 2**width) or "saturate".
    order: "sequential" (one product after another), "tree(radix=R)" (R products, a power of two, through a balanced tree of adders, its sum
    into the accumulator) or "systolic(rows=R)" (R products along a column of adders, its sum into the accumulator).
    Products are sign-extended; the adder works on bit patterns, and its carry out is dropped. With "saturate" a sum whose sign differs
    from that of two operands of equal sign becomes the greatest or least value. The running sum is the adder's operand a. Lanes and rows
    that the last group leaves idle add a product of 0.

    >>> Accumulator.get("accumulator(adder=loa(low=4),width=20)").total(np.array([[15, 15]]))
    array([31])
    """

    adder: str | Adder = "exact_adder"
    width: int = 32
    overflow: str = "wrap"
    order: str = "sequential"

    def __post_init__(self) -> None:
        require_range("accumulator width", self.width, NARROWEST, WIDEST)
        if self.overflow not in OVERFLOWS:
            raise SpecError(f"overflow must be wrap or saturate, not {self.overflow!r}{near(str(self.overflow), OVERFLOWS)}")
        object.__setattr__(self, "adder", _fitting(self.adder, self.width).spec)
        object.__setattr__(self, "order", _written_order(*_read_order(self.order)))

    @classmethod
    def get(cls, spec: str | Accumulator) -> Accumulator:
        """The accumulator a spec such as `"accumulator(adder=loa(low=8),width=24,overflow=saturate,order=systolic(rows=16))"` describes.

        An accumulator is returned as it is. Raises SpecError for malformed specs and values out of range.
        """
        if isinstance(spec, Accumulator):
            return spec
        if not isinstance(spec, str):
            raise SpecError(f"an accumulator must be a spec 'accumulator(adder=…,width=…)', not {spec!r}")
        call = parse_call(spec)
        if not isinstance(call.func, ast.Name) or call.func.id != "accumulator" or call.args:
            raise SpecError(f"an accumulator must be written 'accumulator(adder=…,width=…,overflow=…,order=…)', not {spec!r}")
        fields = [field.name for field in dataclasses.fields(cls)]
        values: dict[str, Any] = {}
        for keyword in call.keywords:
            if keyword.arg not in fields:
                raise SpecError(
                    f"accumulator has no parameter {keyword.arg!r}{near(str(keyword.arg), fields)} Parameters: {', '.join(fields)}"
                )
            values[keyword.arg] = _value(keyword.value)
        return cls(**values)

    @property
    def spec(self) -> str:
        """Canonical spec; `Accumulator.get(a.spec) == a`."""
        parts = [f"adder={self.adder}", f"width={self.width}"]
        parts += [f"{name}={value}" for name, value, usual in self._choices() if value != usual]
        return f"accumulator({','.join(parts)})"

    def _choices(self) -> list[tuple[str, str, str]]:
        return [("overflow", self.overflow, "wrap"), ("order", self.order, "sequential")]

    def __str__(self) -> str:
        return self.spec

    @cached_property
    def unit(self) -> Adder:
        """The adder."""
        return adders.get(self.adder)

    @property
    def value_range(self) -> tuple[int, int]:
        """Least and greatest value it holds."""
        return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1

    @property
    def accumulation(self) -> Accumulation:
        """The same as data for the engines."""
        kind, size = _read_order(self.order)
        rule, saturate = self.unit.bit_rule(), self.overflow == "saturate"
        return Accumulation(rule=rule, add=self.unit.approx, width=self.width, saturate=saturate, chained=kind == "systolic", group=size)

    def add(self, a: Integers, b: Integers) -> Integers:
        """One addition of values within `value_range`, int64 arrays of one shape: the adder, then wrapping or saturation."""
        mask = (1 << self.width) - 1
        total = self.unit.approx(a & mask, b & mask) & mask
        total = np.where(total >> (self.width - 1) == 1, total - (1 << self.width), total)
        if self.overflow == "saturate":
            low, high = self.value_range
            overflown = ((a ^ total) & (b ^ total)) < 0
            total = np.where(overflown, np.where(a < 0, low, high), total)
        return total

    @property
    def group(self) -> int:
        """Products that come with each addition into the register."""
        return _read_order(self.order)[1]

    def total(self, products: ArrayLike, after: Callable[[Integers, int], Integers] | None = None) -> Integers:
        """Sums of products [..., K] along the last axis, int64 [...]: the definition, one addition at a time.

        after: what the register holds from then on, given its values [...] and the number of additions into it so far.
        Raises FormatError for a product outside `value_range`.
        """
        products = np.asarray(products).astype(np.int64)
        low, high = self.value_range
        if products.size and (int(products.min()) < low or int(products.max()) > high):
            raise FormatError(
                f"an accumulator of {self.width} bits must hold every product ({low}..{high}), "
                f"but they reach {int(products.min())}..{int(products.max())}; widen it"
            )
        kind, size = _read_order(self.order)
        total = np.zeros(products.shape[:-1], np.int64)
        for start in range(0, products.shape[-1], size):
            group = [products[..., k] if k < products.shape[-1] else np.zeros_like(total) for k in range(start, start + size)]
            total = self.add(total, self._column(group) if kind == "systolic" else self._tree(group))
            total = total if after is None else after(total, start // size + 1)
        return total

    def _column(self, group: list[Integers]) -> Integers:
        total = np.zeros_like(group[0])
        for product in group:
            total = self.add(total, product)
        return total

    def _tree(self, group: list[Integers]) -> Integers:
        while len(group) > 1:
            group = [self.add(left, right) for left, right in zip(group[::2], group[1::2], strict=True)]
        return group[0]


def _fitting(adder: object, width: int) -> Adder:
    """The adder, of the accumulator's width."""
    if isinstance(adder, str):
        call = parse_call(adder)
        if not any(keyword.arg == "width" for keyword in call.keywords):
            call.keywords.append(ast.keyword(arg="width", value=ast.Constant(width)))
            adder = ast.unparse(call)
        adder = adders.get(adder)
    if not isinstance(adder, Adder):
        raise SpecError(f"adder must be an adder or its spec such as 'loa(low=8)', not {adder!r}")
    if adder.width != (width, width):
        raise SpecError(
            f"the adder must be as wide as the accumulator ({width} bits), not {adder.width[0]} bits ({adder.spec}); give both one width"
        )
    return adder


def _read_order(order: object) -> tuple[str, int]:
    """Order and size of a group."""
    if not isinstance(order, str):
        raise SpecError(f"order must be sequential, tree(radix=…) or systolic(rows=…), not {order!r}")
    call = parse_call(order)
    kind = call.func.id if isinstance(call.func, ast.Name) else ""
    if kind not in ORDERS:
        raise UnknownNameError(f"order must be sequential, tree(radix=…) or systolic(rows=…), not {order!r}{near(kind, ORDERS)}")
    given = {keyword.arg: _value(keyword.value) for keyword in call.keywords}
    wanted = ORDERS[kind]
    if call.args or set(given) != ({wanted} if wanted else set()):
        raise SpecError(f"order {kind} must be written '{_written_order(kind, 16)}', not {order!r}")
    if not wanted:
        return kind, 1
    size = given[wanted]
    require_range(f"{wanted} of {kind}", size, 1, MOST_LANES if kind == "tree" else MOST_ROWS)
    if kind == "tree" and size & (size - 1):
        raise SpecError(f"radix of tree must be a power of two, as its adders have two operands, not {size}")
    return kind, size


def _written_order(kind: str, size: int) -> str:
    return f"{kind}({ORDERS[kind]}={size})" if ORDERS[kind] else kind


def _value(node: ast.expr) -> Any:
    """A number or a name; a nested spec as text, whether quoted or not."""
    return node.value if isinstance(node, ast.Constant) else ast.unparse(node)
