"""Folders, .npz files and callables of a user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from inexact import zoo
from inexact.core.errors import DataError

RNG = np.random.default_rng(3)


def folder(root: Path, *, count: int = 10, size: tuple[int, int] = (6, 5), mode: str = "L") -> Path:
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for index in range(count):
            shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
            Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(root / label / f"{index}.png")
    return root


def test_folder_of_classes(tmp_path: Path) -> None:
    parts = [zoo.data(str(folder(tmp_path / "d")), split) for split in ("test",)]
    parts += [zoo.data(str(tmp_path / "d"), split) for split in ("validation", "train")]
    assert [len(p) for p in parts] == [4, 4, 12]
    assert parts[0].classes == ("cat", "dog")
    assert parts[0].image_shape == (1, 5, 6)
    rows = [image.numpy().tobytes() for p in parts for image in p.images]
    assert len(set(rows)) == 20


def test_folder_pixels_and_normalisation(tmp_path: Path) -> None:
    root = folder(tmp_path / "test", count=1, mode="RGB").parent
    found = zoo.data(str(root), normalise=(0.25, 0.5))
    with Image.open(root / "test" / "dog" / "0.png") as image:
        codes = np.asarray(image)
    expected = ((codes.astype(np.float32) / 255 - 0.25) / 0.5).transpose(2, 0, 1)
    np.testing.assert_allclose(found.images[1].numpy(), expected, rtol=0, atol=1e-6)
    assert found.labels.tolist() == [0, 1]


def test_folder_with_own_splits_must_have_the_split(tmp_path: Path) -> None:
    root = folder(tmp_path / "test").parent
    with pytest.raises(DataError, match=r"must have the sub-folder 'validation' when it has one for another split"):
        zoo.data(str(root), "validation")


def test_validation_is_a_part_of_the_training_folder_or_called_val(tmp_path: Path) -> None:
    root = folder(tmp_path / "train").parent
    parts = [zoo.data(str(root), split) for split in ("validation", "train")]
    assert [len(p) for p in parts] == [4, 16]
    assert len({image.numpy().tobytes() for p in parts for image in p.images}) == 20
    folder(root / "val", count=3)
    assert [len(zoo.data(str(root), split)) for split in ("validation", "train")] == [6, 20]


def test_a_class_that_a_split_lacks_keeps_its_number(tmp_path: Path) -> None:
    root = folder(tmp_path / "train").parent
    folder(root / "test", count=1)
    (root / "test" / "cat" / "0.png").unlink()
    (root / "test" / "cat").rmdir()
    found = zoo.data(str(root))
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [1]


def test_one_coloured_image_makes_all_rgb(tmp_path: Path) -> None:
    root = folder(tmp_path / "test").parent
    Image.fromarray(RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8)).save(root / "test" / "cat" / "z.png")
    assert zoo.data(str(root)).image_shape == (3, 5, 6)


def test_folder_of_two_sizes(tmp_path: Path) -> None:
    root = folder(tmp_path / "test").parent
    Image.fromarray(np.zeros((7, 8), np.uint8)).save(root / "test" / "dog" / "z.png")
    with pytest.raises(DataError, match=r"all images must have one size; 0.png is 6x5 and .*z.png is 8x7 \(width x height\); resize them"):
        zoo.data(str(root))


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold class sub-folders with images .*; it holds nothing"):
        zoo.data(str(tmp_path))
    (tmp_path / "read.me").touch()
    with pytest.raises(DataError, match=r"; it holds no sub-folder"):
        zoo.data(str(tmp_path))
    (tmp_path / "cats").mkdir()
    with pytest.raises(DataError, match=r"; it holds none in cats"):
        zoo.data(str(tmp_path))


def test_unreadable_image(tmp_path: Path) -> None:
    root = folder(tmp_path / "test").parent
    good = root / "test" / "dog" / "3.png"
    good.write_bytes(good.read_bytes()[:40])
    with pytest.raises(DataError, match=r"image .*3.png cannot be read: .*; remove or replace it"):
        zoo.data(str(root))


def test_missing_folder() -> None:
    with pytest.raises(DataError, match=r"data 'no/such' must be a folder of class sub-folders or an .npz file; there is no such path"):
        zoo.data("no/such")


def npz(path: Path, **arrays: object) -> str:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return str(path)


def test_npz_uint8(tmp_path: Path) -> None:
    images, labels = RNG.integers(0, 256, (50, 4, 4), dtype=np.uint8), RNG.integers(0, 3, 50)
    name = npz(tmp_path / "a.npz", images=images, labels=labels)
    parts = [zoo.data(name, split) for split in ("test", "validation", "train")]
    assert [len(p) for p in parts] == [10, 10, 30]
    assert len({image.numpy().tobytes() for p in parts for image in p.images}) == 50


def test_npz_with_splits_and_floats(tmp_path: Path) -> None:
    images = RNG.normal(size=(5, 3, 4, 4))
    name = npz(
        tmp_path / "a.npz", test_images=images, test_labels=np.arange(5), validation_images=images[:2], validation_labels=np.arange(2)
    )
    found = zoo.data(name)
    np.testing.assert_array_equal(found.images.numpy(), images.astype(np.float32))
    assert len(zoo.data(name, "validation")) == 2


@pytest.mark.parametrize("form", ["{0}_{1}", "{1}_{0}"])
def test_npz_with_the_names_of_others(tmp_path: Path, form: str) -> None:
    x, y = RNG.integers(0, 256, (50, 4, 4), dtype=np.uint8), np.arange(50)
    arrays = {
        form.format(key, split): part
        for split, at in (("train", 0), ("test", 30))
        for key, part in (("X", x[at:][:30]), ("y", y[at:][:30]))
    }
    parts = [zoo.data(npz(tmp_path / "a.npz", **arrays), split) for split in ("test", "validation", "train")]
    assert parts[0].labels.tolist() == list(range(30, 50))
    assert [len(p) for p in parts] == [20, 6, 24]  # no validation images: a fifth of the training images, which train then lacks
    assert sorted(np.concatenate([p.labels.numpy() for p in parts[1:]])) == list(range(30))
    named = zoo.data(npz(tmp_path / "b.npz", x_val=x[:3], y_val=y[:3], **arrays), "validation")
    assert named.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("kind", "shape"), [(np.float64, (30, 6, 20)), (np.float32, (30, 5)), (np.int32, (30, 7))])
def test_npz_of_signals_features_and_tokens(tmp_path: Path, kind: type, shape: tuple[int, ...]) -> None:
    x: NDArray[Any] = (100 * RNG.normal(size=shape)).astype(kind)
    found = zoo.data(npz(tmp_path / "a.npz", test_x=x, test_y=np.arange(30)))
    assert found.image_shape == shape[1:]
    assert found.images.dtype == (torch.int64 if kind is np.int32 else torch.float32)
    np.testing.assert_array_equal(found.images.numpy(), x.astype(found.images.numpy().dtype))


def test_npz_without_labels(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"must hold images and labels \(or test_images and test_labels; x and y do as well\); it holds images, label"
    ):
        zoo.data(npz(tmp_path / "a.npz", images=np.zeros((2, 4, 4), np.uint8), label=np.zeros(2, int)))


def test_empty_npz(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold at least one image; .*a.npz, split 'test' is empty"):
        zoo.data(npz(tmp_path / "a.npz", images=np.zeros((0, 4, 4), np.uint8), labels=np.zeros(0, int)))


def test_npz_with_nan(tmp_path: Path) -> None:
    images = np.zeros((3, 1, 4, 4))
    images[1, 0, 2, 2] = np.nan
    with pytest.raises(DataError, match=r"pixels must be finite numbers; .* first in image 1"):
        zoo.data(npz(tmp_path / "a.npz", test_images=images, test_labels=np.zeros(3, int)))


def test_npz_with_float_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels must be integers; .* has float64"):
        zoo.data(npz(tmp_path / "a.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.zeros(2)))


def test_npz_with_negative_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels must be 0..1 \(2 classes\); .* has the label -1"):
        zoo.data(npz(tmp_path / "a.npz", test_images=np.zeros((2, 4, 4), np.uint8), test_labels=np.array([1, -1])))


def test_npz_with_absurd_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels must be 0..99999; .* has the label 1099511627776"):
        zoo.data(npz(tmp_path / "a.npz", test_images=np.zeros((1, 4, 4), np.uint8), test_labels=np.array([2**40])))


def test_npz_of_a_strange_type(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images must be uint8 \[N, H, W\] or .* has int64 \[5, 4, 4\]"):
        zoo.data(npz(tmp_path / "a.npz", images=np.zeros((5, 4, 4), np.int64), labels=np.zeros(5, int)))


def test_too_few_for_a_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at least one image a split; .* has 2 in all, which leaves the test split empty"):
        zoo.data(npz(tmp_path / "a.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.zeros(2, int)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"just text"])
def test_damaged_npz(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a.npz must be a readable .npz file of plain arrays; it is damaged or of another kind"):
        zoo.data(str(tmp_path / "a.npz"))


def test_truncated_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    npz(path, images=np.zeros((200, 4, 4), np.uint8), labels=np.zeros(200, int))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DataError, match=r"a.npz must be a readable .npz file of plain arrays"):
        zoo.data(str(path))


def test_npz_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.npz must be a readable .npz file of plain arrays"):
        zoo.data(npz(tmp_path / "a.npz", images=np.array([object()], dtype=object), labels=np.zeros(1, int)))


MODULE = """
import numpy as np
def plain():
    return np.arange(160, dtype=np.uint8).reshape(10, 4, 4), np.arange(10)
def splitting(split):
    n = {"test": 1, "validation": 2, "train": 3}[split]
    return np.zeros((n, 1, 4, 4)), np.zeros(n, int)
def wrong():
    return 5
value = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_zoo_data.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_zoo_data", raising=False)
    return "my_zoo_data"


def test_callable(module: str) -> None:
    assert [len(zoo.data(f"{module}:plain", s)) for s in ("test", "validation", "train")] == [2, 2, 6]
    assert [len(zoo.data(f"{module}:splitting", s)) for s in ("test", "validation", "train")] == [1, 2, 3]


def test_callable_that_returns_something_else(module: str) -> None:
    with pytest.raises(DataError, match=r"my_zoo_data:wrong must return a Dataset or \(images, labels\), not int"):
        zoo.data(f"{module}:wrong")


def test_callable_that_is_none(module: str) -> None:
    with pytest.raises(DataError, match=r"module 'my_zoo_data' must have a callable 'plian'; it has none; did you mean 'plain'"):
        zoo.data(f"{module}:plian")
    with pytest.raises(DataError, match=r"must have a callable 'value'"):
        zoo.data(f"{module}:value")


def test_module_that_does_not_exist() -> None:
    with pytest.raises(DataError, match=r"there must be a module 'no_such_module_here' on the Python path or in"):
        zoo.data("no_such_module_here:f")
