"""A combinational Trojan of a multiplier: a trigger on rare operands, and what it does to the product then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Builder, Circuit, Wires
from inexact.core.errors import SpecError

Integers = NDArray[np.int64]
Action = Literal["flip", "set", "clear"]


@final
@dataclass(frozen=True, kw_only=True)
class Cube:
    """The operands whose bits under `care_a`, `care_b` are those of `value_a`, `value_b`: one AND of literals."""

    care_a: int
    value_a: int
    care_b: int
    value_b: int

    @property
    def literals(self) -> int:
        """Operand bits that are compared."""
        return self.care_a.bit_count() + self.care_b.bit_count()

    def covers(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """bool [2**wa, 2**wb], by bit pattern: the operands that trigger."""
        rows, columns = np.arange(shape[0]), np.arange(shape[1])
        first, second = rows & self.care_a == self.value_a & self.care_a, columns & self.care_b == self.value_b & self.care_b
        return np.asarray(first[:, None] & second, dtype=np.bool_)

    def place(self, b: Builder, x: Wires, y: Wires) -> int:
        """The wire that is one when the operands trigger: a balanced tree of ANDs."""
        level = [*_literals(b, x, self.care_a, self.value_a), *_literals(b, y, self.care_b, self.value_b)]
        if not level:
            raise SpecError("a trigger must compare at least one operand bit; give care bits")
        while len(level) > 1:
            level = [b.and_(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
        return level[0]


def _literals(b: Builder, word: Wires, care: int, value: int) -> list[int]:
    return [wire if value >> place & 1 else b.not_(wire) for place, wire in enumerate(word) if care >> place & 1]


@final
@dataclass(frozen=True, kw_only=True)
class Payload:
    """What a triggered product suffers: the bits of `mask` are flipped, set or cleared."""

    action: Action
    mask: int

    def applied(self, products: Integers, width: int, *, signed: bool) -> Integers:
        """Products with the payload; `width`: bits of the product."""
        patterns = products & ((1 << width) - 1)
        patterns = {"flip": patterns ^ self.mask, "set": patterns | self.mask, "clear": patterns & ~self.mask}[self.action]
        return patterns - ((patterns >> (width - 1)) << width) if signed else patterns

    def place(self, b: Builder, trigger: int, word: Sequence[int]) -> Wires:
        """The product's wires with the payload's gates: one a bit, and an inverter for `clear`."""
        stays = b.not_(trigger) if self.action == "clear" else trigger
        gate = {"flip": b.xor_, "set": b.or_, "clear": b.and_}[self.action]
        return tuple(gate(wire, stays) if self.mask >> place & 1 else wire for place, wire in enumerate(word))


@final
@dataclass(frozen=True, kw_only=True)
class Trojan:
    """Trigger and payload."""

    trigger: Cube
    payload: Payload

    def circuit(self, host: Circuit) -> Circuit:
        """The host's netlist with the Trojan's gates and the same buses. Raises SpecError for a host that is no multiplier."""
        if len(host.inputs) != 2 or len(host.outputs) != 1:
            raise SpecError(f"a Trojan needs a host of two operands and one result, not {host!r}")
        b = Builder(f"{host.name}_trojan")
        words = [b.input(bus.name, bus.width, signed=bus.signed) for bus in host.inputs]
        product = b.include(host, *words)[0]
        result = self.payload.place(b, self.trigger.place(b, *words), product)
        b.output(host.outputs[0].name, result, signed=host.outputs[0].signed)
        return b.build()

    def table(self, host: NDArray[np.int32], width: int, *, signed: bool) -> Integers:
        """int64, the host's table with the Trojan; `width`: bits of the host's product."""
        table = host.astype(np.int64)
        return np.where(self.trigger.covers(table.shape), self.payload.applied(table, width, signed=signed), table)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        cube = self.trigger
        trigger = {name: getattr(cube, name) for name in ("care_a", "value_a", "care_b", "value_b", "literals")}
        return {"trigger": trigger, "payload": {"action": self.payload.action, "mask": self.payload.mask}}
