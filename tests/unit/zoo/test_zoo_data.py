"""Embedded and fetched data, and what bad data gets."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from inexact import zoo
from inexact.core.errors import DataError, MissingDependencyError, UnknownNameError
from inexact.zoo.datasets._named import raw_split, read_idx


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make(**changes: object) -> zoo.Dataset:
    given = {
        "images": torch.zeros(4, 1, 2, 3),
        "labels": torch.tensor([0, 1, 2, 1]),
        "name": "toy",
        "split": "test",
        "classes": ("a", "b", "c"),
    }
    return zoo.Dataset(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["test", "validation"])
def test_embedded_fashion_mnist(split: str) -> None:
    found = zoo.data("fashion-mnist", split)
    assert found.images.shape == (10_000, 1, 28, 28)
    assert found.images.dtype == torch.float32
    assert found.labels.dtype == torch.int64
    assert found.labels.bincount().min() >= 900
    # Mean 0 and deviation 1 hold for the training images; 0.02 is far above what 10,000 images of the same kind differ by.
    assert abs(float(found.images.mean())) < 0.02
    assert abs(float(found.images.std()) - 1) < 0.02
    image, label = found[7]
    assert torch.equal(image, found.images[7])
    assert label == int(found.labels[7])


def test_test_images_are_the_published_ones() -> None:
    # The first labels of the published test file, as every tutorial shows them: ankle boot, pullover, trousers, trousers, shirt.
    found = zoo.data("fashion-mnist", limit=5)
    assert [found.classes[i] for i in found.labels.tolist()] == ["ankle boot", "pullover", "trouser", "trouser", "shirt"]


def test_embedded_splits_share_no_image() -> None:
    test, validation = (zoo.data("fashion-mnist", s).images.flatten(1).numpy() for s in ("test", "validation"))
    assert not {row.tobytes() for row in test} & {row.tobytes() for row in validation}


def test_limit_takes_the_first_images_and_changes_the_hash() -> None:
    whole, part = zoo.data("fashion-mnist"), zoo.data("fashion-mnist", limit=100)
    assert len(part) == 100
    assert torch.equal(part.images, whole.images[:100])
    assert part.sha256 == zoo.data("fashion-mnist", limit=100).sha256 != whole.sha256


def test_hash_sees_a_pixel_and_a_label() -> None:
    base = make().sha256
    images = torch.zeros(4, 1, 2, 3)
    images[3, 0, 1, 2] = 1e-6
    assert make(images=images).sha256 != base
    assert make(labels=torch.tensor([0, 1, 2, 2])).sha256 != base
    assert make(images=torch.zeros(4, 1, 3, 2)).sha256 != base


def test_train_split_must_be_fetched() -> None:
    with pytest.raises(
        DataError, match=r"the train split of fashion-mnist is not on this machine; fetch it with: inexact data fetch fashion-mnist"
    ):
        zoo.data("fashion-mnist", "train")


def test_damaged_cache_counts_as_absent(empty_cache: Path) -> None:
    folder = empty_cache / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in zoo.entries()["mnist"].sha256:
        (folder / name).write_bytes(b"\x00\x00\x08\x01")
    with pytest.raises(DataError, match=r"the test split of mnist is not on this machine"):
        zoo.data("mnist")


def test_unknown_data() -> None:
    with pytest.raises(UnknownNameError, match=r"no data set is called 'fashon-mnist'; did you mean 'fashion-mnist'"):
        zoo.data("fashon-mnist")


def test_unknown_split() -> None:
    with pytest.raises(DataError, match=r"split must be one of test, validation, train, not 'tset'; did you mean 'test'"):
        zoo.data("fashion-mnist", "tset")


def test_limit_below_one() -> None:
    with pytest.raises(DataError, match=r"limit must be at least 1 image, not 0"):
        zoo.data("fashion-mnist", limit=0)


def test_empty() -> None:
    with pytest.raises(DataError, match=r"data must hold at least one image; data 'toy', split 'test' is empty"):
        make(images=torch.zeros(0, 1, 2, 3), labels=torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize(("label", "shown"), [(3, "3"), (-1, "-1")])
def test_label_out_of_range(label: int, shown: str) -> None:
    with pytest.raises(DataError, match=rf"labels must be 0..2 \(3 classes\); data 'toy', split 'test' has the label {shown}"):
        make(labels=torch.tensor([0, 1, label, 2]))


def test_wrong_number_of_labels() -> None:
    with pytest.raises(DataError, match=r"one label an image; data 'toy', split 'test' has 4 images and labels of shape \[3\]"):
        make(labels=torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bad_pixel(value: float) -> None:
    images = torch.zeros(4, 1, 2, 3)
    images[2, 0, 1, 1] = value
    with pytest.raises(DataError, match=r"pixels must be finite numbers; .* first in image 2"):
        make(images=images)


def test_wrong_axes() -> None:
    with pytest.raises(DataError, match=r"must be floating point \[N, C, H, W\], .*; data 'toy', split 'test' has float32 \[4\]"):
        make(images=torch.zeros(4))


def test_checks_do_not_copy_the_images() -> None:
    images = torch.zeros(1000, 1, 28, 28)
    tracemalloc.start()
    make(images=images, labels=torch.zeros(1000, dtype=torch.int64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_idx() -> None:
    content = b"\x00\x00\x08\x02" + (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes(range(6))
    assert read_idx(content).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("size", [5, 11, 17])
def test_truncated_idx(size: int) -> None:
    content = b"\x00\x00\x08\x02" + (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes(range(6))
    with pytest.raises(DataError, match=r"must hold as many bytes as its header says; this one is truncated"):
        read_idx(content[:size])


def test_not_idx() -> None:
    with pytest.raises(DataError, match=r"must begin with 00 00 08; this one does not"):
        read_idx(b"\x1f\x8b\x08\x00garbage")


def test_validation_is_the_end_of_the_training_files() -> None:
    images, labels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1), np.arange(10, dtype=np.uint8)
    train = raw_split(images, labels, split="train", held_out=3)
    validation = raw_split(images, labels, split="validation", held_out=3)
    assert train[1].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert validation[0].ravel().tolist() == validation[1].tolist() == [7, 8, 9]


def test_imagenet_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(
        MissingDependencyError,
        match=r"images of imagenet-20 come from the package foolbox; install it with: pip install 'inexact\[imagenet\]'",
    ):
        zoo.data("imagenet-20")


def test_imagenet_has_only_a_test_split() -> None:
    with pytest.raises(DataError, match=r"imagenet-20 has only 20 images and only the split 'test', not 'validation'"):
        zoo.data("imagenet-20", "validation")
