"""Layers through the compiled core equal the portable path bit for bit, for every rule, instruction set, thread count and memory format."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import kernels, units
from inexact.core.errors import FormatError
from inexact.kernels import _choice
from inexact.kernels._known import known_of
from inexact.nn import ApproxConv2d, ApproxLinear, Correction, Plan, Rule, approximate
from inexact.nn import _emulation as emulation_module
from inexact.nn import _layer as layer_module

Layer = ApproxConv2d | ApproxLinear

CONVOLUTIONS = {
    "plain": nn.Conv2d(3, 4, 3),
    "padded": nn.Conv2d(3, 33, 3, padding=1),
    "stride": nn.Conv2d(2, 3, 3, stride=2, padding=(2, 1)),
    "dilation": nn.Conv2d(2, 3, (2, 3), dilation=(2, 1), padding=2, bias=False),
    "groups": nn.Conv2d(4, 6, 3, groups=2, padding=1, stride=(1, 2)),
    "depthwise": nn.Conv2d(19, 19, 3, groups=19, padding=1),
    "pointwise": nn.Conv2d(17, 70, 1),
    "same": nn.Conv2d(2, 3, (2, 4), padding="same"),
    "circular": nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
    "reflect": nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
}
CODINGS = ["unsigned", "signed", "sign_magnitude"]
PRECISIONS = ["int8", "int(requantisation=integer)", "w4a8", "int(a_bits=5,b_bits=7,granularity=per_tensor)"]
PLAIN = [("multiplied", "none"), ("multiplied", "bias"), ("multiplied", "column")]
PADDED = [("multiplied", "none"), ("multiplied", "column"), ("skipped", "bias"), ("skipped", "column")]
"""padding, correction: every pair that meets code of its own."""


def unit_for(precision: str, coding: str, seed: int) -> units.Multiplier:
    bits = {"w4a8": (8, 4), "int(a_bits=5,b_bits=7,granularity=per_tensor)": (5, 7)}.get(precision, (8, 8))
    low = -20000 if coding == "signed" else 0
    table = np.random.default_rng([seed, *bits]).integers(low, 60000, (2 ** bits[0], 2 ** bits[1]), dtype=np.int32)
    return units.from_table(table, signed=coding == "signed", width=bits)


def layer_of(source: nn.Module, x: Tensor, **rule: str | units.Multiplier) -> Layer:
    net = approximate(nn.Sequential(copy.deepcopy(source)), Plan({"0": Rule(**rule)}), calibrate=x)  # type: ignore[arg-type]
    layer = next(iter(net.layers().values()))
    assert isinstance(layer, (ApproxConv2d, ApproxLinear))
    return layer


def correct(layer: Layer, *, column: bool) -> None:
    """An arbitrary correction, with different numbers for every channel and code."""
    generator = torch.Generator().manual_seed(1)
    channels, codes = layer.weight.shape[0], layer.column.numel()
    layer.correct(
        Correction(
            bias=torch.randint(-(2**20), 2**20, (channels,), generator=generator),
            gain=torch.rand(channels, generator=generator, dtype=torch.float64) + 0.5,
            column=torch.randint(-9000, 9000, (codes,), generator=generator, dtype=torch.int32) if column else None,
        )
    )


def portable(layer: Layer, x: Tensor) -> Tensor:
    """The layer by torch operators, by the same public call."""
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(layer_module, "compiled_layer_serves", lambda _x: False)
        found: Tensor = layer(x)
        return found


@torch.no_grad()
def check(layer: Layer, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every instruction set of this machine, with one thread and more."""
    if not kernels.isas():
        pytest.skip("the compiled core is missing")
    wanted = portable(layer, x)
    with monkeypatch.context() as patch:
        patch.setattr(type(layer), "emulated", None)  # the portable path may not serve these calls
        for isa, threads in itertools.product(kernels.isas(), ("1", "3")):
            patch.setenv("INEXACT_ISA", isa)
            patch.setenv("INEXACT_THREADS", threads)
            found = layer(x)
            assert found.dtype == torch.float32
            assert torch.equal(found, wanted), (isa, threads)
            if x.dim() == 4:
                turned = layer(kernels.channels_last(x))
                assert torch.equal(turned, wanted), (isa, threads)
                kept = isinstance(layer, ApproxConv2d) and layer.padding_mode == "zeros"  # torch's other paddings do not keep the order
                assert not kept or turned.is_contiguous(memory_format=torch.channels_last), (isa, threads)
                assert torch.equal(layer(x.transpose(2, 3).contiguous().transpose(2, 3)), wanted), (isa, threads)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(name: str, coding: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(len(name))
    source = CONVOLUTIONS[name]
    x = torch.randn(2, source.in_channels, 11, 10) + 0.5
    unit = unit_for(precision, coding, len(name))
    for padding, correction in PADDED if source.padding_mode == "zeros" and any(source.padding) else PLAIN:
        layer = layer_of(source, x, multiplier=unit, precision=precision, coding=coding, padding=padding)
        if correction != "none":
            correct(layer, column=correction == "column")
        check(layer, x * 1.5, monkeypatch)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("shape", [(1, 9), (70, 9), (2, 3, 9), (9,)])
def test_linear(shape: tuple[int, ...], coding: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    x = torch.randn(*shape) - 0.3
    for correction in ("none", "bias", "column"):
        layer = layer_of(
            nn.Linear(9, 37), torch.randn(20, 9), multiplier=unit_for(precision, coding, 5), precision=precision, coding=coding
        )
        if correction != "none":
            correct(layer, column=correction == "column")
        check(layer, x, monkeypatch)


@pytest.mark.parametrize("precision", ["int8", "int(requantisation=integer)"])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("source", [CONVOLUTIONS["padded"], CONVOLUTIONS["groups"], nn.Linear(9, 37)], ids=["padded", "groups", "linear"])
def test_errors_of_one_byte(source: nn.Module, coding: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(4)
    x = torch.randn(2, source.in_channels, 21, 20) + 0.5 if isinstance(source, nn.Conv2d) else torch.randn(70, 9)
    signed = coding == "signed"
    numbers = np.arange(256) - 256 * (signed * (np.arange(256) > 127))
    table = np.multiply.outer(numbers, numbers) + np.random.default_rng(3).integers(-128, 128, (256, 256))
    weigh = _choice.weigh
    monkeypatch.setattr(_choice, "weigh", lambda *given: replace(weigh(*given), engine="split"))
    unit = units.from_table(table.astype(np.int32), signed=signed)
    for correction in ("none", "column"):
        layer = layer_of(source, x, multiplier=unit, precision=precision, coding=coding)
        if correction == "column":
            correct(layer, column=True)
        assert known_of(layer.table).split is not None
        check(layer, x * 1.5, monkeypatch)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", ["stride", "groups", "same"])
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_exact_units_and_units_of_small_rank(name: str, coding: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    source = CONVOLUTIONS[name]
    x = torch.randn(2, source.in_channels, 21, 40) + 0.5
    width = {"w4a8": (8, 4), "int(a_bits=5,b_bits=7,granularity=per_tensor)": (5, 7)}.get(precision, (8, 8))
    truncated = units.get(f"operand_trunc(width=({width[0]},{width[1]}),signed={coding == 'signed'})")
    chosen: list[str | units.Multiplier] = ["exact", truncated]
    for unit, padding, column in itertools.product(chosen, ("multiplied", "skipped"), (False, True)):
        layer = layer_of(source, x, multiplier=unit, precision=precision, coding=coding, padding=padding)
        correct(layer, column=column)
        check(layer, x, monkeypatch)


def test_exact_layers_beyond_the_table_take_the_portable_path() -> None:
    torch.manual_seed(0)
    wide = layer_of(nn.Linear(9, 4), torch.randn(8, 9), multiplier="exact", precision="int(a_bits=12,b_bits=10)")
    deep = layer_of(nn.Linear(33000, 2), torch.randn(3, 33000), multiplier="exact")
    for layer, inputs in ((wide, torch.randn(4, 9)), (deep, torch.randn(2, 33000))):
        with torch.no_grad():
            assert torch.equal(layer(inputs), portable(layer, inputs))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 224, 224), (2, 65, 40, 41), (3, 100, 1, 1), (5, 1, 9, 700)])
def test_sizes(shape: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    source, x = nn.Conv2d(shape[1], 5, 3, padding=1), torch.randn(shape)
    check(layer_of(source, x, multiplier=unit_for("int8", "unsigned", 1)), x, monkeypatch)


@pytest.mark.parametrize("coding", CODINGS)
def test_ties_and_extremes_are_quantised_alike(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    layer = layer_of(nn.Linear(1, 3), torch.tensor([[-1.0], [1.5]]), multiplier=unit_for("int8", coding, 2), coding=coding)
    steps = torch.arange(-600, 600, dtype=torch.float32) / 2 * layer.a_scale
    near = [steps, steps.nextafter(torch.tensor(torch.inf)), steps.nextafter(torch.tensor(-torch.inf))]
    extremes = torch.tensor([0.0, -0.0, 1e-45, -1e-45, 1e30, -1e30, 3.4e38, -3.4e38, 2.0**23, 2.0**24 + 2])
    check(layer, torch.cat([*near, extremes])[:, None], monkeypatch)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("at", [0, 40, -1])
def test_what_is_not_finite_is_refused(bad: float, at: int, path: str) -> None:
    x = torch.randn(2, 3, 7, 9)
    layer = layer_of(nn.Conv2d(3, 4, 3), x, multiplier=unit_for("int8", "unsigned", 1))
    x.view(-1)[at] = bad
    for given in (x, x.to(memory_format=torch.channels_last)):
        with pytest.raises(FormatError, match=r"activations entering layer 0 must be finite; NaN or infinity came"):
            layer(given)


def test_weights_are_prepared_once_while_nothing_changes() -> None:
    x = torch.randn(4, 3, 7, 7)
    layer = layer_of(nn.Conv2d(3, 4, 3), x, multiplier=unit_for("int8", "unsigned", 1))
    first = layer._prepared()
    layer(x)
    assert layer._prepared() is first
    with torch.inference_mode():
        assert layer._prepared() is first
    assert copy.deepcopy(layer)._prepared() is not first


def test_every_change_is_seen() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 3, 7, 7)
    layer = layer_of(nn.Conv2d(3, 4, 3), x, multiplier=unit_for("int8", "unsigned", 1))
    other = layer_of(nn.Conv2d(3, 4, 3), 2 * x, multiplier=unit_for("int8", "unsigned", 1))
    optimiser = torch.optim.SGD(layer.parameters(), lr=1e-5)

    def step() -> None:
        layer(x).square().sum().backward()
        optimiser.step()

    def in_place() -> None:
        with torch.no_grad():
            layer.weight[0].neg_()

    def replace() -> None:
        layer.weight.data = layer.weight.data.flip(0)

    changes = [step, in_place, replace, lambda: correct(layer, column=True), lambda: layer.load_state_dict(other.state_dict())]
    with torch.no_grad():
        before = layer(x)
    for change in changes:
        change()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            after = layer(x)
        assert torch.equal(after, portable(layer, x)), change
        assert not torch.equal(after, before), change
        before = after


def test_layers_made_in_inference_mode_work() -> None:
    x = torch.randn(2, 3, 7, 7)
    with torch.inference_mode():
        layer = layer_of(nn.Conv2d(3, 4, 3), x, multiplier=unit_for("int8", "unsigned", 1))
        before = layer(x)
        layer.weight.mul_(2)
        assert not torch.equal(layer(x), before)


@pytest.mark.parametrize("source", ["padded", "stride", "dilation", "groups", "linear"])
def test_columns_with_coefficients_as_outputs_are_their_window_sums(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = CONVOLUTIONS.get(source, nn.Linear(8, 5))
    x = torch.randn(2, *(() if source == "linear" else (module.weight.shape[1] * getattr(module, "groups", 1), 7)), 8)
    layer = layer_of(module, x, multiplier="trunc(cut=6)")
    generator = torch.Generator().manual_seed(3)
    factors = torch.randint(-(2**15) + 1, 2**15, (3, 256), generator=generator, dtype=torch.int32)
    coefficients = torch.randint(-127, 128, (len(layer.weight), 3), generator=generator, dtype=torch.int32)
    layer.correct(replace(Correction.neutral(len(layer.weight)), factors=factors, coefficients=coefficients, shift=7))
    with torch.no_grad():
        fast = layer(x)
        monkeypatch.setattr(emulation_module, "columns_are_outputs", lambda *_: False)
        assert torch.equal(fast, layer(x))
        layer.correct(Correction.neutral(len(layer.weight)))
        assert not torch.equal(fast, layer(x))
