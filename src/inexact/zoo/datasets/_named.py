"""Data sets known by name: two splits inside the package, the rest from the cache that `inexact data fetch` fills."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inexact.core.errors import DataError, UnknownNameError, near
from inexact.core.files import cache_folder, sha256_file
from inexact.zoo.datasets._dataset import Dataset, normalised

Codes = NDArray[np.uint8]
EMBEDDED = ("test", "validation")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One data set of `datasets.toml`; the fields are explained there."""

    name: str
    title: str
    licence: str
    reference: str
    mean: float
    deviation: float
    mirror: bool
    held_out: int
    classes: tuple[str, ...]
    sha256: dict[str, str]
    debian: str | None = None
    npm: str | None = None
    whole: str | None = None
    shape: str = "1x28x28"
    addresses: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where the fetched files are cached."""
        return cache_folder() / "data" / self.name

    @property
    def embedded(self) -> bool:
        """Whether the package carries the test and validation splits."""
        return _package_file(self.name).is_file()

    def fetched(self) -> bool:
        """Whether every file is in the cache with the right hash."""
        return all((self.folder / name).is_file() and sha256_file(self.folder / name) == digest for name, digest in self.sha256.items())


@lru_cache(maxsize=1)
def entries() -> dict[str, Entry]:
    """The data sets known by name."""
    text = resources.files(__package__).joinpath("datasets.toml").read_text()
    tables: dict[str, dict[str, Any]] = tomllib.loads(text)
    return {name: Entry(name=name, **_with_tuples(table)) for name, table in tables.items()}


def _with_tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def entry(name: str) -> Entry:
    """One data set by name. Raises UnknownNameError with near names."""
    known = entries()
    if name not in known:
        raise UnknownNameError(
            f"no data set is called {name!r}{near(name, known)} Known: {', '.join(known)}; "
            "or give a folder of class sub-folders, an .npz file, or module:function"
        )
    return known[name]


def load_named(name: str, split: str) -> Dataset:
    """A split of a named data set. Raises DataError when it must be fetched first."""
    found = entry(name)
    if found.embedded and split in EMBEDDED:
        with np.load(str(_package_file(name))) as archive:
            images, labels = archive[f"{split}_images"], archive[f"{split}_labels"]
    else:
        images, labels = _from_cache(found, split)
    return Dataset(
        images=normalised(images, found.mean, found.deviation),
        labels=torch.from_numpy(labels.astype(np.int64)),
        name=name,
        split=split,
        classes=found.classes,
        mirror=found.mirror,
        scaling=(found.mean, found.deviation),
    )


def raw_split(images: Codes, labels: Codes, *, split: str, held_out: int) -> tuple[Codes, Codes]:
    """The train or validation part of the training files: the last `held_out` images are validation."""
    border = len(images) - held_out
    part = slice(None, border) if split == "train" else slice(border, None)
    return images[part], labels[part]


def _from_cache(found: Entry, split: str) -> tuple[Codes, Codes]:
    if not found.fetched():
        raise DataError(f"the {split} split of {found.name} is not on this machine; fetch it with: inexact data fetch {found.name}")
    prefix = "t10k" if split == "test" else "train"
    images = read_idx((found.folder / f"{prefix}-images-idx3-ubyte").read_bytes())
    labels = read_idx((found.folder / f"{prefix}-labels-idx1-ubyte").read_bytes())
    return (images, labels) if split == "test" else raw_split(images, labels, split=split, held_out=found.held_out)


def read_idx(content: bytes) -> Codes:
    """The uint8 array of an idx file: two zero bytes, type 8, number of axes, big-endian sizes, data. Raises DataError otherwise."""
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError("an idx file of bytes must begin with 00 00 08; this one does not")
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, 4) if len(content) >= 4 + 4 * axes else np.zeros(0, ">u4")
    if not len(shape) or int(np.prod(shape, dtype=np.int64)) != len(content) - 4 - 4 * axes:
        raise DataError("an idx file must hold as many bytes as its header says; this one is truncated")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _package_file(name: str) -> Path:
    return Path(str(resources.files(__package__).joinpath("embedded", f"{name}.npz")))
