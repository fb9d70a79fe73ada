"""Memories with wrong bits: the curve, the cells, and networks that read them, against plain sums of what is read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact.core.errors import FaultError, SpecError
from inexact.nn import ApproxLayer, ApproxModel, Plan, approximate
from inexact.reliability import ChipFault, Subject, faults
from inexact.reliability._sram import Chip, Failing, access_energy, bit_error_rate, measured, read_names
from inexact.reliability.dram_errors import DramErrors
from inexact.reliability.sram_voltage import SramVoltage

CODINGS = ["unsigned", "signed", "sign_magnitude"]


def subject(coding: str, precision: str = "int8") -> Subject:
    torch.manual_seed(7)
    net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(75, 4))
    x = torch.rand(3, 2, 5, 5, generator=torch.Generator().manual_seed(1)) * 2 - 0.7
    return Subject.of(approximate(net, Plan(coding=coding, precision=precision), calibrate=x), x)


def broken(found: Subject, spec: str, chip: int = 0) -> ApproxModel:
    fault = faults.get(spec)
    assert isinstance(fault, ChipFault)
    (stratum,) = fault.population(found)
    net = fault.faulty(found, fault.site(found, stratum, chip))
    assert isinstance(net, ApproxModel)
    return net


def layer(net: ApproxModel, name: str = "0") -> ApproxLayer:
    found = net.layers()[name]
    assert isinstance(found, ApproxLayer)
    return found


def chip(seed: int = 3, *, cells: int = 200_000, to_one: float = 0.5, persistent: float = 0.25, flaky: float = 0.5) -> Chip:
    return Chip(seed=seed, cells=cells, to_one=to_one, persistent=persistent, flaky=flaky)


def test_the_curve_is_within_its_stated_factor_of_every_measured_rate() -> None:
    ratios = [bit_error_rate(point.voltage) / point.rate for point in measured() if point.rate]
    assert len(ratios) == 6
    assert min(ratios) == pytest.approx(0.84, abs=0.01)
    assert max(ratios) == pytest.approx(1.27, abs=0.01)
    assert bit_error_rate(1.0) == 0.0


def test_an_access_costs_the_square_of_the_voltage_as_measured() -> None:
    assert [access_energy(point.voltage) for point in measured()] == pytest.approx([point.energy for point in measured()], rel=2e-3)


@pytest.mark.parametrize("voltage", [0.74, 1.01, -1.0, float("nan")])
def test_a_voltage_outside_the_curve_is_refused(voltage: float) -> None:
    with pytest.raises(FaultError, match=r"voltage must be 0.75..1 times its lowest error-free one, where bit errors were measured, not"):
        bit_error_rate(voltage)
    with pytest.raises(FaultError, match=r"must be 0.75..1 times"):
        SramVoltage(voltage=voltage)


def reads(failing: Failing, count: int) -> NDArray[np.bool_]:
    return failing.at(np.arange(count, dtype=np.uint64))


@pytest.mark.parametrize(("to_one", "persistent"), [(0.5, 0.25), (0.8, 0.07)])
def test_cells_give_the_rate_the_direction_and_the_persistence_they_should(to_one: float, persistent: float) -> None:
    found = chip(to_one=to_one, persistent=persistent).failing(0.833)
    wrong = reads(found, 40)
    written = np.random.default_rng(0).integers(0, 2, (1, 200_000)).astype(bool)
    differs = wrong & (written[:, found.where] != found.value)
    rate = differs.sum() / (40 * 200_000)
    assert rate == pytest.approx(bit_error_rate(0.833), rel=0.08)
    assert (differs & found.value).sum() / differs.sum() == pytest.approx(to_one, abs=0.03)
    assert (differs & found.always).sum() / differs.sum() == pytest.approx(persistent, abs=0.03)
    assert wrong[:, ~found.always].mean() == pytest.approx(0.5, abs=0.02)


def test_reads_are_the_same_for_the_same_words_and_differ_for_others() -> None:
    words = np.random.default_rng(2).integers(0, 256, (4, 50))
    words[2] = words[0]
    names = read_names(words)
    assert names[0] == names[2]
    assert len(set(names.tolist())) == 3
    found = chip().failing(0.8)
    assert (found.at(names)[0] == found.at(names)[2]).all()
    assert (found.at(names)[0] != found.at(names)[1]).any()


def test_cells_that_would_have_to_fail_more_than_always_are_refused() -> None:
    with pytest.raises(FaultError, match=r"to reach 0.211 wrong bits at 0.75: raise flaky above 0.05"):
        chip(flaky=0.05).failing(0.75)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sram_voltage(memory=cache)", r"memory must be one of weight, activation, both, not 'cache'"),
        ("sram_voltage(kib=0)", r"kib must be 1..1048576 KiB, not 0"),
        ("sram_voltage(to_one=1.5)", r"to_one must be a share 0..1, not 1.5"),
        ("sram_voltage(flaky=0)", r"flaky must be above 0"),
        ("dram_errors(rate=0.7)", r"rate must be a share of wrong bits 0..0.5, not 0.7"),
        ("dram_errors(spread=columns)", r"spread must be uniform or rows, not 'columns'"),
        ("dram_errors(rate=0.2,spread=rows)", r"weak must be a share of rows up to 1 that holds all errors, 0.2 of all bits, not 0.1"),
        ("dram_errors(row_kib=0)", r"row_kib must be above 0, not 0"),
    ],
)
def test_bad_parameters_are_refused(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        faults.get(spec)


def words_of(codes: Tensor, coding: str, *, weights: bool) -> NDArray[np.int64]:
    found: NDArray[np.int64] = codes.long().numpy().reshape(-1)
    if weights and coding == "sign_magnitude":
        found = np.abs(found) + 128 * (found < 0)
    return np.asarray(found & 255, dtype=np.int64)


def value_of(word: int, coding: str, *, weights: bool) -> int:
    if weights and coding == "sign_magnitude":
        return (word & 127) * (-1 if word >> 7 else 1)
    signed = coding == "signed"
    return word - 256 if signed and word >= 128 else word


def read_one_by_one(words: NDArray[np.int64], failing: Failing, wrong: NDArray[np.bool_], address: int, cells: int) -> list[int]:
    """Bit after bit."""
    cell = {int(where): (bool(value), bool(fails)) for where, value, fails in zip(failing.where, failing.value, wrong, strict=True)}
    found = []
    for place, written in enumerate(words.tolist()):
        word = written
        for bit in range(8):
            value, fails = cell.get((address + place * 8 + bit) % cells, (False, False))
            if fails:
                word = word | 1 << bit if value else word & ~(1 << bit)
        found.append(word)
    return found


def output_of(layer: ApproxLayer, a: Tensor, b: Tensor, good: Tensor) -> Tensor:
    """The convolution of codes that were read; its zero-point constants are those of the weights as they should be."""
    taps = torch.nn.functional.unfold(a.double(), layer.weight.shape[2:])  # [N, K, L]
    flat, zb = b.double().flatten(1), layer.b_zero.double().reshape(-1, 1) if layer.rule.coding == "unsigned" else torch.zeros(1, 1)
    raw = torch.einsum("nkl,ok->nol", taps, flat) - zb[None] * taps.sum(1, keepdim=True)
    total = raw - layer.a_zero.double() * (good.double().flatten(1).sum(1) - flat.shape[1] * zb.reshape(-1)).reshape(1, -1, 1)
    assert layer.bias is not None
    return (total * layer.scale().reshape(1, -1, 1)).float() + layer.bias.reshape(1, -1, 1)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_layer_computes_with_the_weights_and_inputs_that_it_reads(coding: str) -> None:
    whole = subject(coding)
    spec = "sram_voltage(voltage=0.8,memory=both,kib=1)"
    net = broken(whole, spec, chip=5)
    own, cells, x = layer(whole.net), 8192, whole.images
    weights, inputs = chip(10, cells=cells).failing(0.8), chip(11, cells=cells).failing(0.8)
    with torch.no_grad():
        good = own.b_codes()
        words = words_of(good, coding, weights=True)
        given = read_one_by_one(words, weights, weights.at(np.zeros(1, np.uint64))[0], 0, cells)
        b = torch.tensor([value_of(word, coding, weights=True) for word in given]).reshape(good.shape)
        a = own.a_quantiser().quantise(x)
        for image in range(len(x)):
            words = words_of(a[image], coding, weights=False)
            wrong = inputs.at(read_names(words[None]))[0]
            read = [value_of(word, coding, weights=False) for word in read_one_by_one(words, inputs, wrong, 0, cells)]
            a[image] = torch.tensor(read, dtype=a.dtype).reshape(a[image].shape)
        assert (b != good).any()
        padded = torch.nn.functional.pad(a - own.a_zero, (1, 1, 1, 1)) + own.a_zero
        expected = output_of(own, padded, b, good).reshape(3, 3, 5, 5)
        assert torch.equal(layer(net)(x), expected)
        assert torch.equal(layer(net)(x[1:2]), expected[1:2])  # a batch of its own reads the same


def test_layers_of_weights_follow_each_other_and_wrap() -> None:
    whole = subject("unsigned")
    net = broken(whole, "sram_voltage(voltage=0.8,kib=1)", chip=1)
    own = layer(whole.net, "3")
    weights = chip(2, cells=8192).failing(0.8)
    words = words_of(own.b_codes(), "unsigned", weights=True)
    given = read_one_by_one(words, weights, weights.at(np.zeros(1, np.uint64))[0], 54 * 8, 8192)
    assert layer(net, "3").b_codes().long().reshape(-1).tolist() == given
    assert torch.equal(layer(broken(whole, "sram_voltage(voltage=0.8,kib=1,layers='0')", 1), "3").b_codes(), own.b_codes())


def test_nothing_is_wrong_at_the_lowest_error_free_voltage() -> None:
    whole = subject("signed")
    assert torch.equal(broken(whole, "sram_voltage(voltage=1,memory=both)")(whole.images), whole.net(whole.images))


@pytest.mark.parametrize("spread", ["uniform", "rows"])
def test_dynamic_memory_has_the_stated_rate_in_the_stated_places(spread: str) -> None:
    fault = DramErrors(rate=0.01, spread=spread, weak=0.2, row_kib=0.125)
    wrong = np.concatenate([fault.wrong(chip, 1 << 16) for chip in range(20)]).reshape(20, 64, 1024)
    assert wrong.mean() == pytest.approx(0.01, rel=0.1)
    rows = wrong.any(axis=2).mean()
    assert rows == pytest.approx(1.0 if spread == "uniform" else 0.2, abs=0.04)


def test_weights_from_dynamic_memory_are_inverted_where_it_is_wrong() -> None:
    whole = subject("signed")
    net = broken(whole, "dram_errors(rate=0.02)", chip=4)
    wrong = DramErrors(rate=0.02).wrong(4, (54 + 300) * 8).reshape(-1, 8) @ (1 << np.arange(8))
    for name, first in (("0", 0), ("3", 54)):
        own = layer(whole.net, name).b_codes()
        words = words_of(own, "signed", weights=True) ^ wrong[first : first + own.numel()]
        expected = [value_of(word, "signed", weights=True) for word in words.tolist()]
        assert layer(net, name).b_codes().long().reshape(-1).tolist() == expected


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(precision="e4m3"), r"bits of memories are those of integers of one scale, which e4m3 of layer 0 has not"),
        (Plan(padding="skipped"), r"faults of memories are for padding that is multiplied, which layer 0 skips"),
        (Plan(reduction="zero_skipping"), r"memories must hold all operands of layer 0: leave zero_skipping away"),
    ],
)
def test_layers_whose_words_are_not_known_are_refused(plan: Plan, message: str) -> None:
    x = torch.rand(2, 2, 5, 5)
    net = approximate(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()), plan, calibrate=x)
    found = Subject.of(net, x)
    fault = faults.get("sram_voltage")
    with pytest.raises(FaultError, match=message):
        fault.population(found)


def test_a_chip_is_one_of_many_and_drawn_without_repetition() -> None:
    found = subject("unsigned")
    fault = faults.get("sram_voltage")
    assert isinstance(fault, ChipFault)
    (stratum,) = fault.population(found)
    drawn = fault.draw(stratum, 20, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == 20
    assert fault.site(found, stratum, 9).index == (9,)
