"""A user's own images: a folder of class sub-folders, an .npz file, a Python callable."""

from __future__ import annotations

import inspect
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from inexact.core.errors import DataError
from inexact.zoo._named_object import named_object
from inexact.zoo.datasets._dataset import SPLITS, Dataset, normalised
from inexact.zoo.datasets._splits import SHARES, SPELLINGS, part_of, share

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
PAIRS = (("images", "labels"), ("x", "y"))
"""What inputs and labels are called in an .npz file, in any case; those of a split `test_x` or `x_test`."""

MOST_CLASSES = 100_000
"""Labels above are taken for a mistake (an identifier, a pixel value) rather than a class."""

Normalise = tuple[float, float]


def load_folder(path: Path, split: str, normalise: Normalise) -> Dataset:
    """Images of `path/<split>/<class>/*`, or a share of `path/<class>/*` when there is no such sub-folder.

    Without a folder for validation it is a share of the training images. Classes are numbered in the order of their names in all splits.
    Images are grey (one channel) when all of them are, else RGB; all must have one size. (code / 255 - mean) / deviation.
    """
    folders = _split_folders(path)
    of, span = part_of(split, folders)
    if of and of not in folders:
        raise DataError(
            f"data folder {path} must have the sub-folder {split!r} when it has one for another split; make it or move the images"
        )
    root = folders[of] if of else path
    classes = tuple(sorted({p.name for r in folders.values() or (path,) for p in r.iterdir() if p.is_dir() and not p.name.startswith(".")}))
    files = [
        (file, label)
        for label, name in enumerate(classes)
        if (root / name).is_dir()
        for file in sorted((root / name).iterdir())
        if file.suffix.lower() in SUFFIXES
    ]
    if not files:
        held = f"none in {', '.join(classes[:8])}" if classes else "no sub-folder" if any(root.iterdir()) else "nothing"
        raise DataError(f"data folder {root} must hold class sub-folders with images ({', '.join(sorted(SUFFIXES))}); it holds {held}")
    files = [files[i] for i in share(len(files), span, split, str(path))]
    images = _same_shape([(file, _read_image(file)) for file, _ in files])
    return Dataset(
        images=normalised(images, *normalise),
        labels=torch.tensor([label for _, label in files]),
        name=str(path),
        split=split,
        classes=classes,
        scaling=normalise,
    )


def _split_folders(path: Path) -> dict[str, Path]:
    """Splits with a folder of their own; `val` is one beside `train` or `test` only, since a class may be called so."""
    found = {split: path / split for split in SPLITS if (path / split).is_dir()}
    others = {split: path / name for split, names in SPELLINGS.items() for name in names[1:] if (path / name).is_dir()}
    return others | found if found else {}


def load_npz(path: Path, split: str, normalise: Normalise) -> Dataset:
    """Arrays `images` and `labels`, or `x` and `y`; those of a split `<split>_images` or `images_<split>`.

    images: uint8 [N, H, W] or [N, H, W, C], normalised here; floating point [N, …] (images are [N, C, H, W]) or integers [N, T], token
    ids, taken as they are. Without arrays for validation it is a share of the training ones.
    """
    if path.is_file() and not zipfile.is_zipfile(path):
        raise DataError(f"{path} must be a readable .npz file of plain arrays; it is damaged or of another kind")
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except OSError as error:
        raise DataError(f"{path} must be a readable .npz file of plain arrays: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} must be a readable .npz file of plain arrays: {error}") from error
    return _from_arrays(arrays, str(path), split, normalise)


def load_callable(name: str, split: str, normalise: Normalise) -> Dataset:
    """What `module:function` returns: a Dataset, or (images, labels) as in an .npz file.

    A function with a parameter `split` is given the split; of another a share is taken.
    """
    function = named_object(name, error=DataError)
    takes_split = "split" in inspect.signature(function).parameters
    result = function(split=split) if takes_split else function()
    if isinstance(result, Dataset):
        return result
    if not isinstance(result, tuple) or len(result) != 2:
        raise DataError(f"{name} must return a Dataset or (images, labels), not {type(result).__name__}")
    prefix = f"{split}_" if takes_split else ""
    arrays = {prefix + key: np.asarray(value) for key, value in zip(("images", "labels"), result, strict=True)}
    return _from_arrays(arrays, name, split, normalise)


def _from_arrays(arrays: Mapping[str, NDArray[Any]], name: str, split: str, normalise: Normalise) -> Dataset:
    own = {part for part in SPLITS if _pair(arrays, part) is not None}
    of, span = part_of(split, own)
    found = _pair(arrays, of) if of in own else None
    if found is None:
        found, span = _pair(arrays, ""), SHARES[split]
    if found is None:
        raise DataError(
            f"{name} must hold images and labels (or {split}_images and {split}_labels; x and y do as well); "
            f"it holds {', '.join(arrays) or 'nothing'}"
        )
    images, labels = found
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels must be integers; {name} has {labels.dtype}")
    if images.ndim == 0 or len(images) == 0:
        raise DataError(f"data must hold at least one image; {name}, split {split!r} is empty")
    if labels.ndim != 1 or len(labels) != len(images):
        raise DataError(f"there must be one label an image; {name} has {len(images)} images and labels of shape {list(labels.shape)}")
    if int(labels.max()) >= MOST_CLASSES:
        raise DataError(f"labels must be 0..{MOST_CLASSES - 1}; {name} has the label {int(labels.max())}")
    _check_type(images, name)
    classes = tuple(str(i) for i in range(max(int(labels.max()) + 1, 1)))
    chosen = share(len(images), span, split, name)
    images, labels = images[chosen], labels[chosen]
    return Dataset(
        images=_pixels(images, normalise),
        labels=torch.from_numpy(labels.astype(np.int64)),
        name=name,
        split=split,
        classes=classes,
        scaling=normalise if images.dtype == np.uint8 else None,
    )


def _pair(arrays: Mapping[str, NDArray[Any]], split: str) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Inputs and labels of a split, or of data without splits (""), by any of their names."""
    known = {key.lower(): value for key, value in arrays.items()}
    for pair in PAIRS:
        for spelling in SPELLINGS.get(split, ("",)):
            for inputs, labels in ([f"{spelling}_{name}".strip("_") for name in pair], [f"{name}_{spelling}".strip("_") for name in pair]):
                if inputs in known and labels in known:
                    return known[inputs], known[labels]
    return None


def _pixels(images: NDArray[Any], normalise: Normalise) -> Tensor:
    if images.dtype == np.uint8:
        return normalised(images, *normalise)
    return torch.from_numpy(images.astype(np.float32 if np.issubdtype(images.dtype, np.floating) else np.int64))


def _check_type(images: NDArray[Any], name: str) -> None:
    pixels = images.dtype == np.uint8 and images.ndim in (3, 4)
    tokens = images.dtype != np.uint8 and np.issubdtype(images.dtype, np.integer) and images.ndim == 2
    if not pixels and not tokens and not (np.issubdtype(images.dtype, np.floating) and images.ndim >= 2):
        raise DataError(
            "images must be uint8 [N, H, W] or [N, H, W, C], or floating point [N, C, H, W] (signals [N, C, L], features [N, F], "
            f"token ids int64 [N, T]); {name} has {images.dtype} {list(images.shape)}"
        )


def _read_image(file: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            grey = image.mode in ("1", "L", "I;16")
            return np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise DataError(f"image {file} cannot be read: {error}; remove or replace it") from error


def _same_shape(named: list[tuple[Path, NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    if any(image.ndim == 3 for _, image in named):
        named = [(file, image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)) for file, image in named]
    first_file, first = named[0]
    for file, image in named:
        if image.shape != first.shape:
            raise DataError(
                f"all images must have one size; {first_file.name} is {first.shape[1]}x{first.shape[0]} and "
                f"{file} is {image.shape[1]}x{image.shape[0]} (width x height); resize them"
            )
    return np.stack([image for _, image in named])
