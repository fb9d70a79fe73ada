"""Cells as transistors: series-parallel networks to SPICE subcircuits, and their size."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Network:
    """A leaf (an input's name), or parts in series or in parallel."""

    kind: str
    name: str = ""
    parts: tuple[Network, ...] = ()

    def dual(self) -> Network:
        """Series and parallel exchanged."""
        other = {"series": "parallel", "parallel": "series", "leaf": "leaf"}[self.kind]
        return Network(other, self.name, tuple(part.dual() for part in self.parts))

    def longest(self) -> int:
        """Transistors on the longest series path."""
        if self.kind == "leaf":
            return 1
        lengths = [part.longest() for part in self.parts]
        return sum(lengths) if self.kind == "series" else max(lengths)

    def leaves(self) -> Iterator[str]:
        """The inputs, as often as they occur."""
        if self.kind == "leaf":
            yield self.name
        for part in self.parts:
            yield from part.leaves()


def network(text: str) -> Network:
    """`A*B+C` as a network; * binds stronger than +."""
    tokens = re.findall(r"\w+|[()*+]", text)
    place = 0

    def parallel() -> Network:
        nonlocal place
        parts = [series()]
        while place < len(tokens) and tokens[place] == "+":
            place += 1
            parts.append(series())
        return parts[0] if len(parts) == 1 else Network("parallel", parts=tuple(parts))

    def series() -> Network:
        nonlocal place
        parts = [atom()]
        while place < len(tokens) and tokens[place] == "*":
            place += 1
            parts.append(atom())
        return parts[0] if len(parts) == 1 else Network("series", parts=tuple(parts))

    def atom() -> Network:
        nonlocal place
        token = tokens[place]
        place += 1
        if token != "(":
            return Network("leaf", token)
        inner = parallel()
        place += 1
        return inner

    return parallel()


def subcircuit(name: str, cell: dict[str, Any], base: dict[str, Any]) -> str:
    """The cell as `.subckt name inputs outputs vdd`."""
    numbers = itertools.count()
    lines: list[str] = []

    def transistor(kind: str, drain: str, gate: str, source: str, width: float) -> None:
        model, bulk = (base["nmos"], "0") if kind == "n" else (base["pmos"], "vdd")
        lines.append(f"m{next(numbers)} {drain} {gate} {source} {bulk} {model} w={width:.4f}u l={base['length_um']}u")

    def place(part: Network, top: str, bottom: str, kind: str, drive: float, others: int) -> None:
        if part.kind == "leaf":
            transistor(kind, top, part.name, bottom, drive * base[f"{kind}mos_um"] * (1 + others))
        elif part.kind == "parallel":
            for inner in part.parts:
                place(inner, top, bottom, kind, drive, others)
        else:
            nodes = [top, *(f"x{next(numbers)}" for _ in part.parts[1:]), bottom]
            for inner, upper, lower in zip(part.parts, nodes, nodes[1:], strict=False):
                place(inner, upper, lower, kind, drive, others + part.longest() - inner.longest())

    for stage in cell["stages"]:
        pull, drive = network(stage["pull"]), stage.get("drive", 1)
        place(pull, stage["out"], "0", "n", drive, 0)
        place(pull if stage.get("mirror") else pull.dual(), stage["out"], "vdd", "p", drive, 0)
    for out, source, high, low in cell.get("gates", []):
        transistor("n", out, high, source, base["nmos_um"])
        transistor("p", out, low, source, base["pmos_um"])
    for out, source, high, low in cell.get("holds", []):
        for kind, rail, enable in (("n", "0", high), ("p", "vdd", low)):
            node = f"x{next(numbers)}"
            transistor(kind, out, enable, node, base[f"{kind}mos_um"])
            transistor(kind, node, source, rail, base[f"{kind}mos_um"])
    ports = " ".join([*cell["inputs"], *cell["outputs"], "vdd"])
    return "\n".join([f".subckt {name} {ports}", *lines, ".ends"])


def area(cell: dict[str, Any], base: dict[str, Any]) -> float:
    """um2, an estimate: pairs of transistors side by side, one column each and one more; twice as wide for every doubling of drive."""
    columns = 1.0
    for stage in cell["stages"]:
        columns += stage.get("drive", 1) * len(list(network(stage["pull"]).leaves()))
    columns += len(cell.get("gates", [])) + 2 * len(cell.get("holds", []))
    return round(columns * base["column_um"] * base["row_um"], 4)
