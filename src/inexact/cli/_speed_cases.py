"""What `inexact bench emulation` times: layers, whole networks and training steps, each beside torch float32."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from inexact import kernels
from inexact.nn import Plan, approximate, workload
from inexact.units import Accumulator, Multiplier, from_table, multipliers
from inexact.zoo import architecture_of, untrained

UNITS = {
    "arbitrary": "random asymmetric table, products 0..65025",
    "narrow": "a*b plus a random error in -128..127: the error fits 8 bits",
    "kulkarni": "Kulkarni's multiplier: an error of rank 1",
    "drum(k=4)": "DRUM: an error of rank 2",
    "exact": "exact products",
}
"""name -> what the unit stands for."""


@cache
def unit_of(name: str) -> Multiplier:
    """One of `UNITS`, or any unit by its spec."""
    random = torch.Generator().manual_seed(0)
    if name == "arbitrary":
        return from_table(torch.randint(0, 65026, (256, 256), generator=random).numpy(), signed=False)
    if name == "narrow":
        codes = torch.arange(256)
        return from_table((torch.outer(codes, codes) + torch.randint(-128, 128, (256, 256), generator=random)).numpy(), signed=False)
    return multipliers.get(name)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The emulated run, the float32 run, and the engine that serves the first."""

    emulated: Callable[[], object]
    float32: Callable[[], object]
    engine: str


@dataclass(frozen=True, kw_only=True)
class Case(ABC):
    """Something to time. name: shown and filtered by. units: those of `UNITS` it is timed with. quick: part of a quick run."""

    name: str
    units: tuple[str, ...] = ("arbitrary", "narrow", "kulkarni", "drum(k=4)")
    quick: bool = False

    @property
    @abstractmethod
    def macs(self) -> int:
        """Products of one run."""

    @abstractmethod
    def pair(self, unit: str, engine: str) -> Pair:
        """Both runs. engine: "auto" or a name of `kernels.engines()`."""


@final
@dataclass(frozen=True, kw_only=True)
class Convolution(Case):
    """Codes in, int32 sums out: `kernels.conv2d` beside `torch.conv2d` in channels_last."""

    batch: int
    inputs: int
    outputs: int
    size: int
    kernel: int = 3
    stride: int = 1
    groups: int = 1

    @property
    def out(self) -> int:
        """Height and width of the output."""
        return (self.size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    @property
    def macs(self) -> int:
        """Products of one run."""
        return self.batch * self.outputs * self.out**2 * (self.inputs // self.groups) * self.kernel**2

    def pair(self, unit: str, engine: str) -> Pair:
        """Both runs."""
        a = _codes(self.batch, self.inputs, self.size, self.size)
        w = _codes(self.outputs, self.inputs // self.groups, self.kernel, self.kernel)
        x, y = (t.float().to(memory_format=torch.channels_last) for t in (a, w))
        lut, padding = _table(unit), self.kernel // 2
        return Pair(
            emulated=lambda: kernels.conv2d(a, w, lut, self.stride, padding, 1, self.groups, 0, engine),
            float32=lambda: functional.conv2d(x, y, None, self.stride, padding, 1, self.groups),
            engine=_engine(
                unit, engine, (self.batch, self.inputs, self.out, self.out, self.outputs, self.kernel, self.kernel, self.groups)
            ),
        )


@final
@dataclass(frozen=True, kw_only=True)
class Accumulation(Case):
    """A convolution whose products are summed one by one through an approximate adder; `accumulator` is the spec of the accumulator."""

    accumulator: str
    batch: int
    channels: int
    size: int

    @property
    def macs(self) -> int:
        """Products of one run."""
        return self.batch * self.channels**2 * self.size**2 * 9

    def pair(self, unit: str, engine: str) -> Pair:
        """Both runs; the sequential engine serves the first."""
        del engine
        a, w = _codes(self.batch, self.channels, self.size, self.size), _codes(self.channels, self.channels, 3, 3)
        x, y = (t.float().to(memory_format=torch.channels_last) for t in (a, w))
        lut, accumulator = _table(unit), Accumulator.get(self.accumulator)
        return Pair(
            emulated=lambda: kernels.sequential_conv2d(a, w, lut, accumulator, padding=1),
            float32=lambda: functional.conv2d(x, y, padding=1),
            engine="sequential",
        )


@final
@dataclass(frozen=True, kw_only=True)
class Linear(Case):
    """Codes in, int32 sums out: `kernels.gemm` beside `torch.nn.functional.linear`."""

    rows: int
    inputs: int
    outputs: int

    @property
    def macs(self) -> int:
        """Products of one run."""
        return self.rows * self.inputs * self.outputs

    def pair(self, unit: str, engine: str) -> Pair:
        """Both runs."""
        a, b, lut = _codes(self.rows, self.inputs), _codes(self.outputs, self.inputs), _table(unit)
        x, w = a.float(), b.float()
        return Pair(
            emulated=lambda: kernels.gemm(a, b, lut, engine),
            float32=lambda: functional.linear(x, w),
            engine=_engine(unit, engine, (self.rows, self.outputs, self.inputs)),
        )


@final
@dataclass(frozen=True, kw_only=True)
class Inference(Case):
    """A whole network, quantisation and all: `approximate(model, unit)` beside the float32 network in channels_last."""

    network: str
    batch: int

    def model(self) -> nn.Module:
        """The float32 network with seeded random weights; speed does not depend on them."""
        return untrained(architecture_of(self.network)).eval()

    @property
    def shape(self) -> tuple[int, ...]:
        """One image."""
        return tuple(architecture_of(self.network).input_shape)

    @property
    def macs(self) -> int:
        """Products of one run."""
        return self.batch * workload(self.model(), self.shape).macs

    def images(self) -> Tensor:
        """Seeded random images."""
        return torch.randn(self.batch, *self.shape, generator=torch.Generator().manual_seed(1))

    def emulated(self, unit: str) -> Callable[[], object]:
        """One forward pass of the emulated network, calibrated on four images; the float32 network it was made from is let go."""
        images = self.images()
        model = approximate(self.model(), Plan(multiplier=unit_of(unit)), calibrate=images[:4])
        return _without_gradients(model, images)

    def float32(self) -> Callable[[], object]:
        """One forward pass of the float32 network."""
        return _without_gradients(_arranged(self.model()), self.images().to(memory_format=torch.channels_last))

    def pair(self, unit: str, engine: str) -> Pair:
        """Both runs; the layers choose their engines themselves."""
        del engine
        return Pair(emulated=self.emulated(unit), float32=self.float32(), engine="auto")


@final
@dataclass(frozen=True, kw_only=True)
class TrainingStep(Case):
    """Forward, cross entropy, backward, one SGD update: the emulated network (straight-through) beside the float32 one."""

    network: str
    batch: int

    @property
    def macs(self) -> int:
        """Products of the forward pass and twice as many of the backward pass."""
        architecture = architecture_of(self.network)
        return 3 * self.batch * workload(untrained(architecture), architecture.input_shape).macs

    def pair(self, unit: str, engine: str) -> Pair:
        """Both runs; the layers choose their engines themselves."""
        del engine
        architecture = architecture_of(self.network)
        model, random = untrained(architecture), torch.Generator().manual_seed(1)
        images = torch.randn(self.batch, *architecture.input_shape, generator=random)
        labels = torch.randint(0, architecture.classes, (self.batch,), generator=random)
        emulated = approximate(model, Plan(multiplier=unit_of(unit)), calibrate=images)
        arranged = kernels.channels_last(images)
        float32 = _arranged(model).train()
        return Pair(emulated=_step(emulated, arranged, labels), float32=_step(float32, arranged, labels), engine="auto")


CASES: tuple[Case, ...] = (
    Convolution(name="conv 64-64 3x3, 56x56, batch 8", batch=8, inputs=64, outputs=64, size=56),
    Convolution(name="conv 256-256 3x3, 14x14, batch 8", batch=8, inputs=256, outputs=256, size=14),
    Linear(name="linear 1024-1024, batch 64", rows=64, inputs=1024, outputs=1024, quick=True),
    Convolution(name="depthwise 3x3, 112x112, 96 channels", batch=1, inputs=96, outputs=96, size=112, groups=96),
    Convolution(name="conv 16-16 3x3, 28x28, batch 64", batch=64, inputs=16, outputs=16, size=28, units=("arbitrary",), quick=True),
    Convolution(name="conv 16-32 3x3 /2, 28x28, batch 64", batch=64, inputs=16, outputs=32, size=28, stride=2, units=("arbitrary",)),
    Convolution(name="conv 64-64 3x3, 7x7, batch 64", batch=64, inputs=64, outputs=64, size=7, units=("arbitrary",)),
    Inference(name="ResNet-18, 224x224, batch 1", network="resnet18(classes=1000,channels=3,size=224)", batch=1),
    Inference(name="ResNet-18, 224x224, batch 8", network="resnet18(classes=1000,channels=3,size=224)", batch=8),
    Accumulation(
        name="LOA accumulation, conv 64-64 3x3, 56x56",
        accumulator="accumulator(adder=loa(low=8),width=24)",
        batch=1,
        channels=64,
        size=56,
        units=("exact",),
    ),
    TrainingStep(name="training step of ResNet-8, batch 128", network="resnet8", batch=128),
)

INFERENCES = {case.name: case for case in CASES if isinstance(case, Inference)}
"""The whole networks among the cases, by name."""


def _arranged(model: nn.Module) -> nn.Module:
    arranged: nn.Module = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return arranged


def _table(unit: str) -> Tensor:
    return torch.from_numpy(unit_of(unit).table().copy())


def _codes(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(sum(shape)))


def _engine(unit: str, engine: str, shape: tuple[int, ...]) -> str:
    return kernels.engine_for(unit_of(unit), shape) if engine == "auto" else engine


def _without_gradients(model: nn.Module, images: Tensor) -> Callable[[], object]:
    def run() -> Any:
        with torch.inference_mode():
            return model(images)

    return run


def _step(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], object]:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(functional.cross_entropy(model(images), labels))
        optimizer.step()

    return run
