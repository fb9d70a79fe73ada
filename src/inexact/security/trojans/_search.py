"""Triggers that real operands rarely meet, and the most harmful payload that the declared bounds leave room for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Circuit
from inexact.core.errors import DataError, NoRoomError, SpecError
from inexact.security.trojans._declaration import Declaration, measured
from inexact.security.trojans._trojan import Cube, Integers, Payload, Trojan
from inexact.units import Multiplier

RAREST = 0.1
"""Triggers are drawn from this share of the operand pairs that occur."""


def rare_cubes(counts: Integers, *, literals: int, number: int, seed: int) -> list[Cube]:
    """Triggers around operand pairs that occur, but belong to the rarest tenth of those; drawn without replacement.

    counts: int64 [2**wa, 2**wb], how often a unit meets each pair. literals: operand bits compared; the others, bits of b chosen at
    random, do not matter. Raises DataError when too few pairs occur, SpecError for a number of literals that cannot be.
    """
    wa, wb = (size.bit_length() - 1 for size in counts.shape)
    if not wa <= literals <= wa + wb:
        raise SpecError(f"literals of a trigger must be {wa}..{wa + wb}, all bits of a and some of b, not {literals}")
    places = np.flatnonzero(counts)
    rarest = places[np.argsort(counts.flat[places], kind="stable")][: max(1, int(RAREST * len(places)))]
    if len(rarest) < number:
        raise DataError(f"{number} triggers need as many rare operand pairs, but only {len(rarest)} occur; give more images")
    generator = np.random.default_rng(seed)
    found = []
    for place in generator.choice(rarest, number, replace=False).tolist():
        a, b = divmod(place, counts.shape[1])
        free = sum(1 << int(bit) for bit in generator.choice(wb, wa + wb - literals, replace=False))
        found.append(Cube(care_a=(1 << wa) - 1, value_a=a, care_b=((1 << wb) - 1) & ~free, value_b=b))
    return found


def payloads(width: int) -> Iterator[Payload]:
    """Every run of neighbouring product bits, flipped, set or cleared."""
    for low in range(width):
        for high in range(low, width):
            mask = (1 << (high + 1)) - (1 << low)
            yield from (Payload(action="flip", mask=mask), Payload(action="set", mask=mask), Payload(action="clear", mask=mask))


def most_harmful(unit: Multiplier, trigger: Cube, declaration: Declaration | None, weights: NDArray[np.float64] | None = None) -> Trojan:
    """The payload with the largest mean change of the triggered products under which every declared bound still holds.

    declaration: None = no bounds. weights: share of each b, float64 [2**wb] (default: uniform).
    Raises SpecError when the unit has no netlist, NoRoomError when the bounds leave no room.
    """
    width = host_of(unit).output_bits
    table, exact = unit.table().astype(np.int64), unit.exact_table().astype(np.int64)
    cover = trigger.covers(table.shape)
    share = np.broadcast_to(np.ones(table.shape[1]) if weights is None else weights, table.shape)[cover]
    old, right = table[cover], exact[cover]
    kept = _Room(table, exact, cover, declaration)
    best: tuple[float, Payload] | None = None
    for payload in payloads(width):
        new = payload.applied(old, width, signed=unit.signed)
        harm = float((share * np.abs(new - old)).sum())
        if harm > 0 and (best is None or harm > best[0]) and kept.admits(new - right):
            best = (harm, payload)
    if best is None:
        raise NoRoomError(
            f"the declared bounds of {unit.spec} leave no room for a Trojan under this trigger: every change of its products breaks one; "
            "declare fewer metrics or digits, or take a unit that errs more"
        )
    return Trojan(trigger=trigger, payload=best[1])


def host_of(unit: Multiplier) -> Circuit:
    """The unit's netlist. SpecError when it has none."""
    circuit = unit.circuit()
    if circuit is None:
        raise SpecError(f"a Trojan needs a netlist to sit in, and {unit.spec} has none; import one with `inexact unit import FILE.v`")
    return circuit


class _Room:
    """What the bounds leave once the triggered products change."""

    def __init__(self, table: Integers, exact: Integers, cover: NDArray[np.bool_], declaration: Declaration | None) -> None:
        self.declaration = declaration
        self.right = exact[cover]
        self.cells = table.size
        self.nonzero = int((exact != 0).sum())
        rest, truth = table[~cover], exact[~cover]
        outside = measured(rest, truth) if rest.size else dict.fromkeys(("error_probability", "mae", "mse", "wce", "mred", "wcre"), 0.0)
        self.worst = {name: outside[name] for name in ("wce", "wcre")}
        self.sums = {name: outside[name] * rest.size for name in ("error_probability", "mae", "mse")}
        self.sums["mred"] = outside["mred"] * int((truth != 0).sum())

    def admits(self, errors: Integers) -> bool:
        """Whether all bounds hold with these errors of the triggered products."""
        if self.declaration is None:
            return True
        size = np.abs(errors).astype(np.float64)
        relative = size[self.right != 0] / np.abs(self.right[self.right != 0])
        found = {
            "error_probability": (self.sums["error_probability"] + float((size > 0).sum())) / self.cells,
            "mae": (self.sums["mae"] + float(size.sum())) / self.cells,
            "mse": (self.sums["mse"] + float((size**2).sum())) / self.cells,
            "mred": (self.sums["mred"] + float(relative.sum())) / max(1, self.nonzero),
            "wce": max(self.worst["wce"], float(size.max(initial=0.0))),
            "wcre": max(self.worst["wcre"], float(relative.max(initial=0.0))),
        }
        return self.declaration.excess(found) <= 1
