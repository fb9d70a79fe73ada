"""Multiply-accumulate units and processing elements: what an architect buys is a multiplier, an adder and registers, clocked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import Bus, Circuit, Wires
from inexact.circuits._simulate import evaluate
from inexact.circuits.cells import Cell, Library, Pin
from inexact.circuits.synthesis._mapped import Mapped
from inexact.circuits.synthesis._measure import Bits, Operands, Surroundings, bits_of, timing
from inexact.core.errors import CircuitError, LibraryError

Level = Literal["unit", "mac", "pe", "serial"]
"""unit: the multiplier alone. mac: with adder and accumulator register. pe: with registers for both operands as well.

serial: a unit of many cycles with its own registers.
"""

LEVELS: dict[str, str] = {
    "unit": "the multiplier or adder alone",
    "mac": "multiplier, adder and accumulator register, clocked",
    "pe": "the same with a register for each operand, as in a systolic array",
    "serial": "a unit of many cycles a result, its registers included, clocked",
}

DOT_LENGTH = 64
"""Products of one sum; then the accumulator is cleared."""


def mac_core(multiplier: Circuit, accumulator_bits: int, adder: Circuit | None = None, *, sign_magnitude: bool = False) -> Circuit:
    """What lies between the registers: inputs of the multiplier and `acc`, output acc + product modulo 2**accumulator_bits.

    adder: a circuit of two operands of `accumulator_bits`, or None for an exact ripple-carry adder of full-adder cells.
    sign_magnitude: the multiplier takes magnitudes; its second operand gets a sign as top bit, which inverts the product and is the
    adder's carry-in. Raises CircuitError when the multiplier is none, widths do not fit, or signs meet a signed multiplier or an adder.
    """
    if len(multiplier.inputs) != 2 or len(multiplier.outputs) != 1:
        raise CircuitError(f"a MAC needs a multiplier of two operands and one result, but {multiplier!r} is none")
    if not multiplier.outputs[0].width <= accumulator_bits <= 64:
        raise CircuitError(f"accumulator_bits must be {multiplier.outputs[0].width}..64 to hold a product, not {accumulator_bits}")
    if adder is not None and [bus.width for bus in adder.inputs] != [accumulator_bits, accumulator_bits]:
        raise CircuitError(f"the accumulator's adder must have two operands of {accumulator_bits} bits, but is {adder!r}")
    if sign_magnitude and (multiplier.signed or adder is not None):
        raise CircuitError("sign and magnitude need an unsigned multiplier and the exact adder, whose carry-in completes the negation")
    b = Builder(f"{multiplier.name}_mac")
    first, second = multiplier.inputs
    x = b.input(first.name, first.width, signed=first.signed)
    y = b.input(second.name, second.width + sign_magnitude, signed=second.signed)
    acc = b.input("acc", accumulator_bits, signed=multiplier.signed or sign_magnitude)
    (product,) = b.include(multiplier, x, y[: second.width])
    sign = y[-1] if sign_magnitude else product[-1] if multiplier.signed else 0
    if sign_magnitude:
        product = tuple(b.xor_(wire, sign) for wire in product)
    wide = (*product, *([sign] * (accumulator_bits - len(product))))
    if adder is not None:
        result: Wires = b.include(adder, acc, wide)[0][:accumulator_bits]
    else:
        result = ()
        carry = sign if sign_magnitude else 0
        for p, q in zip(acc, wide, strict=True):
            bit, carry = b.full_adder(p, q, carry)
            result = (*result, bit)
    b.output("y", result, signed=multiplier.signed or sign_magnitude)
    return b.build()


def accumulation(core: Circuit, operands: Operands) -> tuple[Bits, Bits]:
    """Input bits of a MAC's core in consecutive cycles: operands as drawn, `acc` as the circuit adds up, cleared every 64 products."""
    generator = np.random.default_rng(operands.seed)
    streams = -(-operands.pairs // DOT_LENGTH)
    weights = operands.weights or (None, None)
    x, y = (
        operands.draw(generator, bus, share, streams * (DOT_LENGTH + 1)).reshape(DOT_LENGTH + 1, streams)
        for bus, share in zip(core.inputs, weights, strict=False)
    )
    for place, drawn in enumerate((x, y)):
        if operands.held == place:
            drawn[:] = drawn[0]
    patterns = _unsigned(core)
    acc = np.zeros((DOT_LENGTH + 1, streams), np.uint64)
    mask = (1 << core.outputs[0].width) - 1
    for step in range(DOT_LENGTH):
        acc[step + 1] = evaluate(patterns, x[step], y[step], acc[step]).astype(np.uint64) & np.uint64(mask)

    def bits(rows: slice) -> Bits:
        words = [bits_of(word[rows].ravel(), bus.width) for word, bus in zip((x, y, acc), core.inputs, strict=True)]
        return np.ascontiguousarray(np.concatenate(words, axis=1)[: operands.pairs])

    return bits(slice(0, DOT_LENGTH)), bits(slice(1, DOT_LENGTH + 1))


def _unsigned(circuit: Circuit) -> Circuit:
    """The circuit with its words read as bit patterns."""
    return dataclasses.replace(
        circuit,
        inputs=tuple(Bus(bus.name, bus.width) for bus in circuit.inputs),
        outputs=tuple(Bus(bus.name, bus.width) for bus in circuit.outputs),
    )


@final
@dataclass(frozen=True, kw_only=True)
class Registers:
    """Flip-flops around a core. area: um2 each. Energies in fJ per cycle of all of them; times in ns."""

    cell: str
    count: int
    area: float
    leakage: float
    clock_energy: float
    data_energy: float
    clock_to_output: float
    setup: float


def flip_flop(library: Library) -> Cell:
    """The library's flip-flop. Raises LibraryError when it has none."""
    cell = library.flip_flop()
    if cell is None:
        raise LibraryError(f"a MAC needs a flip-flop (clock, data, one output, rising edge), but {library.name} has none")
    return cell


def registers(mapped: Mapped, level: Level, before: Bits, after: Bits, around: Surroundings) -> Registers:
    """The flip-flops of a MAC (accumulator) or a PE (operands as well), and what they spend in a cycle of the given pairs.

    Clock: both edges at the clock pin, its charge included; the tree that brings it is not part of this. Data: flips of the stored bits.
    """
    library = mapped.library
    cell = flip_flop(library)
    clock = next(pin for pin in cell.inputs if pin.name == cell.clocked_on)
    data = next(pin for pin in cell.inputs if pin.name == cell.next_state)
    operand_bits = sum(bus.width for bus in mapped.inputs[:2])
    stored = slice(0 if level == "pe" else operand_bits, mapped.input_bits)
    count = mapped.input_bits - (0 if level == "pe" else operand_bits)
    flips = (before[:, stored] != after[:, stored]).sum() / max(1, len(before))
    output = cell.outputs[0]
    loads = mapped.loads(wire=around.wire, output=around.output)[2 : 2 + mapped.input_bits]
    load = float(loads.mean())

    def edges(pin: Pin) -> float:
        return sum(grid.at(around.slew, 0.0) for internal in pin.internal for grid in internal.energy)

    charge = clock.capacitance * library.voltage**2
    arcs = [arc for arc in output.arcs if arc.source == clock.name]
    first = [arc.delay[edge].at(around.slew, load) for arc in arcs for edge in (0, 1)]
    per_flip = sum(grid.at(around.slew, load) for internal in output.internal[:1] for grid in internal.energy) / 2
    return Registers(
        cell=cell.name,
        count=count,
        area=cell.area,
        leakage=cell.leakage * count,
        clock_energy=count * (edges(clock) + charge),
        data_energy=float(flips) * (per_flip + edges(data) / 2),
        clock_to_output=max(first, default=0.0),
        setup=data.setup or 0.0,
    )


def core_surroundings(library: Library, around: Surroundings) -> Surroundings:
    """Those of a core: its result drives data pins of flip-flops."""
    cell = flip_flop(library)
    data = next(pin for pin in cell.inputs if pin.name == cell.next_state)
    return dataclasses.replace(around, output=data.capacitance)


def cycle_time(mapped: Mapped, found: Registers, around: Surroundings) -> float:
    """ns: clock to output, the worst path, setup."""
    arrival, _ = timing(mapped, around)
    return found.clock_to_output + float(arrival[list(mapped.output_nets)].max()) + found.setup
