"""Named nets and what drives them, in whatever order a file lists them; sorted, checked and turned into a circuit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import ONE, ZERO, Bus, Circuit, Op, Wires
from inexact.core.errors import CircuitError

LOW = "1'b0"
HIGH = "1'b1"
"""Nets that need no driver."""


@dataclass(frozen=True)
class _Node:
    """What drives some nets: a cell, a small circuit (one input bus a net), or a wire (None)."""

    kind: Op | Circuit | None
    outputs: tuple[str, ...]
    sources: tuple[str, ...]
    where: str


class NetGraph:
    """The nets of one file; `file` names it in messages. Nets are added in any order, then `circuit` makes sense of them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._drivers: dict[str, _Node] = {}
        self._fresh = 0

    def fresh(self) -> str:
        """A net of no other name."""
        self._fresh += 1
        return f"<{self._fresh}>"

    def drive(self, outputs: Sequence[str], kind: Op | Circuit | None, sources: Sequence[str], where: str) -> None:
        """Let `kind` with inputs `sources` drive `outputs`. CircuitError when one is driven already."""
        node = _Node(kind, tuple(outputs), tuple(sources), where)
        for net in outputs:
            if net in {LOW, HIGH}:
                raise CircuitError(f"{self.file}, {where}: a constant cannot be driven")
            if net in self._drivers:
                raise CircuitError(f"{self.file}, {where}: net {net} must have one driver, but is driven at {self._drivers[net].where} too")
            self._drivers[net] = node

    def gate(self, kind: Op, sources: Sequence[str], where: str) -> str:
        """A new net driven by a cell with one output."""
        net = self.fresh()
        self.drive([net], kind, sources, where)
        return net

    def circuit(
        self, name: str, inputs: Iterable[tuple[Bus, Sequence[str]]], outputs: Iterable[tuple[Bus, Sequence[str]]], *, simplify: bool
    ) -> Circuit:
        """The circuit. Raises CircuitError for nets without driver and for cycles, naming the nets."""
        b = Builder(name, simplify=simplify)
        wires = {LOW: ZERO, HIGH: ONE}
        for bus, nets in inputs:
            for net, wire in zip(nets, b.input(bus.name, bus.width, signed=bus.signed), strict=True):
                if net in self._drivers:
                    raise CircuitError(f"{self.file}, {self._drivers[net].where}: net {net} is an input and must not be driven")
                wires[net] = wire
        results = list(outputs)
        for net in [*self._drivers, *(net for _, nets in results for net in nets)]:
            self._resolve(net, b, wires)
        for bus, nets in results:
            b.output(bus.name, [wires[net] for net in nets], signed=bus.signed)
        return b.build()

    def _resolve(self, net: str, b: Builder, wires: dict[str, int]) -> None:
        """Place what drives `net` and, before it, all it reads: depth first, with a stack of our own, for netlists are deep."""
        path: dict[str, int] = {}
        stack = [net]
        while stack:
            current = stack[-1]
            if current in wires:
                stack.pop()
                path.pop(current, None)
                continue
            node = self._driver(current, stack[-2] if len(stack) > 1 else None)
            path[current] = len(path)
            missing = [source for source in node.sources if source not in wires]
            cyclic = next((source for source in missing if source in path), None)
            if cyclic is not None:
                around = [name for name in path if path[name] >= path[cyclic]]
                # nets inside an expression have no name of their own
                ring = [name for name in around if not name.startswith("<")] or around
                ring.append(ring[0])
                shown = " <- ".join(ring if len(ring) <= 8 else [*ring[:6], "…", ring[-1]])
                raise CircuitError(
                    f"{self.file}, {node.where}: a circuit must not have cycles, but {shown}; state needs a model of its own"
                )
            if missing:
                stack.append(missing[0])
                continue
            placed = _placed(b, node, [wires[source] for source in node.sources])
            wires.update(zip(node.outputs, placed, strict=True))

    def _driver(self, net: str, reader: str | None) -> _Node:
        if net not in self._drivers:
            place = f", read at {self._drivers[reader].where}," if reader is not None else ""
            raise CircuitError(f"{self.file}: net {net}{place} must be driven, but nothing drives it")
        return self._drivers[net]


def _placed(b: Builder, node: _Node, sources: Sequence[int]) -> Wires:
    if node.kind is None:
        return tuple(sources)
    if isinstance(node.kind, Op):
        return b.place(node.kind, sources)
    return tuple(wire for word in b.include(node.kind, *((source,) for source in sources)) for wire in word)
