"""The event-driven simulation against an independent one: Icarus Verilog where it is installed, plain Python always."""

from __future__ import annotations

import dataclasses
import heapq
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from inexact import units
from inexact.circuits import Circuit, adder, multiplier
from inexact.circuits.cells import Library
from inexact.circuits.synthesis import Mapped, Operands, Sampler, Setup, Surroundings, event_delays, netlist, toggles
from inexact.core.errors import SynthesisError

SEED = 5


def _netlist(circuit: Circuit, library: Library) -> Mapped:
    return netlist(circuit, Setup(cells=library, recipe="unoptimised", cache=False))


def _delays(mapped: Mapped, *, per_pin: bool) -> np.ndarray:
    """Random delays of 1..60 ticks `[cells, 6, 2, 2]`; per_pin False: every input of an output alike."""
    generator = np.random.default_rng(SEED)
    shape = (len(mapped.cells), 6 if per_pin else 1, 2, 2)
    return np.ascontiguousarray(np.broadcast_to(generator.integers(1, 61, shape), (len(mapped.cells), 6, 2, 2))).astype(np.int32)


def _simulated(mapped: Mapped, delays: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Rises and falls of every net."""
    found = np.zeros((2, mapped.nets), np.int64)
    for changes in _changes(mapped, delays, before, after):
        for _, net, value in changes:
            found[1 - value, net] += 1
    return found


def _changes(  # noqa: PLR0912  one loop, kept in sight
    mapped: Mapped, delays: np.ndarray, before: np.ndarray, after: np.ndarray
) -> list[list[tuple[int, int, int]]]:
    """(time, net, new value) of every change of every pair, one heap of events a pair; all changes of one time are seen together."""
    found: list[list[tuple[int, int, int]]] = []
    tables = [[function or 0 for function in mapped.library.cells[placed.cell].functions] for placed in mapped.cells]
    readers: dict[int, list[tuple[int, int]]] = {}
    for index, placed in enumerate(mapped.cells):
        for pin, net in enumerate(placed.inputs):
            readers.setdefault(net, []).append((index, pin))
    for old, new in zip(before, after, strict=True):
        value = [0, 1, *old.tolist(), *([0] * (mapped.nets - 2 - len(old)))]
        for index, placed in enumerate(mapped.cells):
            state = sum(value[net] << pin for pin, net in enumerate(placed.inputs))
            for place, table in enumerate(tables[index]):
                value[placed.output + place] = table >> state & 1
        changes: list[tuple[int, int, int]] = []
        pending: dict[int, tuple[int, int]] = {}
        heap = [(0, 2 + bit, int(bit_value)) for bit, bit_value in enumerate(new)]
        pending.update({net: (time, v) for time, net, v in heap})
        while heap:
            now = heap[0][0]
            touched: dict[int, set[int]] = {}
            while heap and heap[0][0] == now:
                _, net, v = heapq.heappop(heap)
                if pending.get(net) != (now, v):
                    continue
                del pending[net]
                if value[net] == v:
                    continue
                value[net] = v
                changes.append((now, net, v))
                for index, pin in readers.get(net, ()):
                    touched.setdefault(index, set()).add(pin)
            for index, pins in touched.items():
                placed = mapped.cells[index]
                state = sum(value[net] << pin for pin, net in enumerate(placed.inputs))
                for place, table in enumerate(tables[index]):
                    net, wanted = placed.output + place, table >> state & 1
                    if net in pending and pending[net][1] == wanted:
                        continue
                    pending.pop(net, None)
                    if value[net] != wanted:
                        at = now + min(int(delays[index, pin, place, 1 - wanted]) for pin in pins)
                        pending[net] = (at, wanted)
                        heapq.heappush(heap, (at, net, wanted))
        found.append(changes)
    return found


CIRCUITS = ["exact(width=4)", "mitchell(width=4)", "kulkarni(width=4)"]


def _circuit(spec: str) -> Circuit:
    found = units.get(spec).circuit()
    assert found is not None
    return found


@pytest.mark.parametrize("spec", CIRCUITS)
@pytest.mark.parametrize("per_pin", [True, False])
def test_toggles_equal_a_plain_event_simulation(spec: str, per_pin: bool, small_library: Library) -> None:
    mapped = _netlist(_circuit(spec), small_library)
    before, after = Operands(pairs=64, seed=SEED).drawn(mapped.inputs)
    delays = _delays(mapped, per_pin=per_pin)
    got = toggles(mapped, before, after, delays.reshape(len(mapped.cells), -1))
    assert (got == _simulated(mapped, delays, before, after)).all()


@pytest.mark.parametrize("spec", CIRCUITS)
def test_registers_take_what_a_plain_event_simulation_has_at_their_edge(spec: str, small_library: Library) -> None:
    mapped = _netlist(_circuit(spec), small_library)
    before, after = Operands(pairs=80, seed=SEED).drawn(mapped.inputs)
    sampler = Sampler(mapped, Surroundings())
    delays, tick = event_delays(mapped, Surroundings())
    edges = [300, 60, 0, 550, 100_000]
    got = sampler.sample(before, after, [edge * tick for edge in edges], latest=True)
    pairs = zip(before, _changes(mapped, delays.reshape(-1, 6, 2, 2), before, after), strict=True)
    for row, (old, changes) in enumerate(pairs):
        settled = mapped.values(old[None])[0]
        for place, net in enumerate(mapped.output_nets):
            own = [(time, value) for time, changed, value in changes if changed == net]
            assert got.latest[row, place] == pytest.approx(max((time for time, _ in own), default=0) * tick)
            for column, edge in enumerate(edges):
                taken = [int(settled[place]), *(value for time, value in own if time <= edge)][-1]
                assert int(got.words[row, column]) >> place & 1 == taken
    assert (got.words[:, 4] == got.right).all()
    assert (got.words[:, 1] != got.right).any()


def test_a_result_too_wide_for_a_register_is_refused(small_library: Library) -> None:
    wide = _netlist(_circuit("exact(width=4)"), small_library)
    many = dataclasses.replace(wide, output_nets=wide.output_nets * 9)
    with pytest.raises(SynthesisError, match=r"must have at most 64 bits, but .* has 72"):
        Sampler(many, Surroundings())


def test_settled_toggles_are_never_more_than_timed_ones_and_end_alike(small_library: Library) -> None:
    mapped = _netlist(multiplier(8, kind="array"), small_library)
    before, after = Operands(pairs=256, seed=SEED).drawn(mapped.inputs)
    settled = toggles(mapped, before, after)
    timed = toggles(mapped, before, after, _delays(mapped, per_pin=True).reshape(len(mapped.cells), -1))
    # a net that settles to another value makes one edge more of that kind than of the other
    assert (timed.sum(axis=0) >= settled.sum(axis=0)).all()
    assert (timed[0] - timed[1] == settled[0] - settled[1]).all()
    assert timed.sum() > 1.2 * settled.sum()


def _verilog(mapped: Mapped, delays: np.ndarray, before: np.ndarray, after: np.ndarray) -> str:
    """A test bench that counts the edges of every net between each pair's settled states."""
    inputs = len(before[0])
    lines = ["`timescale 1ps/1ps", "module bench;", f"  reg [{inputs - 1}:0] x; reg counting = 0;", "  wire n0 = 0, n1 = 1;"]
    lines += [f"  wire n{2 + bit} = x[{bit}];" for bit in range(inputs)]
    for index, placed in enumerate(mapped.cells):
        functions = mapped.library.cells[placed.cell].functions
        word = ", ".join(f"n{net}" for net in reversed(placed.inputs))
        rows = 1 << len(placed.inputs)
        for place, table in enumerate(functions):
            rise, fall = (int(delays[index, 0, place, edge]) for edge in (0, 1))
            lines.append(f"  wire [{rows - 1}:0] t{placed.output + place} = {rows}'d{table};")
            lines.append(f"  wire #({rise}, {fall}) n{placed.output + place} = t{placed.output + place}[{{{word}}}];")
    for net in range(2, mapped.nets):
        lines.append(f"  integer r{net} = 0, f{net} = 0;")
        lines.append(f"  always @(posedge n{net}) if (counting) r{net} = r{net} + 1;")
        lines.append(f"  always @(negedge n{net}) if (counting) f{net} = f{net} + 1;")
    lines.append("  initial begin")
    for old, new in zip(before, after, strict=True):
        words = ["".join(map(str, reversed(bits.tolist()))) for bits in (old, new)]
        lines.append(f"    x = {inputs}'b{words[0]}; #9000 counting = 1; x = {inputs}'b{words[1]}; #9000 counting = 0;")
    lines += [f'    $display("{net} %0d %0d", r{net}, f{net});' for net in range(2, mapped.nets)]
    return "\n".join([*lines, "    $finish;", "  end", "endmodule", ""])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs iverilog")
@pytest.mark.parametrize("spec", ["exact(width=8)", "mitchell", "drum(k=4)", "trunc(cut=6)", "kulkarni", "exact(signed=true)", "sum"])
def test_toggles_equal_icarus_verilog(spec: str, tmp_path: Path, small_library: Library) -> None:
    mapped = _netlist(adder(16, kind="kogge_stone") if spec == "sum" else _circuit(spec), small_library)
    before, after = Operands(pairs=200, seed=SEED).drawn(mapped.inputs)
    delays = _delays(mapped, per_pin=False)
    (tmp_path / "bench.v").write_text(_verilog(mapped, delays, before, after))
    subprocess.run(["iverilog", "-o", "bench", "bench.v"], cwd=tmp_path, check=True)
    shown = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    counted = np.zeros((2, mapped.nets), np.int64)
    for net, rises, falls in re.findall(r"(\d+) (\d+) (\d+)", shown):
        counted[:, int(net)] = int(rises), int(falls)
    got = toggles(mapped, before, after, delays.reshape(len(mapped.cells), -1))
    # changes at one instant are seen one after the other there, together here: rare, and no more than that
    assert abs(int(got.sum()) - int(counted.sum())) <= 0.005 * counted.sum()
    assert np.abs(got - counted).sum() <= 0.01 * counted.sum()
