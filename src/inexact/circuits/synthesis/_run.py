"""From circuits to figures: synthesis and measurement, several at once, each kept by content."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from inexact.circuits._circuit import Circuit
from inexact.circuits._simulate import evaluate
from inexact.circuits.cells import Library, library
from inexact.circuits.synthesis import _cache
from inexact.circuits.synthesis._mac import Level, accumulation, core_surroundings, cycle_time, mac_core, registers
from inexact.circuits.synthesis._mapped import Mapped, Placed
from inexact.circuits.synthesis._measure import Measured, Operands, Surroundings, measured
from inexact.circuits.synthesis._recipes import DEFAULT_RECIPE, mapped, require_recipe
from inexact.circuits.synthesis._silicon import Conditions, Silicon
from inexact.circuits.synthesis._yosys import Yosys, version
from inexact.core.errors import MissingDependencyError, SynthesisError
from inexact.core.estimate import Estimate

ACTIVITY = "event-driven with inertial delays, and settled"


@final
@dataclass(frozen=True, kw_only=True)
class Setup:
    """How circuits are synthesised and measured. cells: the library, None = the shipped one. recipe: see `RECIPES`; None = "fa", or
    "unoptimised" where Yosys is missing.

    level: "unit", "mac" or "pe" ("serial": `synthesise_serial`); accumulator_bits, adder, sign_magnitude: of a MAC or PE, see `mac_core`.
    cache: keep results on disk. limit_s: seconds per synthesis.
    """

    cells: Library | None = None
    recipe: str | None = None
    operands: Operands = field(default_factory=Operands)
    around: Surroundings = field(default_factory=Surroundings)
    level: Level = "unit"
    accumulator_bits: int = 32
    adder: Circuit | None = None
    sign_magnitude: bool = False
    cache: bool = True
    limit_s: float = 120.0


DEFAULT = Setup()


@final
@dataclass(frozen=True)
class Job:
    """A setup with everything looked up."""

    setup: Setup
    cells: Library
    recipe: str
    tool: str


def synthesise(
    circuits: Sequence[Circuit], setup: Setup = DEFAULT, *, jobs: int | None = None, progress: Callable[[int], None] | None = None
) -> list[Silicon]:
    """Figures of every circuit, in order. jobs: how many at once (default: cores). progress: called with how many are done.

    Raises SynthesisError when a circuit does not map, Yosys dies or takes too long, or the mapped netlist differs from the circuit;
    LibraryError when the library lacks a cell; OutputError when the cache is full. What is done by then stays in the cache.
    """
    job = job_of(setup)
    workers = max(1, min(jobs or os.cpu_count() or 1, len(circuits)))
    with ExitStack() as stack:
        tools: queue.SimpleQueue[Yosys | None] = queue.SimpleQueue()
        for _ in range(workers):
            tools.put(None if job.recipe == "unoptimised" else stack.enter_context(Yosys(limit_s=setup.limit_s)))
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        futures = [pool.submit(_one, circuit, job, tools) for circuit in circuits]
        return _collected(futures, progress)


def _collected(futures: Sequence[Future[Silicon]], progress: Callable[[int], None] | None) -> list[Silicon]:
    found: list[Silicon] = []
    try:
        for future in futures:
            found.append(future.result())
            if progress is not None:
                progress(len(found))
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return found


def netlist(circuit: Circuit, setup: Setup = DEFAULT) -> Mapped:
    """The circuit out of library cells, at the setup's level. Raises as `synthesise`."""
    job = job_of(setup)
    with ExitStack() as stack:
        tool = None if job.recipe == "unoptimised" else stack.enter_context(Yosys(limit_s=setup.limit_s))
        return mapped_circuit(_core(circuit, setup), job, lambda: tool)


def job_of(setup: Setup) -> Job:
    """The setup with library, recipe and tool looked up."""
    cells = setup.cells or library()
    recipe = require_recipe(setup.recipe) if setup.recipe is not None else DEFAULT_RECIPE
    try:
        tool = "one-to-one mapper" if recipe == "unoptimised" else version()
    except MissingDependencyError:
        if setup.recipe is not None:
            raise
        recipe, tool = "unoptimised", "one-to-one mapper"
    return Job(setup, cells, recipe, tool)


def _core(circuit: Circuit, setup: Setup) -> Circuit:
    return circuit if setup.level == "unit" else mac_core(circuit, setup.accumulator_bits, setup.adder, sign_magnitude=setup.sign_magnitude)


def _one(circuit: Circuit, job: Job, tools: queue.SimpleQueue[Yosys | None]) -> Silicon:
    setup = job.setup
    adder = setup.adder.sha256 if setup.adder else ""
    level = (setup.level, setup.accumulator_bits, adder, *(["signs"] * setup.sign_magnitude)) if setup.level != "unit" else ("unit",)
    name = _cache.key(circuit.sha256, job.cells.sha256, job.recipe, job.tool, setup.operands, setup.around, *level)
    known = _cache.stored("silicon", name) if setup.cache else None
    if known is not None:
        return Silicon.from_json({**known, "name": circuit.name})
    held: list[Yosys | None] = []

    def tool() -> Yosys | None:
        held.append(tools.get())
        return held[0]

    try:
        core = _core(circuit, setup)
        found = _figures(circuit, core, mapped_circuit(core, job, tool), job)
    finally:
        for yosys in held:
            tools.put(yosys)
    if setup.cache:
        _cache.store("silicon", name, found.to_json())
    return found


def mapped_circuit(circuit: Circuit, job: Job, tool: Callable[[], Yosys | None]) -> Mapped:
    """The circuit out of library cells, kept by content; `tool` is asked for only where it is not known."""
    name = _cache.key(circuit.sha256, job.cells.sha256, job.recipe, job.tool)
    known = _cache.stored("mapped", name) if job.setup.cache else None
    if known is not None:
        return _restored(known, circuit, job.cells)
    made = mapped(circuit, job.cells, job.recipe, tool())
    _require_equal(circuit, made)
    if job.setup.cache:
        _cache.store("mapped", name, _plain(made))
    return made


def _plain(made: Mapped) -> dict[str, Any]:
    return {"cells": [[placed.cell, list(placed.inputs), placed.output] for placed in made.cells], "outputs": list(made.output_nets)}


def _restored(known: dict[str, Any], circuit: Circuit, cells: Library) -> Mapped:
    placed = tuple(Placed(cell, tuple(inputs), output) for cell, inputs, output in known["cells"])
    return Mapped(circuit.name, cells, circuit.inputs, circuit.outputs, placed, tuple(known["outputs"]))


def _require_equal(circuit: Circuit, made: Mapped) -> None:
    """Raise SynthesisError unless the mapped netlist gives the circuit's results for 4,096 operands drawn at random."""
    before, _ = Operands(pairs=4096, seed=1).drawn(circuit.inputs)
    got = made.values(before)
    bus_values = []
    place = 0
    for bus in circuit.inputs:
        column = before[:, place : place + bus.width].astype(np.int64) << np.arange(bus.width, dtype=np.int64)
        values = column.sum(axis=1)
        bus_values.append(values - ((values >> (bus.width - 1)) << bus.width) if bus.signed else values)
        place += bus.width
    wanted = evaluate(circuit, *bus_values)
    bits = (wanted[:, None] >> np.arange(circuit.output_bits, dtype=np.int64)) & 1
    if (bits != got).any():
        raise SynthesisError(
            f"the mapped netlist of {circuit.name} must compute what the circuit does, but differs: a defect of the synthesis tool"
        )


def _figures(circuit: Circuit, core: Circuit, made: Mapped, job: Job) -> Silicon:
    setup = job.setup
    if setup.level == "unit":
        before, after = setup.operands.drawn(circuit.inputs)
        found = measured(made, before, after, setup.around)
        return figures_of(circuit, job, found, area=made.area, delay=found.delay, leakage=found.leakage, cells=made.counts())
    around = core_surroundings(job.cells, setup.around)
    before, after = accumulation(core, setup.operands)
    found = measured(made, before, after, around)
    flops = registers(made, setup.level, before, after, around)
    return figures_of(
        circuit,
        job,
        found,
        area=made.area + flops.count * flops.area,
        delay=cycle_time(made, flops, around),
        leakage=found.leakage + flops.leakage,
        cells=made.counts() | {flops.cell: flops.count},
        registers_fj=flops.clock_energy + flops.data_energy,
    )


def figures_of(
    circuit: Circuit,
    job: Job,
    found: Measured,
    *,
    area: float,
    delay: float,
    leakage: float,
    cells: dict[str, int],
    registers_fj: float | None = None,
) -> Silicon:
    """The record of a circuit's figures. found: energies, flip-flops (registers_fj) not among them."""
    setup, library_ = job.setup, job.cells
    source = f"recipe {job.recipe} by {job.tool} on {library_.label}" + (", not optimised" if job.recipe == "unoptimised" else "")

    def estimate(value: float, unit: str, half: float | None = None, how: str = "") -> Estimate:
        spread = None if half is None else (value - half, value + half)
        return Estimate(
            value=value, unit=unit, source=source + how, node=library_.node, spread=spread, verified=job.recipe != "unoptimised"
        )

    over = f"; {setup.operands.label} operands, {setup.operands.pairs} transitions"
    clocked = registers_fj or 0.0
    timed, settled = ((value + clocked) * 1e-3 for value in (found.timed[0], found.settled[0]))
    return Silicon(
        name=circuit.name,
        circuit=circuit.sha256,
        level=setup.level,
        area=estimate(area, "um2", how=", sum of cells"),
        delay=estimate(delay, "ns", how=", static timing"),
        energy=estimate(timed, "pJ", found.timed[1] * 1e-3, f"{over}, with glitches"),
        settled_energy=estimate(settled, "pJ", found.settled[1] * 1e-3, f"{over}, without glitches"),
        leakage=estimate(leakage, "nW", how=", by states of the inputs"),
        cells=cells,
        conditions=_conditions(job),
        register_energy=None if registers_fj is None else estimate(registers_fj * 1e-3, "pJ", how=f"{over}, flip-flops"),
    )


def _conditions(job: Job) -> Conditions:
    return Conditions(
        library=job.cells.label,
        corner=job.cells.corner,
        recipe=job.recipe,
        tool=job.tool,
        operands=job.setup.operands.label,
        activity=ACTIVITY,
        surroundings=str(job.setup.around),
    )
