"""Single bit flips against loops over plain integers: every coding, grouped and strided convolutions, products, accumulators."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact import units
from inexact.core.errors import FaultError
from inexact.nn import ApproxConv2d, ApproxLinear, ApproxProduct, Plan, Product, approximate
from inexact.reliability import ImageFault, Struck, Subject, faults
from inexact.reliability.accumulator_flip import AccumulatorFlip

Codes = NDArray[np.int64]
WIDTHS = {"unsigned": (4, 4), "signed": (4, 4), "sign_magnitude": (4, 3)}


def table_unit(coding: str) -> units.Multiplier:
    width = WIDTHS[coding]
    rng = np.random.default_rng(7)
    low = -60 if coding == "signed" else 0
    return units.from_table(rng.integers(low, 90, (2 ** width[0], 2 ** width[1]), dtype=np.int32), signed=coding == "signed", width=width)


def planned(coding: str, unit: str, **rule: Any) -> Plan:
    multiplier = table_unit(coding) if unit == "table" else "exact"
    return Plan(multiplier=multiplier, precision="int4" if coding != "sign_magnitude" else "w4a4", coding=coding, **rule)


class Multiply(nn.Module):
    """A product of two activations, the second a fixed mixture of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.product = Product()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.product(x, x.transpose(-1, -2) - 0.3)
        return result


MODELS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "conv": (nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)), (2, 5, 6)),
    "dilated": (nn.Sequential(nn.Conv2d(2, 3, (3, 2), padding=(2, 0), dilation=(2, 1), bias=False)), (2, 5, 4)),
    "sparse": (nn.Sequential(nn.Conv2d(2, 3, 1, stride=2)), (2, 5, 4)),
    "linear": (nn.Sequential(nn.Linear(6, 3)), (2, 6)),
    "product": (Multiply(), (2, 3, 4)),
}


def prepared(kind: str, plan: Plan, count: int = 6) -> tuple[Subject, Tensor, str]:
    torch.manual_seed(3)
    model, shape = MODELS[kind]
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    x = torch.randn(count, *shape) + 0.4
    net = approximate(model, plan, calibrate=x)
    (name,) = net.layers()
    return Subject.of(net, x), x, name


def word(value: int, bit: int, bits: int, kind: str) -> int:
    """The code whose stored word differs in one bit, from the text of the word."""
    if kind == "sign_magnitude":
        text = list(f"{'1' if value < 0 else '0'}{abs(value):0{bits - 1}b}")
    else:
        text = list(f"{value % 2**bits:0{bits}b}")
    place = bits - 1 - bit
    text[place] = "1" if text[place] == "0" else "0"
    found = int("".join(text), 2)
    if kind == "sign_magnitude":
        size = int("".join(text[1:]), 2)
        return -size if text[0] == "1" else size
    return found - 2**bits if kind == "signed" and text[0] == "1" else found


def unit_product(layer: Any, a: int, b: int) -> int:
    coding = layer.rule.coding
    if layer.rule.exact:
        return a * b
    table = layer.rule.unit.table()
    if coding == "sign_magnitude":
        return int(np.sign(b)) * int(table[a, abs(b)])
    return int(table[a % table.shape[0], b % table.shape[1]])


class Loops:
    """One image through one layer by loops; any code can be replaced, and any accumulator struck."""

    def __init__(self, layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.layer = layer
        self.shape: tuple[int, ...] = tuple(output.shape)
        rule = layer.rule
        bits = rule.format.a_bits
        signed_a, signed_b = rule.coding == "signed", rule.coding != "unsigned"

        def quantise(x: Tensor, scale: Tensor, zero: Tensor, *, signed: bool) -> Codes:
            low, high = (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
            codes: Codes = np.clip(np.round((x / scale).numpy()) + zero.numpy(), low, high).astype(np.int64)
            return codes

        self.a = quantise(inputs[0], layer.a_scale, layer.a_zero, signed=signed_a)
        right = inputs[1] if isinstance(layer, ApproxProduct) else layer.weight.detach()
        self.b = quantise(right, layer.b_scale, layer.b_zero, signed=signed_b)
        self.fair = self.b.copy()
        self.strike: tuple[int, int, int, int] | None = None  # flat output, additions done, bit, width

    def window(self, at: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """(a, b, the b that corrections were made of) of one output, in order."""
        layer = self.layer
        if isinstance(layer, ApproxConv2d):
            o, i, j = at
            left, _, top, _ = layer.padding
            depth = layer.weight.shape[1]
            group = o // (layer.weight.shape[0] // layer.groups)
            found = []
            for c, u, v in itertools.product(*map(range, layer.weight.shape[1:])):
                y, x = i * layer.stride[0] + u * layer.dilation[0] - top, j * layer.stride[1] + v * layer.dilation[1] - left
                inside = 0 <= y < self.a.shape[1] and 0 <= x < self.a.shape[2]
                a = int(self.a[group * depth + c, y, x]) if inside else int(layer.a_zero)
                found.append((a, int(self.b[o, c, u, v]), int(self.fair[o, c, u, v])))
            return found
        if isinstance(layer, ApproxLinear):
            *row, o = at
            return [(int(self.a[(*row, k)]), int(self.b[o, k]), int(self.fair[o, k])) for k in range(self.b.shape[1])]
        *lead, m, n = at
        return [(int(self.a[(*lead, m, k)]), int(b), int(b)) for k, b in enumerate(self.b[tuple(lead)][:, n])]

    def total(self, at: tuple[int, ...]) -> int:
        window = self.window(at)
        flat = int(np.ravel_multi_index(at, self.shape))
        struck = self.strike if self.strike is not None and self.strike[0] == flat else None
        width = 40 if struck is None else struck[3]
        held = 0
        for k, (a, b, _) in enumerate(window):
            held = (held + unit_product(self.layer, a, b)) % 2**width
            if struck is not None and struck[1] == k + 1:
                held ^= 1 << struck[2]
        held = held - 2**width if held >= 2 ** (width - 1) else held
        o = 0 if isinstance(self.layer, ApproxProduct) else at[0] if isinstance(self.layer, ApproxConv2d) else at[-1]
        zeros = self.layer.b_zero.reshape(-1)
        za, zb = int(self.layer.a_zero), int(zeros[o % len(zeros)])
        return held - sum(zb * a + za * b - za * zb for a, _, b in window)

    def output(self) -> Tensor:
        layer = self.layer
        sums = np.zeros(self.shape)
        for at in itertools.product(*map(range, self.shape)):
            sums[at] = self.total(at)
        outputs = 1 if isinstance(layer, ApproxProduct) else layer.weight.shape[0]
        scale = layer.a_scale.double().numpy() * np.broadcast_to(layer.b_scale.double().numpy().reshape(-1), (outputs,))
        shape = (-1, 1, 1) if isinstance(layer, ApproxConv2d) else (-1,)
        result = (sums * scale.reshape(shape)).astype(np.float32)
        bias = None if isinstance(layer, ApproxProduct) else layer.bias
        if bias is not None:
            result = result + bias.detach().numpy().reshape(shape)
        return torch.from_numpy(result.astype(np.float32))


def struck_of(subject: Subject, name: str, x: Tensor) -> Struck:
    seen: list[Any] = []
    layer = subject.places[name].layer
    handle = layer.register_forward_hook(lambda _module, inputs, output: seen.append((inputs, output)))
    with torch.no_grad():
        subject.net(x)
    handle.remove()
    return Struck(place=subject.places[name], inputs=seen[0][0], output=seen[0][1])


def sampled(fault: ImageFault, subject: Subject, count: int) -> tuple[list[Any], NDArray[np.int64]]:
    rng = np.random.default_rng(11)
    strata = fault.population(subject)
    chosen = [strata[int(i)] for i in rng.permutation(np.arange(count) % len(strata))]
    return chosen, np.array([int(fault.draw(stratum, 1, rng)[0]) for stratum in chosen])


QUICK = {
    ("conv", "unsigned", "table"),
    ("conv", "sign_magnitude", "table"),
    ("dilated", "signed", "table"),
    ("sparse", "unsigned", "exact"),
}
QUICK |= {("linear", "unsigned", "table"), ("linear", "signed", "exact"), ("product", "unsigned", "exact"), ("product", "signed", "table")}
CASES = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow) for case in itertools.product(MODELS, WIDTHS, ("exact", "table"))
]


@pytest.mark.parametrize(("kind", "coding", "unit"), CASES)
@pytest.mark.parametrize("spec", ["weight_flip", "activation_flip", "accumulator_flip(width=13)", "accumulator_flip(when=final,width=14)"])
def test_flips_are_those_of_loops(kind: str, coding: str, unit: str, spec: str) -> None:
    if kind == "product" and spec == "weight_flip":
        pytest.skip("products have no weights")
    subject, x, name = prepared(kind, planned(coding, unit))
    fault = faults.get(spec)
    assert isinstance(fault, ImageFault)
    struck = struck_of(subject, name, x)
    strata, numbers = sampled(fault, subject, len(x))
    with torch.no_grad():
        found = fault.strike(struck, strata, numbers)
    layer, different = subject.places[name].layer, 0
    for i, (stratum, number) in enumerate(zip(strata, numbers, strict=True)):
        loops = Loops(layer, tuple(values[i] for values in struck.inputs), struck.output[i])
        assert torch.equal(loops.output(), struck.output[i])
        site = fault.site(subject, stratum, int(number))
        if stratum.tensor == "accumulator":
            *at, done = site.index
            assert isinstance(fault, AccumulatorFlip)
            loops.strike = (int(np.ravel_multi_index(at, loops.shape)), done, stratum.bit, fault.width)
        elif stratum.tensor == "weight" or stratum.part == "right":
            loops.b[site.index] = word(int(loops.b[site.index]), stratum.bit, 4, coding)
        else:
            loops.a[site.index] = word(int(loops.a[site.index]), stratum.bit, 4, "signed" if coding == "signed" else "plain")
        wanted = loops.output()
        assert torch.equal(found[i], wanted), site
        different += not torch.equal(wanted, struck.output[i])
    assert different >= (1 if kind == "sparse" else len(x) // 2)


@pytest.mark.parametrize("unit", ["exact", "table"])
def test_wrong_decisions_to_skip_products(unit: str) -> None:
    plan = planned("sign_magnitude", unit, reduction="zero_skipping(operand=both)")
    subject, x, name = prepared("conv", plan, 40)
    fault = faults.get("skip_flip")
    assert isinstance(fault, ImageFault)
    (stratum,) = fault.population(subject)
    assert stratum.size == 4 * 3 * 3 * 9
    struck = struck_of(subject, name, x)
    numbers = fault.draw(stratum, len(x), np.random.default_rng(5))
    found = fault.strike(struck, [stratum] * len(x), numbers)
    layer, formed = subject.places[name].layer, 0
    assert isinstance(layer, ApproxConv2d)
    for i, number in enumerate(numbers):
        loops = Loops(layer, (struck.inputs[0][i],), struck.output[i])
        *at, tap = fault.site(subject, stratum, int(number)).index
        total = 0
        for k, (a, b, _) in enumerate(loops.window(tuple(at))):
            total -= int(layer.a_zero) * b
            skipped = a == 0 or b == 0
            formed += k == tap and skipped
            if skipped == (k == tap):
                total += unit_product(layer, a, b)
        assert layer.bias is not None
        scale = layer.a_scale.double() * layer.b_scale.double().reshape(-1)[at[0] % layer.b_scale.numel()]
        wanted = (total * scale).float() + layer.bias[at[0]].detach()
        assert torch.equal(found[i][tuple(at)], wanted)
    assert formed > 3


@torch.no_grad()
def test_wrong_predictions_of_outputs() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU())
    x = torch.rand(30, 2, 5, 5)
    net = approximate(model, Plan(coding="signed", reduction="speculative_termination(group=3,budget=0.2)"), calibrate=x)
    plain = approximate(model, Plan(multiplier="exact", coding="signed"), calibrate=x)
    subject = Subject.of(net, x)
    fault = faults.get("skip_flip")
    assert isinstance(fault, ImageFault)
    (stratum,) = fault.population(subject)
    numbers = fault.draw(stratum, len(x), np.random.default_rng(1))
    struck = struck_of(subject, "0", x)
    found, whole = fault.strike(struck, [stratum] * len(x), numbers), plain.layers()["0"](x)
    predicted = 0
    for i, number in enumerate(numbers):
        at = fault.site(subject, stratum, int(number)).index
        kept = struck.output[i][at]
        predicted += int(kept == 0)
        assert float(found[i][at]) == (float(whole[i][at]) if kept == 0 else 0.0)
        assert int((found[i] != struck.output[i]).sum()) <= 1
    assert 3 < predicted < 27


def test_networks_that_skip_nothing_have_no_such_control() -> None:
    subject, _, _ = prepared("conv", planned("signed", "exact"))
    with pytest.raises(FaultError, match="give layers a reduction that decides, such as zero_skipping"):
        faults.get("skip_flip").population(subject)


@pytest.mark.parametrize(
    "accumulator",
    ["accumulator(width=14,adder=loa(low=3))", "accumulator(width=13,overflow=saturate)", "accumulator(width=14,order=tree(radix=4))"],
)
def test_struck_accumulators_go_on_as_they_are_planned(accumulator: str) -> None:
    subject, x, name = prepared("conv", planned("signed", "table", accumulator=accumulator), 8)
    fault = faults.get("accumulator_flip(bits=(2,9,11))")
    assert isinstance(fault, ImageFault)
    struck, (strata, numbers) = struck_of(subject, name, x), sampled(fault, subject, len(x))
    found = fault.strike(struck, strata, numbers)
    layer = subject.places[name].layer
    assert isinstance(layer, ApproxConv2d)
    sums = layer.rule.sums
    assert sums is not None
    for i, (stratum, number) in enumerate(zip(strata, numbers, strict=True)):
        *at, done = fault.site(subject, stratum, int(number)).index
        loops = Loops(layer, (struck.inputs[0][i],), struck.output[i])
        window = loops.window(tuple(at))
        products, held = [unit_product(layer, a, b) for a, b, _ in window], np.zeros(1, np.int64)
        for start in range(0, len(products), sums.group):
            group = [np.array([p]) for p in products[start : start + sums.group]]
            group += [np.zeros(1, np.int64)] * (sums.group - len(group))
            while len(group) > 1:
                group = [sums.add(left, right) for left, right in zip(group[::2], group[1::2], strict=True)]
            held = sums.add(held, group[0])
            if start // sums.group + 1 == done:
                assert stratum.bit is not None
                text = (int(held[0]) % 2**sums.width) ^ (1 << stratum.bit)
                held = np.array([text - 2**sums.width if text >> (sums.width - 1) else text])
        zeros, za = layer.b_zero.reshape(-1), int(layer.a_zero)
        zb = int(zeros[at[0] % len(zeros)])
        total = int(held[0]) - sum(zb * a + za * b - za * zb for a, b, _ in window)
        scale = layer.a_scale.double() * layer.b_scale.double().reshape(-1)[at[0] % layer.b_scale.numel()]
        assert layer.bias is not None
        assert torch.equal(found[i][tuple(at)], (total * scale).float() + layer.bias[at[0]].detach())


def test_output_words_move_by_what_their_bit_weighs() -> None:
    subject, x, name = prepared("linear", planned("signed", "exact"))
    fault = faults.get("output_flip")
    assert isinstance(fault, ImageFault)
    struck, (strata, numbers) = struck_of(subject, name, x), sampled(fault, subject, len(x))
    found, layer = fault.strike(struck, strata, numbers), subject.places[name].layer
    for i, (stratum, number) in enumerate(zip(strata, numbers, strict=True)):
        at = fault.site(subject, stratum, int(number)).index
        code = min(max(round(float(struck.output[i][at] / layer.out_scale)) + int(layer.out_zero), 0), 15)
        assert stratum.bit is not None
        moved = (code ^ (1 << stratum.bit)) - code
        assert torch.equal(found[i][at], struck.output[i][at] + moved * layer.out_scale)
        assert int((found[i] != struck.output[i]).sum()) == 1
