"""Figures of a circuit that takes many cycles for a result: one cycle's logic and its registers, over all cycles."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from inexact.circuits._serial import Serial
from inexact.circuits.synthesis._mac import core_surroundings, cycle_time, registers
from inexact.circuits.synthesis._measure import Bits, Operands, bits_of, measured
from inexact.circuits.synthesis._run import DEFAULT, Setup, figures_of, job_of, mapped_circuit
from inexact.circuits.synthesis._silicon import Silicon
from inexact.circuits.synthesis._yosys import Yosys


def synthesise_serial(serial: Serial, setup: Setup = DEFAULT) -> Silicon:
    """Figures per result: energies of all cycles together, registers and clock pins included, delay of all cycles at the shortest one.

    The registers of the operands are not part of it. Raises as `synthesise`.
    """
    job = job_of(replace(setup, level="serial"))
    with ExitStack() as stack:
        tool = None if job.recipe == "unoptimised" else stack.enter_context(Yosys(limit_s=setup.limit_s))
        made = mapped_circuit(serial.step, job, lambda: tool)
    around = core_surroundings(job.cells, setup.around)
    before, after = transitions(serial, setup.operands)
    found, flops = measured(made, before, after, around), registers(made, "serial", before, after, around)
    times = serial.cycles
    return figures_of(
        serial.step,
        job,
        replace(found, settled=_times(found.settled, times), timed=_times(found.timed, times)),
        area=made.area + flops.count * flops.area,
        delay=cycle_time(made, flops, around) * times,
        leakage=found.leakage + flops.leakage,
        registers_fj=(flops.clock_energy + flops.data_energy) * times,
        cells=made.counts() | {flops.cell: flops.count},
    )


def transitions(serial: Serial, operands: Operands) -> tuple[Bits, Bits]:
    """Input bits of consecutive cycles, every cycle equally often; the first follows the last of the operands before."""
    generator = np.random.default_rng(operands.seed)
    weights = operands.weights or (None, None)
    x, y = (operands.draw(generator, bus, share, operands.pairs) for bus, share in zip(serial.step.inputs, weights, strict=False))
    widths = [bus.width for bus in serial.step.inputs]
    place = np.arange(operands.pairs)
    cycle = place % serial.cycles if serial.cycles <= operands.pairs else place * serial.cycles // operands.pairs
    before, after = np.zeros((2, operands.pairs, sum(widths)), np.uint8)
    first: Bits | None = None
    last = after
    for number, words in enumerate(serial.states(x, y)):
        bits = np.concatenate([bits_of(word, width) for word, width in zip(words, widths, strict=True)], axis=1)
        now = cycle == number
        before[now], after[now] = last[now], bits[now]
        first = bits if first is None else first
        last = bits
    assert first is not None
    start = cycle == 0
    before[start], after[start] = last[start], np.roll(first, -1, axis=0)[start]
    return before, after


def _times(energy: tuple[float, float], cycles: int) -> tuple[float, float]:
    return energy[0] * cycles, energy[1] * cycles
