"""Training: reproducible, resumable, and refusing what does not fit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import zoo
from inexact.core.errors import CheckpointError, DataError, OutputError, SpecError
from inexact.zoo.networks import Architecture, Recipe
from inexact.zoo.training import Epoch, train, train_to_file
from inexact.zoo.training._augment import augment

LENET = zoo.architecture_of("lenet5")


def some(count: int = 256) -> zoo.Dataset:
    return zoo.data("fashion-mnist", "validation", count)


def weights(model: nn.Module) -> list[Tensor]:
    return list(model.state_dict().values())


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


@pytest.fixture
def npz(tmp_path: Path) -> str:
    """300 training images, 60 of validation and 60 of test, cut from the embedded validation split."""
    found = zoo.data("fashion-mnist", "validation", 420)
    parts = {"train": slice(0, 300), "validation": slice(300, 360), "test": slice(360, 420)}
    arrays = {f"{s}_images": found.images[p].numpy() for s, p in parts.items()}
    np.savez(tmp_path / "small.npz", **arrays, **{f"{s}_labels": found.labels[p].numpy() for s, p in parts.items()})  # type: ignore[arg-type]
    return str(tmp_path / "small.npz")


def test_same_seed_same_weights_and_the_random_state_is_left() -> None:
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    first, _ = train(LENET, some(), epochs=1, seed=3)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(12)
    assert same(first, train(LENET, some(), epochs=1, seed=3)[0])
    assert not same(first, train(LENET, some(), epochs=1, seed=4)[0])
    assert not first.training


def test_it_learns() -> None:
    model, _ = train(LENET, some(2000), epochs=4)
    # Ten equally frequent classes: chance is 10 %; anything that learns at all is far above 40 % on images it never saw.
    assert zoo.measure(model, zoo.data("fashion-mnist", limit=500)).top1 > 40


@pytest.mark.parametrize("name", ["lenet5", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mobilenetv2s", "vit_tiny"))])
def test_resumed_training_ends_with_the_same_weights(tmp_path: Path, name: str) -> None:
    architecture = zoo.architecture_of(name)
    images = some(140)
    whole, _ = train(architecture, images, epochs=2, seed=5)

    def stop(step: Epoch) -> None:
        if step.epoch == 2:
            raise KeyboardInterrupt

    path = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        train(architecture, images, epochs=2, seed=5, checkpoint=path, progress=stop)
    told: list[Epoch] = []
    resumed, _ = train(architecture, images, epochs=2, seed=5, checkpoint=path, resume=True, progress=told.append)
    assert {step.epoch for step in told} == {2}
    assert same(whole, resumed)
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_progress_counts_steps() -> None:
    told: list[Epoch] = []
    train(LENET, some(300), epochs=2, progress=told.append)
    assert [(s.epoch, s.step, s.steps, s.epochs) for s in told] == [(e, s, 3, 2) for e in (1, 2) for s in (1, 2, 3)]


def test_checkpoint_of_another_training(tmp_path: Path) -> None:
    path = tmp_path / "state"
    train(LENET, some(), epochs=1, seed=0, checkpoint=path)
    with pytest.raises(
        CheckpointError, match=r"checkpoint .*state must belong to .*'seed': 1.*, not .*'seed': 0.*; delete it to train from the start"
    ):
        train(LENET, some(), epochs=1, seed=1, checkpoint=path, resume=True)


@pytest.mark.parametrize("cut", [0, 10, 5000])
def test_damaged_checkpoint(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "state"
    train(LENET, some(), epochs=1, checkpoint=path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=r"the checkpoint .*state cannot be read; delete it to train from the start"):
        train(LENET, some(), epochs=1, checkpoint=path, resume=True)


def test_images_of_another_size() -> None:
    images = zoo.Dataset(
        images=torch.zeros(4, 3, 32, 32), labels=torch.zeros(4, dtype=torch.int64), name="c", split="train", classes=tuple("0123456789")
    )
    with pytest.raises(
        DataError, match=r"images for lenet5 must be 1x28x28 .*; 'c' has 3x32x32; name the network lenet5\(channels=3,size=32\)"
    ):
        train(LENET, images, epochs=1)


def test_another_number_of_classes() -> None:
    images = zoo.Dataset(
        images=torch.zeros(4, 1, 28, 28), labels=torch.zeros(4, dtype=torch.int64), name="c", split="train", classes=("a", "b")
    )
    with pytest.raises(DataError, match=r"lenet5 has 10 outputs and 'c' has 2 classes; name the network lenet5\(classes=2\)"):
        train(LENET, images, epochs=1)


def test_epochs_below_one() -> None:
    with pytest.raises(SpecError, match=r"epochs must be at least 1, not 0"):
        train(LENET, some(), epochs=0)


@dataclass(frozen=True, kw_only=True)
class Explodes(Architecture):
    recipe: ClassVar[Recipe] = Recipe(peak_rate=1e30, bfloat16=False)
    family_name: ClassVar[str] = "explodes"

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.Linear(20, 10))


def test_diverging_training_is_an_error() -> None:
    with pytest.raises(
        DataError, match=r"the training loss must stay finite; it became (nan|inf) in epoch 1; check the data or lower the rate"
    ):
        train(Explodes(), some(640), epochs=1)


def test_file_and_card(tmp_path: Path, npz: str) -> None:
    card = train_to_file(LENET, npz, tmp_path / "out" / "w.safetensors", epochs=2, seed=1)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["w.json", "w.safetensors"]
    assert zoo.read_card(tmp_path / "out" / "w.safetensors") == card
    assert (card.images, card.epochs, card.seed, card.parameters) == (300, 2, 1, 61_706)
    assert card.command == f"inexact net train --network lenet5 --data {npz} --epochs 2 --seed 1 --threads 1 --out lenet5.small.safetensors"
    model = zoo.network("lenet5", weights=tmp_path / "out" / "w.safetensors")
    for accuracy in card.accuracy:
        again = zoo.measure(model, zoo.data(npz, accuracy.split))
        assert again == accuracy
        assert accuracy.low < accuracy.top1 < accuracy.high
        assert accuracy.n == 60
    assert json.loads((tmp_path / "out" / "w.json").read_text())["accuracy"].keys() == {"validation", "test"}


def test_unfinished_training_is_not_overwritten(tmp_path: Path, npz: str) -> None:
    (tmp_path / "w.safetensors.checkpoint").write_bytes(b"x")
    with pytest.raises(
        CheckpointError, match=r"an unfinished training lies in .*w.safetensors.checkpoint; continue it with --resume or delete it"
    ):
        train_to_file(LENET, npz, tmp_path / "w.safetensors", epochs=1)


def test_output_name_and_folder(tmp_path: Path, npz: str) -> None:
    with pytest.raises(OutputError, match=r"the weights file must end with .safetensors, not 'w.pt'"):
        train_to_file(LENET, npz, tmp_path / "w.pt", epochs=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"output folder .* must be writable: (Not a directory|File exists)"):
        train_to_file(LENET, npz, tmp_path / "file" / "w.safetensors", epochs=1)


def test_augment_by_hand() -> None:
    image = torch.arange(1.0, 10).reshape(1, 1, 3, 3)
    seen = set()
    generator = torch.Generator().manual_seed(0)
    batch = augment(image.expand(400, 1, 3, 3), shift=1, mirror=True, background=-1.0, generator=generator)
    padded = torch.nn.functional.pad(image[0, 0], (1, 1, 1, 1), value=-1.0)
    allowed = {}
    for row in range(3):
        for column in range(3):
            window = padded[row : row + 3, column : column + 3]
            allowed[tuple(window.flatten().tolist())] = (row, column, False)
            allowed[tuple(window.flip(1).flatten().tolist())] = (row, column, True)
    for result in batch:
        seen.add(allowed[tuple(result.flatten().tolist())])
    assert len(seen) == 18  # each of 18 has probability 1/18: that one of them is missing in 400 has probability 2e-9


def test_augment_keeps_channels_together_and_the_input() -> None:
    images = torch.arange(24.0).reshape(2, 3, 2, 2)
    before = images.clone()
    plain = augment(images, shift=0, mirror=False, background=0.0, generator=torch.Generator().manual_seed(0))
    assert torch.equal(plain, images)
    moved = augment(images, shift=1, mirror=True, background=-100.0, generator=torch.Generator().manual_seed(1))
    assert torch.equal(images, before)
    for image in moved:
        inside = image[0] != -100
        assert torch.equal((image[1] - image[0])[inside], torch.full_like(image[0], 4.0)[inside])
