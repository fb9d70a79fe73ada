"""Mapping a layer to row-stationary PEs with scratchpads: rows of filters and inputs meet in a PE, sums travel up a column of PEs.

A PE set is kernel rows x output rows of PEs; sets side by side take other channels or filters. A PE keeps `p` filters x `q` channels of
one kernel row and works along an output row. Tilings are searched together, in every order of the loops that matters.

Reference: Chen, Emer, Sze, Eyeriss: a spatial architecture for energy-efficient dataflow, ISCA 2016, doi:10.1109/ISCA.2016.40
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from inexact.core.workload import LayerWorkload
from inexact.hardware._choice import Chosen, Found
from inexact.hardware._mapping import Mapping, stored_bits, table_bits, weight_bits
from inexact.hardware._systolic import rows_fetched, sizes
from inexact.hardware.nest import Convolution, Counts, Kept, Loop, count

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator
    from inexact.hardware._memories import Spads

NAMES = {"N": "batch", "M": "filters", "C": "channels", "P": "rows"}
ORDERS = ("NPMC", "MNPC", "CNPM", "NPCM", "MCNP", "CMNP")
"""Orders of the loops over tiles, outermost first: which tensor stays follows from what is innermost; batch and rows go together."""

SPAD, GLOBAL, DRAM = 0, 1, 2


def search(machine: Accelerator, layer: LayerWorkload, *, input_resident: bool, output_resident: bool) -> Mapping | None:
    """The best mapping, or None when no tile fits scratchpads and memories."""
    grid = _grid(machine, layer)
    if grid is not None:
        grid = grid[:, _fitting(machine, layer, grid, input_resident=input_resident)]
    if grid is None or not grid.size:
        return None
    best: Found | None = None
    for outer, inner in product(ORDERS, ("NPMC", "MNPC", "CNPM")):
        found = _ordered(machine, layer, _counted(machine, layer, grid, outer, inner), resident=(input_resident, output_resident))
        if best is None or found[0] < best[0]:
            best = found
    return best[1] if best else None


def _fitting(machine: Accelerator, layer: LayerWorkload, grid: Any, *, input_resident: bool) -> Any:
    """Which tilings the memories hold: inputs under a tile, sums of it, weights where a memory holds them."""
    e, r, t, q, p, n, m, c, h = grid
    a, b, s = stored_bits(layer), weight_bits(layer), layer.arithmetic.accumulator_bits
    (step_h, step_w), rows = layer.steps, e * h
    high = np.minimum(layer.in_h, (rows - 1) * step_h + (layer.kernel_h - 1) * layer.dilation_h + 1)
    wide = min(layer.in_w, (layer.out_w - 1) * step_w + (layer.kernel_w - 1) * layer.dilation_w + 1)
    inputs = layer.inputs * a if input_resident else n * q * r * c * high * wide * a
    waits = np.ceil(layer.in_channels // layer.groups / (q * r)) > 1
    sums = n * p * t * m * rows * layer.out_w * np.where(waits, s, a)
    weights = 2 * p * t * m * q * r * c * layer.kernel_h * layer.kernel_w * b if machine.home("weights") else 0.0
    return np.broadcast_to(machine.fits({"inputs": inputs, "weights": weights, "sums": sums, "outputs": 0.0}), e.shape)


def _sets(machine: Accelerator, kernel_rows: int, output_rows: int) -> int:
    """How many sets of kernel_rows x output_rows PEs the array holds; a set wider than the array is folded over groups of rows."""
    bands = machine.rows // kernel_rows
    if output_rows <= machine.columns:
        return bands * (machine.columns // output_rows)
    return bands // ceil(output_rows / machine.columns)


def _grid(machine: Accelerator, layer: LayerWorkload) -> Any:
    """Candidate tilings as columns: e rows of a set, r and t sets for channels and filters, q and p in a PE; then how many images (n) and
    how many passes over filters (m), channels (c) and rows (h) share a tile of the global memory."""
    C, M, B, P = layer.in_channels // layer.groups, layer.filters, layer.batch, layer.out_h
    inside = _inside(machine, layer)
    if not len(inside):
        return None
    e, r, t, q, p = inside.T
    parts = np.array([1, 2, 3, 4, 6, 8, 16, 1 << 20], dtype=np.float64)
    images = np.array(_few(B, 5), dtype=np.float64)
    pick = np.array(np.meshgrid(np.arange(len(inside)), np.arange(len(images)), np.arange(8), [0, 1, 3, 7], [0, 1, 2, 7], indexing="ij"))
    which, n, m, c, h = pick.reshape(5, -1)
    e, r, t, q, p = (column[which] for column in (e, r, t, q, p))

    def passes(whole: Any, part: Any) -> Any:
        return np.maximum(1, np.ceil(whole / parts[part]))

    grid = np.array([e, r, t, q, p, images[n], passes(np.ceil(M / (p * t)), m), passes(np.ceil(C / (q * r)), c), passes(np.ceil(P / e), h)])
    return np.unique(grid, axis=1)


def _inside(machine: Accelerator, layer: LayerWorkload) -> Any:
    """What PE sets and PEs may hold, as rows (e, r, t, q, p); those that keep less than half as many PEs busy as the best are left out."""
    C, M, P = layer.in_channels // layer.groups, layer.filters, layer.out_h
    taps = min(layer.kernel_h, machine.rows)  # taller kernels run in several passes
    words = machine.spads(layer)
    widest = min(P, machine.columns * (machine.rows // taps))
    across = {widest, min(P, machine.columns), ceil(P / ceil(P / min(P, machine.columns))), ceil(P / ceil(P / widest))}
    rows = []
    for e in sorted(across, reverse=True):
        sets = _sets(machine, taps, e)
        for r in (r for r in _few(sets, 7) if sets and r <= C):
            t = min(M, sets // r)
            busy = taps * e * r * t * (C / (r * ceil(C / r))) * (M / (t * ceil(M / t))) * (P / (e * ceil(P / e)))
            held = [
                (q, p)
                for q in _channels(C, layer.kernel_w, words)
                for p in _filters(ceil(M / t))
                if q * r < C + r and words.hold(q * layer.kernel_w, p * q * layer.kernel_w, p)
            ]
            rows += [(busy, e, r, t, *pair) for pair in _largest(held)]
    most = max((row[0] for row in rows), default=0.0)
    return np.array([row[1:] for row in rows if row[0] >= most / 2], dtype=np.float64)


def _largest(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs that no other exceeds in both, since what a PE keeps it need not fetch again; and the smallest, for tight memories."""
    kept = [pair for pair in pairs if not any(other != pair and other[0] >= pair[0] and other[1] >= pair[1] for other in pairs)]
    return sorted({*kept, *([min(pairs)] if pairs else [])})


def _few(extent: int, count: int) -> list[int]:
    """At most `count` tile sizes, spread from the whole to one."""
    known = sizes(extent)
    if known[-1] > 1:
        known = [*known, 1]
    places = sorted({round(place * (len(known) - 1) / max(1, count - 1)) for place in range(count)})
    return [known[place] for place in places]


def _channels(extent: int, taps: int, words: Spads) -> list[int]:
    """Channels of which a PE may keep a row of the kernel: even parts of them, up to what its scratchpads hold."""
    most = int(min(words.inputs, words.shared) // taps) or 1
    return sorted(
        {ceil(extent / ceil(extent / count)) for count in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, most) if count <= most}, reverse=True
    )


def _filters(extent: int) -> list[int]:
    """Filters a PE may keep: the even parts of them up to 32, where scratchpads end."""
    return sorted({ceil(extent / ceil(extent / most)) for most in (1, 2, 4, 8, 12, 16, 24, 32)}, reverse=True)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Tilings (`_grid`) in one order of their loops. outer: the loops over tiles; trips: how often each runs. taps: kernel rows of a set.

    found: what a nest of full tiles moves; share: of it the true part, by tensor.
    """

    grid: Any
    outer: str
    trips: dict[str, Any]
    taps: int
    found: Counts
    share: dict[str, Any]


def _counted(machine: Accelerator, layer: LayerWorkload, grid: Any, outer: str, inner: str) -> _Counted:
    e, r, t, q, p, n, m, c, h = grid
    C, M, B, P = layer.in_channels // layer.groups, layer.filters, layer.batch, layer.out_h
    taps = min(layer.kernel_h, machine.rows)
    tiles = {"N": np.ceil(B / n), "M": np.ceil(np.ceil(M / (p * t)) / m), "C": np.ceil(np.ceil(C / (q * r)) / c)}
    tiles["P"] = np.ceil(np.ceil(P / e) / h)
    passes = {"N": n, "M": m, "C": c, "P": h}
    loops = [Loop(name, tiles[name], GLOBAL) for name in outer]
    loops += [Loop(name, passes[name], SPAD) for name in inner]
    loops += [Loop("R", ceil(layer.kernel_h / taps), SPAD)]
    loops += [Loop("C", r, SPAD, True), Loop("M", t, SPAD, True), Loop("P", e, SPAD, True), Loop("R", taps, SPAD, True)]
    loops += [Loop("Q", layer.out_w, SPAD), Loop("C", q, -1), Loop("S", layer.kernel_w, -1), Loop("M", p, -1)]
    weights = (SPAD, GLOBAL, DRAM) if machine.home("weights") else (SPAD, DRAM)
    kept = Kept(inputs=(SPAD, GLOBAL, DRAM), weights=weights, outputs=(SPAD, GLOBAL, DRAM))
    problem = Convolution(stride=layer.steps, dilation=(layer.dilation_h, layer.dilation_w))
    # The nest runs over full tiles; a tensor's own extent gives the true share of each.
    images, filters = B / (n * tiles["N"]), M / (p * t * m * tiles["M"])
    channels, rows = C / (q * r * c * tiles["C"]), P / (e * h * tiles["P"])
    share = {
        "inputs": images * channels * rows,
        "weights": filters * channels * (layer.kernel_h / (taps * ceil(layer.kernel_h / taps))),
        "outputs": images * filters * rows,
    }
    return _Counted(grid, outer, tiles, taps, count(problem, loops, kept), share)


@dataclass(frozen=True, slots=True)
class _Movement:
    """Bits. traffic: (read, written) of the memories, by role; spads: of the scratchpads; hops: of sums from PE to PE."""

    traffic: dict[str, tuple[Any, Any]]
    spads: dict[str, tuple[Any, Any]]
    hops: Any
    dram_reads: Any
    dram_writes: Any


def _movement(machine: Accelerator, layer: LayerWorkload, counted: _Counted, resident: tuple[bool, bool]) -> _Movement:
    e, r, _, _, _, n, _, _, h = counted.grid
    groups, macs, trips, share = layer.groups, layer.macs, counted.trips, counted.share
    a, b, s = stored_bits(layer), weight_bits(layer), layer.arithmetic.accumulator_bits
    input_resident, output_resident = resident
    home, moved = machine.home("weights"), counted.found.crossings
    into_global, into_spads = moved["inputs"][GLOBAL, DRAM], moved["inputs"][SPAD, GLOBAL]
    channels = layer.in_channels // groups
    dram_inputs = 0.0 if input_resident else groups * np.minimum(
        into_global.parent_reads * share["inputs"], trips["M"] * trips["C"] * n * trips["N"] * channels * _fetched(layer, e * h)
    ) * a  # fmt: skip
    weights_in = moved["weights"][(GLOBAL, DRAM) if home else (SPAD, DRAM)]
    dram_weights = groups * weights_in.parent_reads * share["weights"] * b
    drained, spilled = moved["outputs"][SPAD, GLOBAL], moved["outputs"][GLOBAL, DRAM]
    spills = groups * spilled.parent_reads * share["outputs"] * s
    results = groups * layer.batch * layer.filters * layer.out_h * layer.out_w * a
    to_global = groups * drained.updates * share["outputs"] * s
    from_global = groups * drained.parent_reads * share["outputs"] * s
    traffic = {
        "inputs": (groups * into_spads.parent_reads * share["inputs"] * a, dram_inputs),
        "sums": (from_global + spills, to_global + spills),
        "outputs": (np.float64(0 if output_resident else results), np.float64(0)),
    }
    if home:
        traffic["weights"] = (groups * moved["weights"][SPAD, GLOBAL].parent_reads * share["weights"] * b, dram_weights)
    spads = {
        "input": (np.float64(macs * a), groups * into_spads.fills * share["inputs"] * a),
        "weight": (np.float64(macs * b), groups * moved["weights"][(SPAD, GLOBAL) if home else (SPAD, DRAM)].fills * share["weights"] * b),
        "sum": (np.float64(macs * s), np.float64(macs * s)),
    }
    hops = groups * drained.updates * share["outputs"] * (counted.taps * r) * s
    reads, writes = dram_inputs + dram_weights + spills + table_bits(layer), spills + (0 if output_resident else results)
    return _Movement(traffic, spads, hops, reads, writes)


def _ordered(machine: Accelerator, layer: LayerWorkload, counted: _Counted, *, resident: tuple[bool, bool]) -> Found:
    """The best tiling with the loops in one order. resident: whether inputs, outputs are."""
    e, r, t, q, p, n, m, c, h = counted.grid
    moved = _movement(machine, layer, counted, resident)
    memory, cycles = machine.by_memory(moved.traffic), layer.groups * counted.found.steps
    chosen = Chosen.of(machine.score(cycles, moved.hops, memory, moved.spads, moved.dram_reads + moved.dram_writes), e.shape)
    at, total = chosen.at, max(1, round(chosen.at(cycles)))
    return chosen.key, Mapping(
        dataflow="row_stationary",
        cycles=total,
        utilisation=min(1.0, layer.macs / (total * machine.rows * machine.columns)),
        tile={"batch": round(at(n)), "rows": round(at(e * h)), "channels": round(at(q * r * c)), "filters": round(at(p * t * m))}
        | {"set_rows": round(at(e)), "pe_filters": round(at(p)), "pe_channels": round(at(q))}
        | {"channel_sets": round(at(r)), "filter_sets": round(at(t))},
        order=tuple(NAMES[name] for name in counted.outer if at(counted.trips[name]) > 1),
        register_bits=at(moved.hops),
        memory=chosen.moved(memory),
        dram_reads=at(moved.dram_reads),
        dram_writes=at(moved.dram_writes),
        spads=chosen.moved(moved.spads),
    )


def _fetched(layer: LayerWorkload, rows: Any) -> Any:
    """Input elements of one channel and image that tiles of so many output rows fetch, padding left out."""
    step_h, step_w = layer.steps
    _, width = rows_fetched(layer.out_w, layer.out_w, layer.kernel_w, step_w, layer.dilation_w, layer.in_w)
    known = {
        value: rows_fetched(layer.out_h, max(1, int(value)), layer.kernel_h, step_h, layer.dilation_h, layer.in_h)[1] * width
        for value in np.unique(rows)
    }
    return np.vectorize(known.__getitem__, otypes=[np.float64])(rows)
