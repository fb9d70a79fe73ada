from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from inexact import hardware
from inexact.core.workload import Arithmetic, LayerWorkload
from inexact.hardware._mapping import Mapping, Sizes, map_layer, residency, tiles_of

Conv = Callable[..., LayerWorkload]
ROOMY = Sizes(rows=16, columns=16, activation_bits=1e9, weight_bits=1e9, accumulator_bits=1e9)


def mapped(layer: LayerWorkload, sizes: Sizes, dataflow: str) -> Mapping:
    return map_layer(layer, sizes, dataflow, input_resident=False, output_resident=False)


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


@pytest.mark.parametrize("dataflow", hardware.DATAFLOWS)
def test_an_array_never_beats_one_mac_per_pe_and_cycle(dataflow: str, conv: Conv) -> None:
    for layer in (conv("a", 16, 16, 28), conv("dw", 32, 32, 14, groups=32), conv("b", 3, 7, 5)):
        assert 0 < mapped(layer, ROOMY, dataflow).utilisation <= 1


@pytest.mark.parametrize("dataflow", hardware.DATAFLOWS)
def test_groups_are_separate_products(dataflow: str, conv: Conv) -> None:
    grouped, single = mapped(conv("g", 32, 32, 14, groups=4), ROOMY, dataflow), mapped(conv("s", 8, 8, 14), ROOMY, dataflow)
    assert grouped.cycles == 4 * single.cycles
    assert grouped.accumulator_writes == 4 * single.accumulator_writes
    assert grouped.weight_reads == 4 * single.weight_reads
    assert grouped.register_bits == 4 * single.register_bits


@pytest.mark.parametrize("dataflow", hardware.DATAFLOWS)
def test_depthwise_layers_use_the_array_badly(dataflow: str, conv: Conv) -> None:
    assert mapped(conv("dw", 32, 32, 14, groups=32), ROOMY, dataflow).utilisation < 9 / 256 + 1e-9


def test_traffic_scales_with_the_stored_bits(conv: Conv) -> None:
    wide = mapped(conv("w", 16, 32, 14), ROOMY, "output_stationary")
    narrow = mapped(conv("n", 16, 32, 14, arithmetic=Arithmetic(a_bits=8, b_bits=4, coding="signed")), ROOMY, "output_stationary")
    assert narrow.weight_reads == wide.weight_reads / 2
    assert narrow.weight_writes == wide.weight_writes / 2
    assert narrow.activation_reads == wide.activation_reads
    narrow_sums = mapped(conv("n", 16, 32, 14, arithmetic=Arithmetic(accumulator_bits=16, coding="signed")), ROOMY, "output_stationary")
    assert narrow_sums.accumulator_writes == wide.accumulator_writes / 2


def test_roomy_buffers_fetch_everything_once(conv: Conv) -> None:
    layer = conv("a", 16, 48, 14)
    once = 8 * (16 * 14 * 14 + 48 * 16 * 9)
    for dataflow in hardware.DATAFLOWS:
        found = mapped(layer, ROOMY, dataflow)
        assert found.dram_reads == once
        assert found.dram_writes == 8 * 48 * 14 * 14


def test_inputs_that_do_not_fit_come_again_for_every_column_fold(conv: Conv) -> None:
    layer = conv("a", 16, 48, 14)
    tight = ROOMY._replace(activation_bits=8 * 16 * 14 * 14 - 1)
    for dataflow in ("weight_stationary", "output_stationary"):
        assert mapped(layer, tight, dataflow).dram_reads == 8 * (3 * 16 * 14 * 14 + 48 * 16 * 9)


def test_weights_that_do_not_fit_come_again_for_every_row_fold(conv: Conv) -> None:
    layer = conv("a", 16, 48, 14)
    fold = 2 * 16 * 9 * 16 * 8
    inputs, weights = 8 * 16 * 14 * 14, 8 * 48 * 16 * 9
    assert mapped(layer, ROOMY._replace(weight_bits=fold), "output_stationary").dram_reads == inputs + weights
    assert mapped(layer, ROOMY._replace(weight_bits=fold - 1), "output_stationary").dram_reads == inputs + 13 * weights


def test_partial_sums_that_do_not_fit_split_the_pixels(conv: Conv) -> None:
    layer = conv("a", 16, 16, 28)
    tight = ROOMY._replace(accumulator_bits=32 * 16 * 392)
    assert tiles_of("weight_stationary", tight, layer) == 2
    assert tiles_of("output_stationary", tight, layer) == 1
    whole, split = mapped(layer, ROOMY, "weight_stationary"), mapped(layer, tight, "weight_stationary")
    assert split.cycles == whole.cycles + 9 * (2 * 16 + 16 - 2)
    assert split.weight_reads == 2 * whole.weight_reads
    # A window of one row fold leaves nothing waiting.
    assert tiles_of("weight_stationary", tight, conv("p", 16, 16, 28, kernel=1)) == 1


def test_resident_tensors_skip_the_dram(conv: Conv) -> None:
    layer = conv("a", 16, 16, 14)
    away = mapped(layer, ROOMY, "output_stationary")
    kept = map_layer(layer, ROOMY, "output_stationary", input_resident=True, output_resident=True)
    assert away.dram_reads - kept.dram_reads == 8 * 16 * 14 * 14
    assert (away.dram_writes, kept.dram_writes) == (8 * 16 * 14 * 14, 0)
    assert away.activation_writes - kept.activation_writes == 8 * 16 * 14 * 14
    assert away.activation_reads - kept.activation_reads == 8 * 16 * 14 * 14


def test_a_tensor_stays_only_if_writer_and_reader_both_fit(conv: Conv) -> None:
    small, large = conv("s", 16, 16, 14), conv("l", 16, 16, 56)
    room = Sizes(rows=16, columns=16, activation_bits=8 * 2 * 16 * 14 * 14, weight_bits=1e9, accumulator_bits=1e9)
    chain = residency((small, small, large, small), room)
    assert chain == [(False, True), (True, False), (False, False), (False, False)]


def test_a_correction_column_fetches_its_table(conv: Conv) -> None:
    plain = mapped(conv("a", 16, 16, 14), ROOMY, "output_stationary")
    column = mapped(conv("a", 16, 16, 14, arithmetic=Arithmetic(coding="signed", correction_column=True)), ROOMY, "output_stationary")
    assert column.dram_reads - plain.dram_reads == 256 * 16
    assert column.weight_reads == plain.weight_reads
