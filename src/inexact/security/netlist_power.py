"""Power analysis of a multiplier's own gates: toggles of its mapped netlist, glitches included, while the weight is held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inexact.circuits import Bus, Circuit, evaluate
from inexact.circuits.synthesis import Mapped, Setup, Surroundings, event_delays, netlist, toggles
from inexact.core.errors import SpecError
from inexact.nn import ApproxModel
from inexact.security._memory import memory_layer
from inexact.security.disclosure import Disclosure, DisclosureSettings, Rows, attacks_of, unit_disclosure
from inexact.security.leakage import ones
from inexact.security.record import Record
from inexact.security.side_channel import Element, Floats, elements, noise_of, rank_of, scores_of

Integers = NDArray[np.int64]

CHANGES = 4096
"""Changes of the activation by which operands that no toggle tells apart are found."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Gates:
    """A unit's netlist, mapped gate by gate to the library's cells, with the delays of its event-driven simulation.

    patterns: int64 [candidates], the unit's operand b for every candidate weight.
    """

    circuit: Circuit
    mapped: Mapped
    delays: NDArray[np.int32]
    patterns: Integers

    def switching(self, activations: NDArray[np.uint8], weight: int) -> Floats:
        """Toggles [T-1] of all nets as the activations [T] follow each other under one operand b, glitches included."""
        wa, wb = (bus.width for bus in self.circuit.inputs)
        a = (activations.astype(np.int64)[:, None] >> np.arange(wa)) & 1
        b = np.broadcast_to((weight >> np.arange(wb)) & 1, (len(a), wb))
        bits = np.ascontiguousarray(np.concatenate([a, b], axis=1), dtype=np.uint8)
        found = [toggles(self.mapped, bits[i : i + 1], bits[i + 1 : i + 2], self.delays).sum() for i in range(len(bits) - 1)]
        return np.array(found, np.float64)

    def hypotheses(self, activations: NDArray[np.uint8]) -> NDArray[np.int32]:
        """[T-1, 2**wb]: wires of the unmapped netlist that differ between settled states, for every operand b."""
        states = self._states()
        before, after = activations[:-1].astype(np.int64), activations[1:].astype(np.int64)
        found = np.zeros((len(before), states.shape[2]), np.int32)
        for part in states:
            found += ones(part[before] ^ part[after], 32)
        return found

    def classes(self) -> Integers:
        """int64 [2**wb]: for every operand b the first one whose settled toggles are the same in 4,096 random changes of the activation."""
        a = np.random.default_rng(0).integers(0, 1 << self.circuit.inputs[0].width, CHANGES + 1, dtype=np.uint8)
        _, first, inverse = np.unique(self.hypotheses(a), axis=1, return_index=True, return_inverse=True)
        return np.asarray(first[inverse.ravel()], dtype=np.int64)

    def _states(self) -> Integers:
        """int64 [parts, 2**wa, 2**wb]: every wire that a cell drives, 32 to a part."""
        circuit = self.circuit
        wires = np.arange(2 + circuit.input_bits, circuit.wires, dtype=np.int32)
        plain = tuple(Bus(bus.name, bus.width) for bus in circuit.inputs)
        a, b = np.meshgrid(*(np.arange(1 << bus.width) for bus in plain), indexing="ij")
        parts = [wires[start : start + 32] for start in range(0, len(wires), 32)]
        return np.stack([evaluate(Circuit(circuit.name, plain, (Bus("wires", len(p)),), circuit.cells, p), a, b) for p in parts])


def gates_of(net: ApproxModel, layer: str) -> Gates:
    """The netlist that the layer's unit is. SpecError when it has none."""
    chosen = memory_layer(net, layer)
    unit = chosen.rule.unit
    circuit = unit.circuit()
    if circuit is None:
        raise SpecError(f"toggles of gates need a netlist, and {unit.spec} has none; import one with `inexact unit import FILE.v`")
    mapped = netlist(circuit, Setup(recipe="unoptimised"))
    codes = chosen.weight_codes()
    patterns = codes.abs() if chosen.rule.coding == "sign_magnitude" else chosen.arithmetic.b_patterns(codes)
    return Gates(circuit=circuit, mapped=mapped, delays=event_delays(mapped, Surroundings())[0], patterns=patterns.numpy().astype(np.int64))


def netlist_disclosure(
    nets: Mapping[str, ApproxModel],
    images: Tensor,
    settings: DisclosureSettings,
    *,
    record: Record,
    progress: Callable[[int, int], None],
) -> Disclosure:
    """As `disclosure`, of one weight-stationary multiplier after the other: a trace has a sample for each change of the activation.

    The attacker knows the netlist and correlates with its settled toggles; the traces have glitches. Weights whose toggles are the same
    count as one: under sign-magnitude coding those that differ in sign, and those the unit cuts to the same digits.
    """
    grid = settings.grid()
    cases = {name: elements(net, settings.layer, images, settings.filters) for name, net in nets.items()}
    gates = {name: gates_of(net, settings.layer) for name, net in nets.items()}
    first = next(iter(nets))
    noise = noise_of([_signal(element.drawn(257, 0), gates[first]) for element in cases[first].values()], settings.snr)

    def attack(unit: str, element: Element, seed: int) -> Rows:
        return _attacked(element.drawn(settings.traces + 1, seed), gates[unit], grid, noise, seed)

    found = attacks_of(cases, settings, attack, record=record, progress=progress)
    units = {
        name: unit_disclosure(gates[name].classes()[gates[name].patterns], list(of_filter.values()), found[name])
        for name, of_filter in cases.items()
    }
    return Disclosure(settings=settings, noise=noise, units=units)


def _signal(element: Element, gates: Gates) -> Floats:
    """Toggles [T-1, K]."""
    columns = [gates.switching(element.activations[:, k], int(gates.patterns[w])) for k, w in enumerate(element.weights.tolist())]
    return np.stack(columns, axis=1)


def _attacked(element: Element, gates: Gates, grid: list[int], noise: float, seed: int) -> Rows:
    """(share of weights right, mean rank) for every number of traces."""
    signal = _signal(element, gates)
    traces = signal + np.random.default_rng(seed).normal(0.0, noise, signal.shape)
    classes = gates.classes()
    choices = np.unique(classes[gates.patterns])
    right, ranks = np.zeros((len(grid), len(element.weights))), np.zeros((len(grid), len(element.weights)))
    for k, weight in enumerate(element.weights.tolist()):
        hypotheses = gates.hypotheses(element.activations[:, k])[:, choices]
        true = int(np.searchsorted(choices, classes[gates.patterns[weight]]))
        for row, count in enumerate(grid):
            scores = scores_of(hypotheses[:count], traces[:count, k])
            right[row, k], ranks[row, k] = scores.argmax() == true, rank_of(scores, true)
    return [[float(share), float(rank)] for share, rank in zip(right.mean(axis=1), ranks.mean(axis=1), strict=True)]
