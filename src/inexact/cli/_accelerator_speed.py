"""`inexact bench accelerator`: how long mappings take to search, and an account to make again after a change of unit."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from inexact.core.workload import Arithmetic, LayerWorkload, Workload

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Blocks and inner channels of ResNet-50's four stages (He et al., CVPR 2016, doi:10.1109/CVPR.2016.90, table 1)."""

UNITS = ("trunc(cut=4,signed=true)", "trunc(cut=5,signed=true)", "trunc(cut=6,signed=true)", "perforation(start=0,count=2,signed=true)")


def resnet50() -> Workload:
    """ResNet-50 on 224x224 images: 53 convolutions, one linear layer, additions and pooling between them."""
    layers = [_conv("stem", 3, 64, 224, 7, 2), _vector("pool", "pool", 64, 112, 56)]
    channels, size = 64, 56
    for stage, (blocks, inner) in enumerate(STAGES):
        for block in range(blocks):
            stride, name = (2 if stage and not block else 1), f"stage{stage + 1}.{block}"
            out = size // stride
            layers += [
                _conv(f"{name}.conv1", channels, inner, size, 1, 1),
                _conv(f"{name}.conv2", inner, inner, size, 3, stride),
                _conv(f"{name}.conv3", inner, 4 * inner, out, 1, 1),
            ]
            if not block:
                layers.append(_conv(f"{name}.shortcut", channels, 4 * inner, size, 1, stride))
            layers.append(dataclasses.replace(_vector(f"{name}.add", "add", 4 * inner, out, out), operands=2))
            channels, size = 4 * inner, out
    layers.append(_vector("average", "pool", 2048, 7, 1))
    layers.append(LayerWorkload(name="fc", kind="linear", in_channels=2048, out_channels=1000))
    return Workload(network="ResNet-50", layers=tuple(layers))


def _conv(name: str, inputs: int, outputs: int, size: int, kernel: int, stride: int) -> LayerWorkload:
    return LayerWorkload.square(name, size, in_channels=inputs, out_channels=outputs, kernel=kernel, stride=stride)


def _vector(name: str, kind: str, channels: int, size: int, out: int) -> LayerWorkload:
    return LayerWorkload(name=name, kind=kind, in_channels=channels, out_channels=channels, in_h=size, in_w=size, out_h=out, out_w=out)


def measure() -> dict[str, Any]:
    """Seconds of the first account of ResNet-50, mappings searched, and milliseconds of one after another unit, by preset."""
    from inexact import hardware

    network = hardware.baseline(resnet50())
    hardware.load("edge-16x16").evaluate(hardware.baseline(Workload(network="warm", layers=network.layers[:1])))
    cases = []
    for name in hardware.presets():
        machine = hardware.load(name)
        start = time.perf_counter()
        cost = machine.evaluate(network)
        searched = time.perf_counter() - start
        again = []
        for unit in UNITS if machine.style == "parallel" else ():
            arithmetic = Arithmetic(multiplier=unit, coding="signed")
            layers = (dataclasses.replace(layer, arithmetic=arithmetic) if layer.multiplies else layer for layer in network.layers)
            other = Workload(network=network.network, layers=tuple(layers))
            start = time.perf_counter()
            machine.evaluate(other)
            again.append(1000 * (time.perf_counter() - start))
        row = {"accelerator": name, "search_s": searched, "reestimate_ms": min(again) if again else None, "macs": cost.macs}
        cases.append(row | {"energy_pj_per_mac": cost.energy_pj.total.value / cost.macs, "cycles": cost.cycles.value})
    return {"network": network.network, "layers": len(network.layers), "cases": cases}
