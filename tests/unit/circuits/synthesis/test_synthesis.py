"""Synthesis, timing, power: what is measured, what it may be compared with, what is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inexact import units
from inexact.circuits import Builder, Circuit, adder, evaluate, multiplier, read_verilog
from inexact.circuits.cells import Library, liberty, library
from inexact.circuits.synthesis import (
    Operands,
    Setup,
    Silicon,
    Surroundings,
    Yosys,
    critical_path,
    delay,
    mac_core,
    mapped_verilog,
    netlist,
    pareto,
    ratios,
    require_comparable,
    synthesise,
)
from inexact.circuits.synthesis._cache import VERSION
from inexact.core.errors import CircuitError, DataError, LibraryError, OutputError, SynthesisError

needs_yosys = pytest.mark.skipif(
    importlib.util.find_spec("pyosys") is None and shutil.which("yosys") is None, reason="needs Yosys (extra synth)"
)
RECIPES = ("fa", "plain", "area", "delay")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path / "cache"))


def _plain(cells: Library) -> Setup:
    return Setup(cells=cells, recipe="unoptimised", cache=False)


def _values(found: np.ndarray, signed: bool) -> np.ndarray:
    bits = found.shape[1]
    values: np.ndarray = (found.astype(np.int64) << np.arange(bits)).sum(axis=1)
    return values - ((values >> (bits - 1)) << bits) if signed else values


@pytest.mark.parametrize("spec", ["exact", "exact(signed=true)", "mitchell", "kulkarni", "drum(k=4)", "roba", "exact(width=(8,4))"])
@pytest.mark.parametrize("recipe", ["unoptimised", pytest.param("fa", marks=needs_yosys), pytest.param("area", marks=needs_yosys)])
def test_the_mapped_netlist_is_the_circuit(spec: str, recipe: str) -> None:
    unit = units.get(spec)
    circuit = unit.circuit()
    assert circuit is not None
    mapped = netlist(circuit, Setup(recipe=recipe, cache=False))
    a, b = (side.ravel() for side in np.meshgrid(unit.operand_values(0), unit.operand_values(1), indexing="ij"))
    bits = np.concatenate([(x[:, None] >> np.arange(w)) & 1 for x, w in zip((a, b), unit.width, strict=True)], axis=1)
    got = mapped.values(bits.astype(np.uint8))
    assert (_values(got, unit.signed) == evaluate(circuit, a, b)).all()


def test_one_to_one_mapping_builds_what_the_library_lacks(liberty_text: Callable[..., str]) -> None:
    few = {"INV": (1.0, {"Y": "!A"}, "A"), "NAND2": (1.5, {"Y": "!(A B)"}, "AB")}
    cells = liberty(liberty_text(few), "few.lib")
    b = Builder("all", simplify=False)
    x = b.input("x", 3)
    full, half = b.full_adder(*x), b.half_adder(x[0], x[2])
    b.output("y", [b.xnor_(x[0], x[1]), b.nor_(x[1], x[2]), b.mux(*x), b.or_(x[0], x[1]), *full, *half])
    circuit = b.build()
    mapped = netlist(circuit, _plain(cells))
    assert set(mapped.counts()) == {"INV", "NAND2"}
    states = np.arange(8)
    got = _values(mapped.values(((states[:, None] >> np.arange(3)) & 1).astype(np.uint8)), False)
    assert (got == evaluate(circuit, states)).all()


def test_a_library_without_gates_is_refused(liberty_text: Callable[..., str]) -> None:
    cells = liberty(liberty_text({"INV": (1.0, {"Y": "!A"}, "A")}), "inverters.lib")
    with pytest.raises(LibraryError, match="small must have a cell for"):
        synthesise([multiplier(4)], _plain(cells))


@needs_yosys
def test_a_full_adder_recipe_needs_a_full_adder(liberty_text: Callable[..., str]) -> None:
    cells = liberty(liberty_text({"INV": (1.0, {"Y": "!A"}, "A"), "NAND2": (1.5, {"Y": "!(A B)"}, "AB")}), "few.lib")
    with pytest.raises(LibraryError, match="recipe 'fa' needs a full-adder cell, but small has none; use 'plain', 'area' or 'delay'"):
        synthesise([multiplier(4)], Setup(cells=cells, recipe="fa", cache=False))


def test_delay_of_a_chain_by_hand(small_library: Library) -> None:
    b = Builder("chain")
    (wire,) = b.input("x", 1)
    b.simplify = False
    for _ in range(3):
        wire = b.not_(wire)
    b.output("y", [wire])
    mapped = netlist(b.build(), _plain(small_library))
    around = Surroundings(slew=0.01, output=3.0, wire=0.5)

    def arc(kind: tuple[float, float], slew: float, load: float) -> float:
        return 0.01 + kind[0] * load + 0.1 * slew

    # every edge of the input may cause either edge (non-unate tables); the worst of them, load by load
    slew, total = 0.01, 0.0
    for load in (1.5, 1.5, 3.5):
        total += max(arc((0.002, 0), slew, load), arc((0.003, 0), slew, load))
        slew = max(0.01 + 0.004 * load + 0.1 * slew, 0.01 + 0.005 * load + 0.1 * slew)
    assert delay(mapped, around) == pytest.approx(total, rel=1e-12)
    assert [cell for cell, _ in critical_path(mapped, around)] == ["INV", "INV", "INV"]
    assert critical_path(mapped, around)[-1][1] == pytest.approx(total, rel=1e-12)


def test_energy_of_an_inverter_by_hand(small_library: Library) -> None:
    b = Builder("inverter")
    (x,) = b.input("x", 1)
    b.output("y", [b.not_(x)])
    around = Surroundings(slew=0.01, output=3.0, wire=0.5)
    setup = dataclasses.replace(_plain(small_library), around=around, operands=Operands(pairs=4096))
    (found,) = synthesise([b.build()], setup)
    before, after = setup.operands.drawn(b.build().inputs)
    share = float((before != after).mean())
    # internal energy is area + 0.1 slew either way; half C V^2 at 1 V for the input pin (1 fF + wire) and the output
    each = 1.0 + 0.001 + 0.5 * 1.5 + 0.5 * 3.5
    assert found.settled_energy.value == pytest.approx(share * each * 1e-3, rel=1e-9)
    assert found.energy.value == pytest.approx(found.settled_energy.value, rel=1e-12)  # one gate has no glitches
    assert found.leakage.value == 2.0
    assert found.area.value == 1.0


def test_every_figure_has_unit_source_and_energy_an_interval(small_library: Library) -> None:
    (found,) = synthesise([multiplier(8)], _plain(small_library))
    for name, estimate in found.figures().items():
        assert estimate.unit == {"area_um2": "um2", "delay_ns": "ns", "leakage_nw": "nW"}.get(name, "pJ")
        assert "not optimised" in estimate.source
        assert not estimate.verified
    assert found.energy.spread is not None
    low, high = found.energy.spread
    assert low < found.energy.value < high
    assert high - low < 0.1 * found.energy.value
    assert found.energy.value > found.settled_energy.value
    assert Silicon.from_json(found.to_json()) == found


def test_operands_matter(small_library: Library) -> None:
    quiet = tuple(float(value < 4) for value in range(256))
    setups = [dataclasses.replace(_plain(small_library), operands=o) for o in (Operands(), Operands(name="small", weights=(quiet, None)))]
    (uniform,), (small,) = (synthesise([multiplier(8)], setup) for setup in setups)
    assert small.energy.value < 0.5 * uniform.energy.value
    assert small.conditions.operands.startswith("small@")
    with pytest.raises(DataError, match="weights of operand a must be 256 numbers"):
        synthesise([multiplier(8)], dataclasses.replace(_plain(small_library), operands=Operands(weights=((1.0,), None))))


@needs_yosys
def test_results_do_not_depend_on_what_ran_before_or_beside() -> None:
    circuits = [multiplier(6, kind=kind) for kind in ("array", "wallace", "dadda")]
    together = synthesise(circuits, Setup(recipe="fa", cache=False), jobs=1)
    alone = [synthesise([c], Setup(recipe="fa", cache=False))[0] for c in reversed(circuits)][::-1]
    beside = synthesise(circuits, Setup(recipe="fa", cache=False), jobs=2)
    assert together == alone == beside


@needs_yosys
def test_the_cache_keeps_results_and_gives_them_under_any_name(small_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(cells=small_library, recipe="area")
    (first,) = synthesise([multiplier(4)], setup)
    monkeypatch.setattr("inexact.circuits.synthesis._run.mapped", lambda *_: pytest.fail("must come from the cache"))
    (again,) = synthesise([multiplier(4).renamed("other")], setup)
    assert again == dataclasses.replace(first, name="other")
    # other operands need no new synthesis
    synthesise([multiplier(4)], dataclasses.replace(setup, operands=Operands(pairs=64)))
    assert VERSION >= 1


def test_a_full_cache_is_one_sentence(small_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("inexact.circuits.synthesis._cache.write_text", full)
    with pytest.raises(
        OutputError, match=r"the cache .* must be writable: No space left on device; free space, set INEXACT_CACHE, or use --no-cache"
    ):
        synthesise([multiplier(4)], Setup(cells=small_library, recipe="unoptimised"))


def test_figures_of_other_conditions_are_not_compared(small_library: Library) -> None:
    (small,) = synthesise([multiplier(4)], _plain(small_library))
    (shipped,) = synthesise([multiplier(4)], Setup(recipe="unoptimised", cache=False))
    with pytest.raises(SynthesisError, match=r"figures must come from one library to be compared, but .* is from small@"):
        require_comparable([small, shipped])
    other = dataclasses.replace(small, conditions=dataclasses.replace(small.conditions, recipe="delay"))
    with pytest.raises(SynthesisError, match="one recipe to be compared"):
        ratios(small, other)
    assert ratios(small, small)["area_um2"] == 1.0


def test_pareto_keeps_what_nothing_beats(small_library: Library) -> None:
    (one,) = synthesise([multiplier(4)], _plain(small_library))
    worse = dataclasses.replace(one, area=dataclasses.replace(one.area, value=one.area.value * 2))
    faster = dataclasses.replace(worse, delay=dataclasses.replace(one.delay, value=one.delay.value / 2))
    assert pareto([one, worse, faster]) == [one, faster]


def test_an_unknown_recipe(small_library: Library) -> None:
    with pytest.raises(SynthesisError, match="no recipe is called 'aera'; did you mean 'area'"):
        synthesise([multiplier(4)], Setup(cells=small_library, recipe="aera"))


@needs_yosys
def test_a_worker_that_dies_or_hangs() -> None:
    with Yosys() as yosys:
        with pytest.raises(SynthesisError, match=r"it could not be synthesised: .*No such command: no_such_pass"):
            yosys.run(["no_such_pass"], "it")
        yosys.run(["log still alive"], "it")  # the same process goes on
        assert yosys._process is not None
        yosys._process.kill()
        yosys._process.wait()
        with pytest.raises(SynthesisError, match="the process of Yosys ended"):
            yosys.run(["log again"], "it")
        yosys.run(["log again"], "it")
    with Yosys(limit_s=0.3) as yosys, pytest.raises(SynthesisError, match=r"it must be synthesised within 0.3 s, but was not"):
        yosys.run(["exec -- sleep 30"], "it")


@needs_yosys
@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_give_working_netlists(recipe: str) -> None:
    (found,) = synthesise([multiplier(4)], Setup(recipe=recipe))
    assert found.conditions.recipe == recipe
    assert 30 < found.area.value < 300


def test_mac_and_pe_cost_what_is_around_the_multiplier() -> None:
    circuit = multiplier(8, signed=True)
    setups = [Setup(recipe="unoptimised", cache=False, level=level, accumulator_bits=24) for level in ("unit", "mac", "pe")]
    unit, mac, pe = (synthesise([circuit], setup)[0] for setup in setups)
    flop = library().flip_flop()
    assert flop is not None
    assert pe.area.value - mac.area.value == pytest.approx(16 * flop.area)
    assert pe.cells[flop.name] == 40
    assert mac.cells[flop.name] == 24
    assert unit.area.value < mac.area.value
    assert unit.energy.value < mac.energy.value < pe.energy.value
    assert unit.delay.value < mac.delay.value == pe.delay.value


def test_the_core_of_a_mac_accumulates() -> None:
    core = mac_core(multiplier(4, signed=True), 12)
    rng = np.random.default_rng(0)
    a, b, acc = rng.integers(-8, 8, 200), rng.integers(-8, 8, 200), rng.integers(-2048, 2048, 200)
    total = acc + a * b
    assert (evaluate(core, a, b, acc) == (total + 2048) % 4096 - 2048).all()
    own = mac_core(multiplier(4), 12, adder(12, kind="kogge_stone"))
    assert (evaluate(own, a & 7, b & 7, acc & 4095) == ((a & 7) * (b & 7) + (acc & 4095)) % 4096).all()
    with pytest.raises(CircuitError, match=r"accumulator_bits must be 8..64"):
        mac_core(multiplier(4), 6)
    with pytest.raises(CircuitError, match="must have two operands of 12 bits"):
        mac_core(multiplier(4), 12, adder(8))


SPECS = ["exact", "exact(signed=true)", "trunc(cut=4)", "trunc(cut=8)", "mitchell", "drum(k=4)", "kulkarni", "ssm(m=4)", "roba", "mbm"]


def _circuit(spec: str) -> Circuit:
    found = units.get(spec).circuit()
    assert found is not None
    return found


@pytest.mark.slow
@needs_yosys
@pytest.mark.skipif(shutil.which("sta") is None, reason="needs OpenSTA")
@pytest.mark.parametrize("spec", SPECS)
def test_delay_equals_opensta(spec: str, tmp_path: Path) -> None:
    around = Surroundings(wire=0.0)
    mapped = netlist(_circuit(spec), Setup(around=around, recipe="fa"))
    (tmp_path / "cells.lib").write_text(library().text)
    (tmp_path / "unit.v").write_text(mapped_verilog(mapped))
    script = f"""read_liberty cells.lib
read_verilog unit.v
link_design {mapped.name}
create_clock -name c -period 10
set_input_delay 0 -clock c [all_inputs]
set_output_delay 0 -clock c [all_outputs]
set_input_transition {around.slew} [all_inputs]
set_load {around.output} [all_outputs]
report_checks -path_delay max -digits 5
exit
"""
    (tmp_path / "run.tcl").write_text(script)
    shown = subprocess.run(["sta", "-exit", "run.tcl"], cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    arrival = next(float(line.split()[0]) for line in shown.splitlines() if "data arrival time" in line)
    assert delay(mapped, around) == pytest.approx(arrival, rel=0.001)


@needs_yosys
@pytest.mark.parametrize("recipe", RECIPES)
def test_mapped_netlists_are_read_back(recipe: str, tmp_path: Path) -> None:
    circuit = multiplier(6, kind="dadda", signed=True)
    path = tmp_path / "mapped.v"
    path.write_text(mapped_verilog(netlist(circuit, Setup(recipe=recipe, cache=False))))
    again = read_verilog(path)
    a, b = np.meshgrid(np.arange(-32, 32), np.arange(-32, 32))
    assert (evaluate(again, a & 63, b & 63) == (a * b) & 4095).all()


@pytest.mark.skipif(shutil.which("yosys") is None, reason="needs a yosys on the PATH")
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_yosys_of_the_path(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "pyosys" else found(name, *rest))
    source, setup = multiplier(4, kind="dadda"), Setup(recipe=recipe, cache=False)
    (silicon,) = synthesise([source], setup)
    assert " by yosys " in silicon.area.source
    assert silicon.area.value == pytest.approx(sum(library().cells[placed.cell].area for placed in netlist(source, setup).cells))
    with pytest.raises(SynthesisError, match="bad could not be synthesised: ERROR"), Yosys() as yosys:
        yosys.run(["no_such_command"], "bad")
