"""The event-driven simulation against an independent one: Icarus Verilog where it is installed, plain Python always."""

from __future__ import annotations

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
from inexact.circuits.synthesis import Mapped, Operands, Setup, netlist, toggles

SEED = 5


def _netlist(circuit: Circuit, library: Library) -> Mapped:
    return netlist(circuit, Setup(cells=library, recipe="unoptimised", cache=False))


def _delays(mapped: Mapped, *, per_pin: bool) -> np.ndarray:
    """Random delays of 1..60 ticks `[cells, 6, 2, 2]`; per_pin False: every input of an output alike."""
    generator = np.random.default_rng(SEED)
    shape = (len(mapped.cells), 6 if per_pin else 1, 2, 2)
    return np.ascontiguousarray(np.broadcast_to(generator.integers(1, 61, shape), (len(mapped.cells), 6, 2, 2))).astype(np.int32)


def _simulated(  # noqa: PLR0912  one loop, kept in sight
    mapped: Mapped, delays: np.ndarray, before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Rises and falls of every net, one heap of events a pair; all changes of one time are seen together."""
    found = np.zeros((2, mapped.nets), np.int64)
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
                found[1 - v, net] += 1
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
