"""Sizes of the networks, and that each can be traced and replaced layer by layer."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from inexact.core.errors import SpecError, UnknownNameError
from inexact.nn import workload
from inexact.zoo import architecture_of, architectures, untrained

SIZES = {
    # parameters, MACs in M as published for these networks
    "lenet5": (61_706, 0.42),
    "resnet8": (77_754, 9.35),
    "resnet20": (272_186, 31.0),
    "resnet18": (11_175_370, 33.011),
    "vgg7": (298_410, 29.1),
    "mobilenetv2s": (62_218, 4.21),
    "vit_tiny": (333_066, 17.7),
}


def test_the_zoo_holds_exactly_these_networks() -> None:
    assert set(architectures) == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_size(name: str) -> None:
    architecture = architecture_of(name)
    model = untrained(architecture)
    parameters, macs = SIZES[name]
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert workload(model, architecture.input_shape).macs / 1e6 == pytest.approx(macs, rel=3e-3, abs=5e-3)


def test_resnet18_at_its_published_size() -> None:
    architecture = architecture_of("resnet18(classes=1000,channels=3,size=224)")
    model = untrained(architecture)
    assert sum(p.numel() for p in model.parameters()) == 11_689_512  # He et al., as counted by every framework
    assert workload(model, architecture.input_shape).macs == 1_814_073_344


def test_attention_products_of_vit() -> None:
    tokens, width, depth = 49, 96, 4
    assert depth * 2 * tokens * tokens * width / 1e6 == pytest.approx(1.84, abs=0.01)


@pytest.mark.parametrize("name", SIZES)
def test_traceable_and_batch_norm_follows_its_convolution(name: str) -> None:
    model = untrained(architecture_of(name))
    graph = fx.symbolic_trace(model)
    norms = 0
    for node in graph.graph.nodes:
        if node.op == "call_module" and isinstance(model.get_submodule(str(node.target)), nn.BatchNorm2d):
            before = node.args[0]
            assert isinstance(before, fx.Node)
            assert isinstance(model.get_submodule(str(before.target)), nn.Conv2d)
            assert len(before.users) == 1
            norms += 1
    assert norms == sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    x = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(graph(x), model(x))


def test_every_product_with_weights_is_a_plain_layer() -> None:
    model = untrained(architecture_of("vit_tiny"))
    holders = {name.rpartition(".")[0] for name, p in model.named_parameters() if p.ndim > 1 and name != "position"}
    assert all(type(model.get_submodule(name)) in (nn.Linear, nn.Conv2d) for name in holders)


@pytest.mark.parametrize("name", SIZES)
def test_other_sizes_and_classes(name: str) -> None:
    architecture = architecture_of(f"{name}(classes=7,channels=3,size=32)")
    assert architecture.spec == f"{name}(classes=7,channels=3,size=32)"
    model = untrained(architecture)
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_untrained_is_reproducible_and_leaves_the_random_state() -> None:
    before = torch.random.get_rng_state()
    a, b = (untrained(architecture_of("lenet5")).state_dict() for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_unknown_network() -> None:
    with pytest.raises(UnknownNameError, match=r"no network is called 'resnet9'; did you mean 'resnet8'"):
        architecture_of("resnet9")


def test_unknown_parameter() -> None:
    with pytest.raises(SpecError, match=r"resnet8 has no parameter 'clases'; did you mean 'classes'"):
        architecture_of("resnet8(clases=5)")


def test_parameter_out_of_range() -> None:
    with pytest.raises(SpecError, match=r"classes must be at least 1, not 0"):
        architecture_of("resnet8(classes=0)")
    with pytest.raises(SpecError, match=r"size must be at least 16 pixels, not 4"):
        architecture_of("lenet5(size=4)")
