"""What ngspice says of a cell: delays, slews, energies, leakage, capacitances. Results in ns, fF, fJ, nW."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from cells45 import spice
from cells45.transistors import subcircuit

from inexact.circuits.cells._functions import truth_table

SLEWS = (0.005, 0.03, 0.08, 0.2)
"""ns, 20 % to 80 %, of a straight ramp."""

LOADS = (0.4, 2.0, 8.0, 25.0)
"""fF."""

_RISE, _FALL, _END = 0.2, 1.1, 2.0
"""ns: when the ramps begin, and the end."""

_STEP, _LONGEST = 0.002, 0.006
"""ns: first and longest step; ngspice takes shorter ones where waves bend."""


class Cell:
    """One cell under test."""

    def __init__(self, name: str, cell: dict[str, Any], base: dict[str, Any], models: Path) -> None:
        self.name, self.cell, self.base, self.models = name, cell, base, models
        self.inputs: list[str] = cell["inputs"]
        self.outputs: list[str] = list(cell["outputs"])
        self.voltage = float(base["voltage_v"])
        self.subcircuit = subcircuit(name, cell, base)

    def leakage(self) -> dict[str, float]:
        """nW by state of the inputs, in their order, as "01"."""
        states = ["".join(bits) for bits in itertools.product("01", repeat=len(self.inputs))]
        deck = [self.subcircuit]
        for k, state in enumerate(states):
            nodes = [f"in{k}_{pin}" for pin in self.inputs]
            deck += [f"v{node} {node} 0 {int(bit) * self.voltage}" for node, bit in zip(nodes, state, strict=True)]
            deck += [
                f"vs{k} s{k} 0 {self.voltage}",
                f"x{k} {' '.join(nodes)} {' '.join(f'o{k}_{o}' for o in self.outputs)} s{k} {self.name}",
            ]
        found = self._run([*deck, ".op"])
        return {state: -float(found[f"i(vs{k})"][0]) * self.voltage * 1e9 for k, state in enumerate(states)}

    def switches(self, pin: str, others: dict[str, int]) -> bool:
        """Whether any output follows the pin in this state of the others."""
        low, high = (sum({**others, pin: level}[name] << place for place, name in enumerate(self.inputs)) for level in (0, 1))
        tables = [truth_table(function, self.inputs, self.name) for function in self.cell["outputs"].values()]
        return any((table >> low ^ table >> high) & 1 for table in tables)

    def toggled(self, pin: str, others: dict[str, int]) -> dict[str, np.ndarray]:
        """`pin` rises, then falls, the others held: arrays [slews, loads] by quantity and [2] edges of the pin last.

        delay_O, slew_O: of output O (nan where it does not switch); direction_O: 1 where it rises; energy: from the supply, without
        leakage; charge: into the pin, fF (charge over voltage). Where no output switches there is one load.
        """
        loads = LOADS if self.switches(pin, others) else LOADS[1:2]
        cases = list(itertools.product(range(len(SLEWS)), range(len(loads))))
        deck, saved = [self.subcircuit], ["time"]
        for k, (s, c) in enumerate(cases):
            ramp = SLEWS[s] / 0.6
            edges = f"0 0 {_RISE}n 0 {_RISE + ramp}n {self.voltage} {_FALL}n {self.voltage} {_FALL + ramp}n 0"
            nodes = []
            for name in self.inputs:
                node = f"in{k}_{name}"
                nodes.append(node)
                deck.append(f"v{node} {node} 0 " + (f"pwl({edges})" if name == pin else f"{others[name] * self.voltage}"))
            outs = [f"o{k}_{o}" for o in self.outputs]
            deck += [f"vs{k} s{k} 0 {self.voltage}", f"x{k} {' '.join(nodes)} {' '.join(outs)} s{k} {self.name}"]
            deck += [f"c{k}_{i} {out} 0 {loads[c]}f" for i, out in enumerate(outs)]
            saved += [f"v({out})" for out in outs] + [f"i(vs{k})", f"i(vin{k}_{pin})"]
        found = self._run([*deck, f".save {' '.join(saved[1:])}", f".tran {_STEP}n {_END}n 0 {_LONGEST}n"])
        return self._read(found, cases, loads, pin)

    def _read(
        self, found: dict[str, np.ndarray], cases: list[tuple[int, int]], loads: tuple[float, ...], pin: str
    ) -> dict[str, np.ndarray]:
        time = found["time"] * 1e9
        shape = (len(SLEWS), len(loads), 2)
        names = [f"{kind}_{o}" for o in self.outputs for kind in ("delay", "slew", "direction")] + ["energy", "charge"]
        result = {name: np.full(shape, np.nan) for name in names}
        for k, (s, c) in enumerate(cases):
            supply, gate = -found[f"i(vs{k})"], -found[f"i(vin{k}_{pin.lower()})"]
            idle = supply[(time > _RISE - 0.1) & (time < _RISE)].mean()
            busy = supply[(time > _FALL - 0.1) & (time < _FALL)].mean()
            for edge, (begin, end) in enumerate(((_RISE, _FALL), (_FALL, _END))):
                inside = (time >= begin) & (time < end)
                at = begin + SLEWS[s] / 0.6 / 2
                quiet = busy if edge == 0 else idle
                result["energy"][s, c, edge] = np.trapezoid(supply[inside] - quiet, time[inside]) * self.voltage * 1e6
                result["charge"][s, c, edge] = abs(np.trapezoid(gate[inside], time[inside])) / self.voltage * 1e6
                for o in self.outputs:
                    wave = found[f"v(o{k}_{o.lower()})"][inside] / self.voltage
                    if abs(wave[-1] - wave[0]) < 0.8:
                        continue
                    rises = wave[-1] > wave[0]
                    crossed = [_crossing(time[inside], wave, level, rises) for level in (0.2, 0.5, 0.8)]
                    result[f"delay_{o}"][s, c, edge] = crossed[1] - at
                    result[f"slew_{o}"][s, c, edge] = abs(crossed[2] - crossed[0])
                    result[f"direction_{o}"][s, c, edge] = float(rises)
        return result

    def clocked(self) -> dict[str, Any]:
        """A flip-flop: clock-to-output delays and slews [slews, loads, (Q falls, Q rises)], energies, capacitances, setup."""
        cycles = {"fall": 0, "rise": 1}
        result: dict[str, Any] = {}
        for name, data in cycles.items():
            result[name] = self._captured(data)
        result["idle"] = [self._clock_energy(data) for data in (0, 1)]
        result["data"] = [self._data_energy(clock) for clock in (0, 1)]
        result["setup"] = max(self._setup(data) for data in (0, 1))
        return result

    def _captured(self, data: int) -> dict[str, Any]:
        """The stored bit becomes `data` at the second clock edge; the clock's slew and the load vary."""
        cases = list(itertools.product(range(len(SLEWS)), range(len(LOADS))))
        deck, saved = [self.subcircuit], []
        for k, (s, c) in enumerate(cases):
            ramp, v = SLEWS[s] / 0.6, self.voltage
            deck.append(f"vc{k} c{k} 0 pwl(0 0 0.3n 0 {0.3 + ramp}n {v} 1n {v} {1 + ramp}n 0 2n 0 {2 + ramp}n {v} 3.2n {v})")
            deck.append(f"vd{k} d{k} 0 pwl(0 {(1 - data) * v} 1.5n {(1 - data) * v} 1.52n {data * v})")
            deck += [f"vs{k} s{k} 0 {v}", f"x{k} d{k} c{k} q{k} s{k} {self.name}", f"cl{k} q{k} 0 {LOADS[c]}f"]
            saved += [f"v(q{k})", f"i(vs{k})"]
        found = self._run([*deck, f".save {' '.join(saved)}", f".tran {_STEP}n 3.2n 0 {_LONGEST}n"])
        time = found["time"] * 1e9
        delay, slew, energy = (np.zeros((len(SLEWS), len(LOADS))) for _ in range(3))
        for k, (s, c) in enumerate(cases):
            inside = time >= 1.9
            wave, supply = found[f"v(q{k})"][inside] / self.voltage, -found[f"i(vs{k})"]
            crossed = [_crossing(time[inside], wave, level, bool(data)) for level in (0.2, 0.5, 0.8)]
            delay[s, c], slew[s, c] = crossed[1] - 2 - SLEWS[s] / 1.2, abs(crossed[2] - crossed[0])
            quiet = supply[(time > 3.0)].mean()
            energy[s, c] = np.trapezoid(supply[inside] - quiet, time[inside]) * self.voltage * 1e6
        return {"delay": delay, "slew": slew, "energy": energy}

    def _clock_energy(self, data: int) -> list[list[float]]:
        """A clock edge that stores what is stored already: [slews][fJ of the rise, of the fall, charge of the pin in fF]."""
        return [self._held("c", slew, {"d": data}) for slew in SLEWS]

    def _data_energy(self, clock: int) -> list[list[float]]:
        """A data edge that no clock edge samples: [slews][fJ of the rise, of the fall, charge of the pin in fF]."""
        return [self._held("d", slew, {"c": clock}) for slew in SLEWS]

    def _held(self, pin: str, slew: float, others: dict[str, int]) -> list[float]:
        ramp, v = slew / 0.6, self.voltage
        first = f"pwl(0 0 0.3n 0 0.35n {v} 0.9n {v} 0.95n 0 1.5n 0 {1.5 + ramp}n {v} 2.6n {v} {2.6 + ramp}n 0)"
        deck = [self.subcircuit, f"vs s 0 {v}", f"x d c q s {self.name}", "cl q 0 2f", f"v{pin} {pin} 0 {first}"]
        deck += [f"v{name} {name} 0 {level * v}" for name, level in others.items()]
        found = self._run([*deck, f".save i(vs) i(v{pin})", f".tran {_STEP}n 3.7n 0 {_LONGEST}n"])
        time, supply = found["time"] * 1e9, -found["i(vs)"]
        energies = []
        for begin, end in ((1.5, 2.6), (2.6, 3.7)):
            inside = (time >= begin) & (time < end)
            quiet = supply[(time > end - 0.1) & (time < end)].mean()
            energies.append(float(np.trapezoid(supply[inside] - quiet, time[inside]) * v * 1e6))
        gate, edge = -found[f"i(v{pin})"], (time >= 1.5) & (time < 2.6)
        return [*energies, float(abs(np.trapezoid(gate[edge], time[edge])) / v * 1e6)]

    def _setup(self, data: int) -> float:
        """ns before the clock edge at which the clock-to-output delay grows by 10 %; data changes in steps of 2 ps."""
        offsets = np.arange(-0.02, 0.2, 0.002)
        deck, saved, v = (
            [self.subcircuit, f"vc c 0 pwl(0 0 0.3n 0 0.333n {self.voltage} 1n {self.voltage} 1.033n 0 2n 0 2.033n {self.voltage})"],
            [],
            self.voltage,
        )
        for k, offset in enumerate(offsets):
            at = 2.0165 - offset
            deck.append(f"vd{k} d{k} 0 pwl(0 {(1 - data) * v} {at - 0.0165}n {(1 - data) * v} {at + 0.0165}n {data * v})")
            deck += [f"vs{k} s{k} 0 {v}", f"x{k} d{k} c q{k} s{k} {self.name}", f"cl{k} q{k} 0 2f"]
            saved.append(f"v(q{k})")
        found = self._run([*deck, f".save {' '.join(saved)}", f".tran {_STEP}n 3n 0 {_LONGEST}n"])
        time = found["time"] * 1e9
        inside = time > 1.95
        delays = np.array([_crossing(time[inside], found[f"v(q{k})"][inside] / v, 0.5, bool(data)) for k in range(len(offsets))])
        good = delays <= (delays[-1] - 2.0165) * 1.1 + 2.0165
        return float(offsets[np.flatnonzero(~good)[-1] + 1]) if (~good).any() else float(offsets[0])

    def _run(self, deck: list[str]) -> dict[str, np.ndarray]:
        return spice.run(deck, self.models, self.base["temperature_c"])


def _crossing(time: np.ndarray, wave: np.ndarray, level: float, rises: bool) -> float:
    """When the wave last crosses the level in this direction, or inf."""
    above = wave >= level if rises else wave <= level
    crossed = np.flatnonzero(~above[:-1] & above[1:])
    if not crossed.size:
        return float("inf")
    i = int(crossed[-1])
    return float(time[i] + (level - wave[i]) / (wave[i + 1] - wave[i]) * (time[i + 1] - time[i]))
