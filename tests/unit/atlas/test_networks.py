"""Networks computed from their definitions, against the counts of their common implementations and papers."""

from __future__ import annotations

import pytest

from inexact.atlas import networks

PARAMETERS = {
    "LeNet-5": 61_706,
    "AlexNet": 61_100_840,
    "VGG-16": 138_357_544,
    "ResNet-18": 11_689_512,
    "ResNet-50": 25_557_032,
    "ResNet-101": 44_549_160,
    "SqueezeNet": 1_248_424,
    "MobileNetV2": 3_504_872,
    "GoogLeNet": 6_624_904,
    "Inception-v3": 23_834_568,
    "ViT-B/16": 86_567_656,
    "DeiT-S": 22_050_664,
    "ResNet-20": 269_722,
    "ResNet-32": 464_154,
    "ResNet-56": 853_018,
}
"""Of torchvision and timm (auxiliary classifiers left out), and of the CIFAR networks with shortcuts without parameters."""

MACS = {
    "LeNet-5": 0.4e6, "ResNet-20": 41e6, "ResNet-32": 69e6, "ResNet-56": 126e6, "AlexNet": 0.7e9, "VGG-16": 15.5e9, "SqueezeNet": 0.8e9,
    "ResNet-18": 1.8e9, "ResNet-50": 4.1e9, "Inception-v3": 5.7e9, "MobileNetV2": 0.3e9, "GoogLeNet": 1.5e9, "ViT-B/16": 17.6e9,
    "DeiT-S": 4.6e9,
}  # fmt: skip
"""As commonly quoted, to two digits."""


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_parameters(name: str) -> None:
    assert networks.known()[name].size.parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", sorted(MACS))
def test_multiply_accumulates(name: str) -> None:
    assert networks.known()[name].size.macs == pytest.approx(MACS[name], rel=0.05)


def test_kinds_of_layers() -> None:
    known = networks.known()
    assert known["MobileNetV2"].size.depthwise
    assert not known["ResNet-50"].size.depthwise
    assert [name for name, network in known.items() if network.size.attention] == ["ViT-B/16", "DeiT-S"]
    assert known["ResNet-20"].size.layers == 20
    assert known["VGG-16"].size.layers == 16


def test_a_perceptron_by_hand() -> None:
    size = networks.known()["MLP 784-300-10"].size
    assert size.macs == 784 * 300 + 300 * 10
    assert size.parameters == size.macs + 310


def test_zoo_networks_agree_with_the_definition() -> None:
    torch = pytest.importorskip("torch")
    from inexact.zoo import architectures

    with torch.device("meta"):
        built = architectures.get("resnet8(channels=3,size=32)").build()
    ours = networks.known()["ResNet-8"].size
    theirs = sum(p.numel() for p in built.parameters())
    projections = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)  # the zoo's shortcuts are convolutions, the paper's CIFAR networks have none
    assert theirs - projections == ours.parameters


@pytest.mark.parametrize(
    ("text", "small", "name"),
    [
        ("VGG16", False, "VGG-16"),
        ("vgg-16", True, "VGG-16, small images"),
        ("ResNet50", False, "ResNet-50"),
        ("ResNet-50", True, "ResNet-50, small images"),
        ("AlexNet", True, None),
        ("MLP", True, None),
        ("MLP 784-300-10", True, "MLP 784-300-10"),
    ],
)
def test_names_of_works(text: str, small: bool, name: str | None) -> None:
    found = networks.defined(text, small=small)
    assert (None if found is None else found.name) == name


def test_a_perceptron_takes_as_many_values_as_it_has_inputs() -> None:
    mnist, svhn = networks.Image(channels=1, side=28, classes=10), networks.Image(channels=3, side=32, classes=10)
    found = networks.sized("MLP 784-300-10", mnist, small=True)
    assert found is not None
    assert not found.assumed
    assert networks.sized("MLP 784-300-10", svhn, small=True) is None
    assert networks.sized("MLP 784-300-10", None, small=True) is not None


@pytest.mark.parametrize(
    ("text", "small", "tier"), [("ResNets", True, 2), ("ResNets", False, 4), ("MLP", True, 1), ("ViT", True, None), ("VGGNet", True, 3)]
)
def test_tiers_of_kinds(text: str, small: bool, tier: int | None) -> None:
    assert networks.tier_of_kind(text, small=small) == tier


@pytest.mark.parametrize(("macs", "tier"), [(1, 1), (999_999, 1), (10**6, 2), (10**8, 3), (10**9, 4), (10**12, 4)])
def test_size_tiers(macs: int, tier: int) -> None:
    assert networks.tier(macs) == tier
