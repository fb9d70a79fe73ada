"""The cost model takes the engine that measured fastest, on one thread and on two, and its times follow threads and shapes."""

from __future__ import annotations

import pytest

from inexact.kernels import _choice
from inexact.kernels._cost import Layer, Machine

LAYERS = {
    "conv 64-64, 56x56, batch 8": Layer(positions=25088, outputs=64, inputs=64, taps=9),
    "conv 256-256, 14x14, batch 8": Layer(positions=1568, outputs=256, inputs=256, taps=9),
    "conv 512-512, 7x7, batch 1": Layer(positions=49, outputs=512, inputs=512, taps=9),
    "conv 16-16, 28x28, batch 64": Layer(positions=50176, outputs=16, inputs=16, taps=9),
    "depthwise, 96 channels, 112x112": Layer(positions=12544, outputs=1, inputs=1, taps=9, groups=96),
    "linear 1024-1024, batch 64": Layer.product(64, 1024, 1024),
    "linear 1024-1024, batch 8": Layer.product(8, 1024, 1024),
}
FEW = {"conv 16-16, 28x28, batch 64", "depthwise, 96 channels, 112x112", "linear 1024-1024, batch 8"}
"""Layers in which an exact product beside the error's look-ups does not pay."""


def machine(threads: int) -> Machine:
    return Machine(isa="avx512", products="avx512", threads=threads)


MACHINES = (machine(1), machine(2))


def fastest(threads: int, layer: Layer, terms: int | None, split: int | None) -> str:
    rates = _choice._rates(machine(threads), layer, False, terms, split)
    return max(rates, key=lambda name: rates[name])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_the_engine_that_measured_fastest_is_taken(name: str, threads: int) -> None:
    assert fastest(threads, LAYERS[name], None, 1) == ("table" if name in FEW else "split")
    for terms in (1, 2):  # DRUM and Kulkarni
        assert fastest(threads, LAYERS[name], terms, None) == "lowrank"


@pytest.mark.parametrize("name", LAYERS)
def test_threads_divide_the_work(name: str) -> None:
    one, two = (
        [m.table_ns(layer, narrow=False), m.lowrank_ns(layer, 2), m.split_ns(layer, 1)] for layer in [LAYERS[name]] for m in MACHINES
    )
    assert all(0.49 < b / a < 0.95 for a, b in zip(one, two, strict=True))


def test_each_thread_builds_the_rows_of_its_places() -> None:
    one, two = (m.table_ns(Layer(positions=2000, outputs=32, inputs=2000), narrow=False) for m in MACHINES)
    assert two / one == pytest.approx((1000 * 0.76 + 256 * 1.2) / (2000 * 0.76 + 256 * 1.2), rel=0.02)


def test_small_layers_use_one_thread() -> None:
    small = Layer(positions=10, outputs=10, inputs=10)
    assert machine(8).used(small) == 1
    assert machine(8).used(LAYERS["conv 16-16, 28x28, batch 64"]) == 8
    assert machine(8).table_ns(small, narrow=False) == machine(1).table_ns(small, narrow=False)
