from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inexact import hardware
from inexact.core.errors import HardwareError
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware import Mapping
from inexact.hardware._mapping import residency

Conv = Callable[..., LayerWorkload]
SYSTOLIC = ("weight_stationary", "output_stationary", "input_stationary")


def sized(
    machine: hardware.Accelerator, *, dataflow: str = "weight_stationary", rows: int = 16, columns: int = 16, **kib: float
) -> hardware.Accelerator:
    """The machine with another array and other memories, in KiB by name."""
    numbers = dict(machine.numbers)
    for name, value in (("array.rows", rows), ("array.columns", columns)):
        numbers[name] = dataclasses.replace(numbers[name], value=float(value))
    memories = tuple(
        dataclasses.replace(found, numbers=found.numbers | {"kib": dataclasses.replace(found.numbers["kib"], value=kib[found.name])})
        if found.name in kib
        else found
        for found in machine.memory_descriptions
    )
    return dataclasses.replace(machine, numbers=numbers, memory_descriptions=memories, dataflows=(dataflow,))


def systolic_weight_stationary(rows: int, columns: int, pixels: int) -> int:
    """One fold, cycle by cycle: load the weights, then step until the last pixel has left the last column."""
    cycle = rows
    done = {(p, c): False for p in range(pixels) for c in range(columns)}
    step = 0
    while not all(done.values()):
        # Pixel p meets the last row of column c after p + (rows - 1) + c steps.
        for pixel, column in product(range(pixels), range(columns)):
            if step == pixel + (rows - 1) + column:
                done[pixel, column] = True
        step += 1
    return cycle + step


@pytest.mark.parametrize(("rows", "columns", "pixels"), [(1, 1, 1), (2, 3, 5), (4, 4, 1), (5, 2, 7)])
def test_one_weight_stationary_fold_takes_the_cycles_of_a_stepped_array(rows: int, columns: int, pixels: int) -> None:
    assert hardware.compute_cycles("weight_stationary", rows, columns, pixels, rows, columns) == systolic_weight_stationary(
        rows, columns, pixels
    )


def pieces(extent: int, tile: int) -> list[range]:
    return [range(start, min(extent, start + tile)) for start in range(0, extent, tile)]


def covered(outputs: range, taps: int, stride: int, extent: int, whole: int) -> set[int]:
    """Input rows under a range of outputs, padding left out."""
    before = max(0, (whole - 1) * stride + taps - extent) // 2
    reached = range(outputs[0] * stride - before, outputs[-1] * stride - before + taps)
    touched = {row for o in outputs for row in range(o * stride - before, o * stride - before + taps)} if stride > taps else set(reached)
    return {row for row in touched if 0 <= row < extent}


def walked(layer: LayerWorkload, mapping: Mapping, bits: tuple[int, int, int]) -> tuple[int, int]:
    """DRAM bits (read, written) when the loops over tiles are walked one by one and each memory holds one tile of each tensor."""
    a, b, s = bits
    stride_h, stride_w = layer.steps
    tile = mapping.tile
    batches, rows, columns = pieces(layer.batch, tile["batch"]), pieces(layer.out_h, tile["rows"]), pieces(layer.out_w, tile["columns"])
    loops: dict[str, list[Any]] = {
        "pixels": list(product(batches, rows, columns)),
        "channels": pieces(layer.in_channels // layer.groups, tile["channels"]),
        "filters": pieces(layer.filters, tile["filters"]),
    }
    order = [*(name for name in loops if name not in mapping.order), *mapping.order]
    read = written = 0
    for _ in range(layer.groups):
        held: dict[str, object] = {}
        started: set[object] = set()
        last: tuple[object, int] | None = None
        for chosen in itertools.product(*(enumerate(loops[name]) for name in order)):
            at = dict(zip(order, chosen, strict=True))
            (m, (images, high, wide)), (k, channels), (n, filters) = at["pixels"], at["channels"], at["filters"]
            if held.get("inputs") != (m, k):
                held["inputs"] = (m, k)
                height = len(covered(high, layer.kernel_h, stride_h, layer.in_h, layer.out_h))
                width = len(covered(wide, layer.kernel_w, stride_w, layer.in_w, layer.out_w))
                read += len(images) * height * width * len(channels) * a
            if held.get("weights") != (k, n):
                held["weights"] = (k, n)
                read += len(channels) * layer.kernel_h * layer.kernel_w * len(filters) * b
            if last is None or last[0] != (m, n):
                if last is not None:
                    written += last[1]
                size = len(images) * len(high) * len(wide) * len(filters)
                if (m, n) in started:
                    read += size * s
                started.add((m, n))
                # whatever leaves before its last piece of the window leaves as a partial sum
                last = ((m, n), size * s)
            if k == len(loops["channels"]) - 1:
                last = ((m, n), len(images) * len(high) * len(wide) * len(filters) * a)
        assert last is not None
        written += last[1]
    return read, written


@st.composite
def layers(draw: st.DrawFn) -> LayerWorkload:
    kernel, stride = draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([1, 1, 2]))
    size = draw(st.integers(kernel, 20))
    groups = draw(st.sampled_from([1, 1, 2]))
    return LayerWorkload.square(
        "a",
        size,
        batch=draw(st.integers(1, 3)),
        in_channels=groups * draw(st.integers(1, 24)),
        out_channels=groups * draw(st.integers(1, 40)),
        kernel=kernel,
        stride=stride,
        groups=groups,
        arithmetic=Arithmetic(coding="signed", a_bits=draw(st.sampled_from([4, 8])), accumulator_bits=draw(st.sampled_from([16, 32]))),
    )


@settings(max_examples=60, deadline=None)
@given(layer=layers(), dataflow=st.sampled_from(SYSTOLIC), kib=st.tuples(*[st.sampled_from([0.5, 1, 2, 8])] * 3))
def test_dram_traffic_is_that_of_the_loops_walked_one_by_one(
    edge: hardware.Accelerator, layer: LayerWorkload, dataflow: str, kib: tuple[float, float, float]
) -> None:
    machine = sized(edge, dataflow=dataflow, rows=4, columns=4, activation=kib[0], weight=kib[1], accumulator=kib[2])
    try:
        found = machine.map(layer)
    except HardwareError:
        return
    bits = (layer.arithmetic.a_bits, layer.arithmetic.b_bits, layer.arithmetic.accumulator_bits)
    assert (found.dram_reads, found.dram_writes) == walked(layer, found, bits)


@pytest.mark.parametrize("dataflow", SYSTOLIC)
def test_a_layer_that_fits_has_the_closed_forms(dataflow: str, edge: hardware.Accelerator, conv: Conv) -> None:
    machine = sized(edge, dataflow=dataflow, activation=1024, weight=1024, accumulator=1024)
    for layer in (conv("a", 16, 48, 14), conv("b", 3, 7, 5), conv("g", 32, 32, 14, groups=4)):
        found = machine.map(layer)
        shape = (dataflow, 16, 16, layer.pixels, layer.window, layer.filters)
        assert found.cycles == layer.groups * hardware.compute_cycles(*shape)
        moved = hardware.array_accesses(*shape)
        assert found.memory["activation"][0] == layer.groups * moved.inputs * 8 + layer.outputs * 8
        assert found.memory["weight"][0] == layer.groups * moved.weights * 8
        assert found.memory["accumulator"] == (layer.groups * moved.outputs * 32,) * 2
        assert found.dram_reads == 8 * (layer.inputs + layer.weights)
        assert found.dram_writes == 8 * layer.outputs
        assert 0 < found.utilisation <= 1


def test_partial_sums_that_do_not_fit_split_the_pixels(edge: hardware.Accelerator, conv: Conv) -> None:
    layer = conv("a", 16, 16, 28)
    roomy = sized(edge, activation=1024, weight=1024, accumulator=1024)
    tight = sized(edge, activation=1024, weight=1024, accumulator=16 * 392 * 32 / 8192)
    whole, split = roomy.map(layer), tight.map(layer)
    assert split.cycles == whole.cycles + 9 * (2 * 16 + 16 - 2)
    assert split.memory["weight"][0] == 2 * whole.memory["weight"][0]
    # A window of one row fold leaves nothing waiting.
    pointwise = conv("p", 16, 16, 28, kernel=1)
    assert tight.map(pointwise).cycles == roomy.map(pointwise).cycles


def test_larger_memories_never_move_more(edge: hardware.Accelerator, conv: Conv) -> None:
    layer = conv("a", 64, 96, 28)
    moved = []
    for kib in (8, 16, 32, 64, 256, 1024):
        found = sized(edge, activation=kib, weight=kib).map(layer)
        moved.append(found.dram_reads + found.dram_writes)
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] == 8 * (layer.inputs + layer.weights + layer.outputs) < moved[0]


def test_the_objective_decides(edge: hardware.Accelerator, conv: Conv) -> None:
    layer = conv("dw", 32, 32, 28, groups=32)
    found = {}
    for objective in ("energy", "latency", "edp"):
        machine = dataclasses.replace(edge, words=edge.words | {"mapping": objective})
        found[objective] = machine.evaluate(alone(layer))
    assert found["latency"].cycles.value <= found["edp"].cycles.value <= found["energy"].cycles.value
    assert found["energy"].energy_pj.total.value <= found["latency"].energy_pj.total.value


def alone(*found: LayerWorkload) -> Workload:
    return Workload(network="test", layers=found)


def test_resident_tensors_skip_the_dram(edge: hardware.Accelerator, conv: Conv) -> None:
    layer = conv("a", 16, 16, 14)
    away, kept = edge.map(layer), edge.map(layer, input_resident=True, output_resident=True)
    assert away.dram_reads - kept.dram_reads == 8 * layer.inputs
    assert (away.dram_writes, kept.dram_writes) == (8 * layer.outputs, 0)


def test_a_tensor_stays_only_if_writer_and_reader_both_fit(edge: hardware.Accelerator, conv: Conv) -> None:
    small, large = conv("s", 16, 16, 14), conv("l", 16, 16, 56)
    machine = sized(edge, activation=2 * 16 * 14 * 14 / 1024)
    chain = residency((small, small, large, small), machine)
    assert chain == [(False, True), (True, False), (False, False), (False, False)]
    through = dataclasses.replace(machine, words=machine.words | {"activations": "dram"})
    assert residency((small, small), through) == [(False, False)] * 2


def test_a_correction_column_fetches_its_table(edge: hardware.Accelerator, conv: Conv) -> None:
    plain = edge.map(conv("a", 16, 16, 14))
    column = edge.map(conv("a", 16, 16, 14, arithmetic=Arithmetic(coding="signed", correction_column=True)))
    assert column.dram_reads - plain.dram_reads == 256 * 16


def test_a_layer_no_tile_of_which_fits_is_refused(edge: hardware.Accelerator, conv: Conv) -> None:
    machine = sized(edge, weight=0.5)
    with pytest.raises(
        HardwareError, match=r"layer 'wide': no tile of 36 pixels x 40401 products x 2 filters fits the memories of edge-16x16 \("
    ):
        machine.map(conv("wide", 1, 2, 6, kernel=201))


def test_bit_serial_and_composable_elements_run_at_the_pace_of_the_bits(conv: Conv) -> None:
    def cycles(name: str, a: int, b: int) -> int:
        arithmetic = Arithmetic(a_bits=a, b_bits=b, coding="signed")
        machine = dataclasses.replace(hardware.load(name), dataflows=("output_stationary",))
        return machine.map(conv("a", 64, 64, 28, arithmetic=arithmetic)).cycles

    assert cycles("stripes-like", 8, 8) / cycles("stripes-like", 4, 8) == pytest.approx(2, rel=0.05)
    assert cycles("stripes-like", 8, 8) == cycles("stripes-like", 8, 4)
    assert cycles("loom-like", 8, 8) / cycles("loom-like", 4, 4) == pytest.approx(4, rel=0.25)
    assert cycles("bit-fusion-like", 8, 8) / cycles("bit-fusion-like", 4, 4) == pytest.approx(4, rel=0.25)
    assert cycles("bit-fusion-like", 5, 5) == pytest.approx(cycles("bit-fusion-like", 8, 8), rel=0.1)


def test_elements_without_a_multiplier_take_exact_plans_only(conv: Conv) -> None:
    layer = conv("a", 16, 16, 8, arithmetic=Arithmetic(multiplier="drum(k=4)", coding="unsigned"))
    with pytest.raises(
        HardwareError, match=r"serial activations processing elements of stripes-like have no place for drum\(k=4\), which layer 'a'"
    ):
        hardware.load("stripes-like").evaluate(alone(layer))
