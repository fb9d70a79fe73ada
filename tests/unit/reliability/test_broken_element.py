"""One broken element of the array: layers against loops over the array's own schedule, with asymmetric tables and zero points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import inexact as ix
from inexact import hardware
from inexact.core.errors import FaultError
from inexact.nn import ApproxConv2d, ApproxModel, workload
from inexact.reliability._array import Placement, place
from inexact.reliability._broken import ElementFault, placements, with_broken_element, with_stuck_unit
from inexact.reliability._stuck_tables import register_table

ROWS, COLUMNS = 4, 3
FLOWS = ("weight_stationary", "output_stationary", "input_stationary")
Integers = NDArray[np.int64]


def stuck(word: int, bit: int, value: int, bits: int, *, signed: bool) -> int:
    """One bit of one word."""
    pattern = word & ((1 << bits) - 1)
    pattern = pattern | 1 << bit if value else pattern & ~(1 << bit)
    return pattern - (1 << bits) if signed and pattern >> (bits - 1) else pattern


@dataclass(frozen=True)
class Array:
    """The schedule of an array of ROWS x COLUMNS elements, one of them broken; words move from register to register."""

    table: Integers
    fault: ElementFault
    product_bits: int
    add: Callable[[int, int], int]
    sum_bits: int = 32
    window: int = 1 << 20
    """Taps of a tile."""

    def held(self, register: str, word: int, at: tuple[int, int]) -> int:
        """What a register gives back of a word."""
        fault = self.fault
        if (fault.row, fault.column) != at or fault.register != register:
            return word
        bits = {"product": self.product_bits, "sum": self.sum_bits}.get(register, 8)
        return stuck(word, fault.bit, fault.value, bits, signed=register in {"product", "sum"})

    def along(self, register: str, word: int, path: list[tuple[int, int]]) -> int:
        """A word that moves through the registers of these elements."""
        for at in path:
            word = self.held(register, word, at)
        return word

    def product(self, a: int, b: int, at: tuple[int, int]) -> int:
        return self.held("product", int(self.table[a, b]), at)

    def column(self, products: list[int], column: int) -> int:
        """A sum on its way down."""
        total = 0
        for row in range(ROWS):
            total = self.held("sum", self.add(total, products[row] if row < len(products) else 0), (row, column))
        return total

    def sums(self, flow: str, a: Integers, b: Integers) -> Integers:
        """[M, N] for one image's windows a [M, K] and weights b [N, K], patterns."""
        run = {"weight_stationary": self.weights_held, "input_stationary": self.inputs_held, "output_stationary": self.sums_held}
        out = np.zeros((len(a), len(b)), np.int64)
        for m in range(len(a)):
            for n in range(len(b)):
                out[m, n] = run[flow](m, n, a[m].tolist(), b[n].tolist())
        return out

    def folds(self, taps: int) -> list[list[int]]:
        tiles = [list(range(start, min(taps, start + self.window))) for start in range(0, taps, self.window)]
        return [tile[start : start + ROWS] for tile in tiles for start in range(0, len(tile), ROWS)]

    def weights_held(self, _m: int, n: int, a: list[int], b: list[int]) -> int:
        total, c = 0, n % COLUMNS
        for fold in self.folds(len(a)):
            products = []
            for r, k in enumerate(fold):
                weight = self.along("weight", b[k], [(row, c) for row in range(r + 1)])
                activation = self.along("activation", a[k], [(r, column) for column in range(c + 1)])
                products.append(self.product(activation, weight, (r, c)))
            total = self.add(total, self.column(products, c))
        return total

    def inputs_held(self, m: int, _n: int, a: list[int], b: list[int]) -> int:
        total, c = 0, m % COLUMNS
        for fold in self.folds(len(a)):
            products = []
            for r, k in enumerate(fold):
                activation = self.along("activation", a[k], [(row, c) for row in range(r + 1)])
                weight = self.along("weight", b[k], [(r, column) for column in range(c + 1)])
                products.append(self.product(activation, weight, (r, c)))
            total = self.add(total, self.column(products, c))
        return total

    def sums_held(self, m: int, n: int, a: list[int], b: list[int]) -> int:
        r, c = m % ROWS, n % COLUMNS
        total = self.held("sum", 0, (r, c))
        for k in range(len(a)):
            activation = self.along("activation", a[k], [(r, column) for column in range(c + 1)])
            weight = self.along("weight", b[k], [(row, c) for row in range(r + 1)])
            total = self.held("sum", self.add(total, self.product(activation, weight, (r, c))), (r, c))
        return self.along("sum", total, [(row, c) for row in range(r + 1, ROWS)])


def plainly(bits: int) -> Callable[[int, int], int]:
    return lambda x, y: (x + y + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def table_unit(least: int) -> Any:
    """Products up to about 2**15 that no formula describes, not symmetric."""
    return ix.units.from_table(np.random.default_rng(0).integers(least, 30000, (256, 256)), signed=False)


def network(
    *, groups: int = 1, linear: bool = False, padding: str = "multiplied", accumulator: str = "exact", least: int = -3000
) -> tuple[ApproxModel, Tensor]:
    torch.manual_seed(3)
    layer: nn.Module = nn.Linear(11, 5) if linear else nn.Conv2d(4, 6, (2, 3), stride=(2, 1), padding=1, dilation=(1, 2), groups=groups)
    x = torch.randn(2, 3, 11) if linear else torch.randn(2, 4, 4, 5)
    plan = ix.Plan(multiplier=table_unit(least), coding="unsigned", padding=padding, accumulator=accumulator)
    return ix.approximate(nn.Sequential(layer), plan, calibrate=[(x, torch.zeros(2))]), x


def expected(net: ApproxModel, x: Tensor, array: Array, flow: str) -> Tensor:
    """The layer's output from the array's sums, corrections added in numpy."""
    layer: Any = net.layers()["0"]
    a = layer.a_codes(x).double().numpy()
    b = layer.b_codes().detach().double().numpy()
    za, groups = float(layer.a_zero), layer.contraction_groups
    zero_points = layer.b_zero.double().reshape(-1).expand(len(b)).numpy()
    out = np.zeros((2, *layer(x).shape[1:]))
    for image in range(2):
        windows = layer.unrolled(torch.from_numpy(a[image : image + 1]).float()).numpy().astype(np.int64)  # [M, groups, K]
        for group in range(groups):
            weights = b.reshape(groups, b.shape[0] // groups, -1)[group].astype(np.int64)
            channels = slice(group * len(weights), (group + 1) * len(weights))
            zb = zero_points[channels]
            raw = array.sums(flow, windows[:, group], weights)
            total = raw - zb * windows[:, group].sum(1)[:, None] - za * weights.sum(1) + weights.shape[1] * za * zb
            if isinstance(layer, ApproxConv2d):
                out[image, channels] = total.T.reshape(len(weights), *out.shape[2:])
            else:
                out[image] = total
    scaled: Tensor = torch.from_numpy(out) * layer.per_channel(layer.scale())
    result: Tensor = scaled.float() + layer.per_channel(layer.bias.detach())
    return result


def whole(flow: str, net: ApproxModel, *, channels: int = 4) -> dict[str, Placement]:
    """All pixels and filters in one tile, so many channels at a time."""
    (shape,) = workload(net).layers
    tile = {"batch": 1, "rows": shape.out_h, "columns": shape.out_w, "channels": channels, "filters": shape.filters}
    mapping = hardware.Mapping(
        dataflow=flow, cycles=1, utilisation=1, tile=tile, order=(), register_bits=0, memory={}, dram_reads=0, dram_writes=0
    )
    return {"0": place(shape, mapping, ROWS, COLUMNS)}


ELEMENTS = [(0, 0), (2, 1), (3, 2), (1, 2)]
FAULTS = [("product", 14, 0), ("product", 3, 1), ("sum", 6, 1), ("sum", 15, 0), ("sum", 31, 1), ("activation", 7, 1), ("weight", 5, 0)]


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(("register", "bit", "value"), FAULTS)
def test_convolution_on_the_schedule(flow: str, register: Any, bit: int, value: int) -> None:
    net, x = network()
    assert float(net.layers()["0"].a_zero) != 0
    row, column = ELEMENTS[(bit + value) % 4]
    fault = ElementFault(row=row, column=column, register=register, bit=bit, value=value)
    table = net.layers()["0"].rule.unit.table().astype(np.int64)  # type: ignore[union-attr]
    array = Array(table, fault, 16, plainly(32))
    broken = with_broken_element(net, whole(flow, net), fault)
    found = broken(x)
    assert torch.equal(found, expected(net, x, array, flow))
    assert not torch.equal(found, net(x))
    if (register, bit) == FAULTS[0][:2]:
        assert torch.equal(net(x), expected(net, x, replace(array, fault=replace(fault, row=99)), flow))


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("register", ["product", "sum", "activation", "weight"])
@pytest.mark.parametrize("options", [{"groups": 2}, {"linear": True}])
def test_groups_and_linear_layers(flow: str, register: Any, options: dict[str, Any]) -> None:
    net, x = network(**options)
    fault = ElementFault(row=1, column=1, register=register, bit=7, value=1)
    table = net.layers()["0"].rule.unit.table().astype(np.int64)  # type: ignore[union-attr]
    found = with_broken_element(net, whole(flow, net, channels=11), fault)(x)
    assert torch.equal(found, expected(net, x, Array(table, fault, 16, plainly(32)), flow))
    assert not torch.equal(found, net(x))


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(("register", "bit"), [("product", 13), ("sum", 12), ("sum", 16), ("weight", 6)])
def test_saturating_accumulators_add_in_the_array_s_order(flow: str, register: Any, bit: int) -> None:
    order = "sequential" if flow == "output_stationary" else f"systolic(rows={ROWS})"
    net, x = network(accumulator=f"accumulator(width=17,overflow=saturate,order={order})", least=-30000)
    fault = ElementFault(row=2, column=0, register=register, bit=bit, value=1)
    low, high = -(1 << 16), (1 << 16) - 1
    table = net.layers()["0"].rule.unit.table().astype(np.int64)  # type: ignore[union-attr]
    array = Array(table, fault, 16, lambda p, q: min(high, max(low, p + q)), sum_bits=17)
    found = with_broken_element(net, whole(flow, net), fault)(x)
    assert torch.equal(found, expected(net, x, array, flow))
    assert not torch.equal(found, net(x))


def test_folds_begin_anew_in_every_tile() -> None:
    net, x = network()
    fault = ElementFault(row=1, column=2, register="sum", bit=9, value=1)
    table = net.layers()["0"].rule.unit.table().astype(np.int64)  # type: ignore[union-attr]
    array = Array(table, fault, 16, plainly(32), window=6)  # one channel of 2x3 taps: folds of 4 and 2
    for flow in ("weight_stationary", "input_stationary"):
        found = with_broken_element(net, whole(flow, net, channels=1), fault)(x)
        assert torch.equal(found, expected(net, x, array, flow))
        assert not torch.equal(found, with_broken_element(net, whole(flow, net), fault)(x))


def test_gated_padding_reaches_no_element() -> None:
    net, x = network(padding="skipped")
    layer: Any = net.layers()["0"]
    fault = ElementFault(row=0, column=0, register="product", bit=15, value=1)
    found, healthy = with_broken_element(net, whole("weight_stationary", net), fault)(x), net(x)
    wrong = (register_table(layer.rule, "product", 15, 1) - layer.rule.unit.table()).astype(np.int64)
    a, b, inside = (
        layer.a_codes(x).numpy().astype(int),
        layer.b_codes().detach().numpy().astype(int),
        layer.inside(layer.padded(x).shape)[0, 0],
    )
    difference = np.zeros(healthy.shape)
    for n, k in ((n, k) for n in range(0, 6, 3) for k in range(0, 24, 4)):
        channel, i, j = k // 6, k // 3 % 2, k % 3
        for p, q in np.ndindex(*healthy.shape[2:]):
            row, column = 2 * p + i, q + 2 * j
            difference[:, n, p, q] += float(inside[row, column]) * wrong[a[:, channel, row, column], b[n, channel, i, j]]
    shifted = healthy.double() - layer.per_channel(layer.bias.detach().double())
    sums = torch.round(shifted / layer.per_channel(layer.scale())) + torch.from_numpy(difference)
    assert torch.equal(found, (sums * layer.per_channel(layer.scale())).float() + layer.per_channel(layer.bias.detach()))


@pytest.mark.parametrize("coding", ["unsigned", "signed", "sign_magnitude"])
def test_weight_registers_hold_what_the_coding_says(coding: str) -> None:
    unit = "exact(signed=true)" if coding == "signed" else "exact"
    rule = ix.nn.Rule(multiplier=unit, coding=coding)
    values = np.arange(256)
    a = np.where(values >= 128, values - 256, values) if coding == "signed" else values
    b = values if coding == "unsigned" else np.where(values >= 128, values - 256, values)
    for bit, value in ((7, 1), (7, 0), (2, 1)):
        if coding == "sign_magnitude":
            size, sign = np.minimum(np.abs(b), 127), b < 0
            sign, size = (np.full(256, bool(value)), size) if bit == 7 else (sign, size | 4)
            stuck_b = np.where(sign, -size, size)
        else:
            stuck_b = np.array([stuck(int(x), bit, value, 8, signed=coding == "signed") for x in b])
        np.testing.assert_array_equal(register_table(rule, "weight", bit, value), np.multiply.outer(a, stuck_b), f"{bit} {value}")


def test_a_stuck_net_in_every_multiplier_is_the_layer_of_the_faulty_unit() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)), torch.randn(3, 2, 6, 6)
    plan = ix.Plan(multiplier="trunc(cut=4,signed=true)", coding="signed")
    net = ix.approximate(model, plan, calibrate=[(x, torch.zeros(3))])
    broken = with_stuck_unit(net, ["0"], "n100", 1)
    rule = ix.nn.Rule(multiplier="trunc(cut=4,signed=true)", coding="signed")
    faulty = rule.but(multiplier="stuck_at(multiplier=trunc(cut=4,signed=true),net=n100,value=1)")
    other = ix.approximate(model, ix.Plan({"0": faulty, "3": rule}), calibrate=[(x, torch.zeros(3))])
    assert torch.equal(broken(x), other(x))
    assert not torch.equal(broken(x), net(x))
    assert net.layers()["0"].rule == rule


def test_a_net_stuck_in_one_element_is_another_table_there() -> None:
    net, x = signed_network()
    where = whole("weight_stationary", net)
    by_bit = with_broken_element(net, where, ElementFault(row=1, column=0, register="product", bit=15, value=1))
    by_net = with_broken_element(net, where, ElementFault(row=1, column=0, net="y[15]", value=1))
    assert torch.equal(by_bit(x), by_net(x))
    assert not torch.equal(by_net(x), net(x))


def signed_network() -> tuple[ApproxModel, Tensor]:
    torch.manual_seed(1)
    x = torch.randn(2, 4, 4, 5)
    return ix.approximate(
        nn.Sequential(nn.Conv2d(4, 6, 2)), ix.Plan(multiplier="exact", coding="signed"), calibrate=[(x, torch.zeros(2))]
    ), x


def test_placements_are_those_of_the_accelerator() -> None:
    net, _ = signed_network()
    found = placements(net, "edge-16x16", ["0"], dataflow="output_stationary")["0"]
    assert (found.rows, found.columns, found.row_of_pixel.tolist()) == (16, 16, list(range(12)))
    held = placements(net, "edge-16x16", ["0"], dataflow="weight_stationary")["0"]
    assert held.row_of_tap.tolist() == list(range(16))
    assert held.column_of_filter.tolist() == list(range(6))


def test_refusals() -> None:
    net, x = signed_network()
    where = placements(net, "edge-16x16", ["0"], dataflow="weight_stationary")
    for fault, message in (
        (ElementFault(row=16, column=0, value=1), r"rows 0\.\.15 and columns 0\.\.15 of the array, not at \(16, 0\)"),
        (ElementFault(row=0, column=-1, value=1), r"not at \(0, -1\)"),
        (ElementFault(row=0, column=0, value=2), "stuck at 0 or 1, not at 2"),
        (ElementFault(row=0, column=0, value=1, bit=16), r"bit of the product register of layer 0 must be 0\.\.15, not 16"),
        (ElementFault(row=0, column=0, value=1, register="sum", bit=32), r"bit of the sum register of layer 0 must be 0\.\.31, not 32"),
        (ElementFault(row=0, column=0, value=1, net="n9999"), "has no net 'n9999'"),
        (ElementFault(row=0, column=0, value=1, register="carry"), "register must be one of product, sum"),  # type: ignore[arg-type]
    ):
        with pytest.raises(FaultError, match=message):
            with_broken_element(net, where, fault)
    with pytest.raises(
        FaultError, match=r"dataflow must be one that edge-16x16 runs \(weight_stationary, output_stationary\), not 'input_sta"
    ):
        placements(net, "edge-16x16", ["0"], dataflow="input_stationary")
    sets = placements(net, "eyeriss-like", ["0"])
    with pytest.raises(FaultError, match="must not run row stationary for faults of sum registers: how sums of a row"):
        with_broken_element(net, sets, ElementFault(row=0, column=0, value=1, register="sum"))
    with pytest.raises(FaultError, match="those of loom-like are serial"):
        placements(net, "loom-like", ["0"])
    plain, _ = network()
    with pytest.raises(FaultError, match="has no netlist whose nets could be stuck"):
        with_stuck_unit(plain, ["0"], "n100", 1)
    sequential, _ = network(accumulator="accumulator(width=20)")
    with pytest.raises(
        FaultError, match=r"must add in the order of its dataflow, weight_stationary on 4 rows: systolic\(rows=4\), not sequ"
    ):
        with_broken_element(sequential, whole("weight_stationary", sequential), ElementFault(row=0, column=0, value=1))
    wide = ix.approximate(nn.Sequential(nn.Conv2d(4, 6, 2)), ix.Plan(precision="w16a16", coding="signed"), calibrate=[(x, torch.zeros(2))])
    with pytest.raises(FaultError, match="operands of at most 8 bits"):
        with_stuck_unit(wide, ["0"], "y[0]", 1)
    blocks = ix.approximate(nn.Sequential(nn.Conv1d(4, 6, 2)), ix.Plan(coding="signed"), calibrate=[(x[:, :, 0], torch.zeros(2))])
    with pytest.raises(FaultError, match="must be a Conv2d or a Linear layer for faults of elements, not ApproxConv1d"):
        with_stuck_unit(blocks, ["0"], "y[0]", 1)
    modal = ix.approximate(nn.Sequential(nn.Conv2d(4, 6, 2)), ix.Plan(multiplier="pn", modes="per_weight"), calibrate=[(x, torch.zeros(2))])
    with pytest.raises(FaultError, match="layer 0 must have a unit of one mode for faults of elements: leave modes 'per_weight' away"):
        with_stuck_unit(modal, ["0"], "y[0]", 1)


def test_a_window_cut_in_parts_has_no_sum_that_stays() -> None:
    net, _ = network()
    with pytest.raises(FaultError, match="cuts its window in 4 parts"):
        whole("output_stationary", net, channels=1)
