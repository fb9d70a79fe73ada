"""A maker of circuits that exercise every kind of cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from inexact.circuits import FAN_IN, Builder, Circuit, Op


def random_circuit(seed: int, widths: tuple[int, ...] = (5, 9, 3), cells: int = 400, outputs: int = 21, *, signed: bool = False) -> Circuit:
    """Cells of every kind on random earlier wires, constants among them."""
    rng = np.random.default_rng(seed)
    b = Builder("random", simplify=False)
    wires = [0, 1, *(w for i, width in enumerate(widths) for w in b.input(f"i{i}", width))]
    for _ in range(cells):
        op = Op(int(rng.integers(len(Op))))
        wires.extend(b.place(op, [wires[i] for i in rng.integers(0, len(wires), FAN_IN[op])]))
    b.output("low", [wires[i] for i in rng.integers(0, len(wires), outputs - 4)])
    b.output("high", [wires[i] for i in rng.integers(0, len(wires), 4)], signed=signed)
    return b.build()


@pytest.fixture(name="random_circuit")
def random_circuit_fixture() -> Callable[..., Circuit]:
    return random_circuit
