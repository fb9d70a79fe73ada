"""The 20 labelled ImageNet images that the `foolbox` package carries, prepared for EfficientNet-Lite."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from inexact.core.errors import DataError, MissingDependencyError
from inexact.zoo.datasets._dataset import Dataset

NAME = "imagenet-20"
SIZE = 224
"""Side of the network's input, pixels (M. Tan, Q. Le, EfficientNet, ICML 2019, doi:10.48550/arXiv.1905.11946: the B0 size)."""


RESIZED = 256
"""Side the image is resized to (bicubic) before its centre is cut out, pixels: the usual 224 / 0.875."""

BORDER = (RESIZED - SIZE) // 2


def load_imagenet(split: str) -> Dataset:
    """[20, 3, 224, 224], (code - 127) / 128 as EfficientNet-Lite expects; labels 0..999. There is only the test split.

    With 20 images one of them is 5 points: report agreement with the float network (`zoo.agreement`) beside accuracy.
    Raises MissingDependencyError when foolbox is not installed, DataError for another split.
    """
    if split != "test":
        raise DataError(f"{NAME} has only 20 images and only the split 'test', not {split!r}; calibrate on a folder of your own images")
    files = sorted(_folder().glob("imagenet_*.jpg"))
    labels = [int(match.group(1)) for file in files if (match := re.fullmatch(r"imagenet_\d+_(\d+)", file.stem))]
    images = np.stack([_prepared(file) for file in files]) if files else np.zeros((0, SIZE, SIZE, 3), np.float32)
    return Dataset(
        images=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
        labels=torch.tensor(labels, dtype=torch.int64),
        name=NAME,
        split=split,
        classes=tuple(str(i) for i in range(1000)),
        mirror=True,
        scaling=(127 / 255, 128 / 255),
    )


def _folder() -> Path:
    # The package itself is not imported: that would bring its own dependencies.
    spec = importlib.util.find_spec("foolbox")
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            "the images of imagenet-20 come from the package foolbox; install it with: pip install 'inexact[imagenet]'"
        )
    return Path(spec.origin).parent / "data"


def _prepared(file: Path) -> NDArray[np.float32]:
    with Image.open(file) as image:
        large = image.convert("RGB").resize((RESIZED, RESIZED), Image.Resampling.BICUBIC)
        small = large.crop((BORDER, BORDER, BORDER + SIZE, BORDER + SIZE))
    codes: NDArray[np.float32] = np.asarray(small, dtype=np.float32)
    return (codes - np.float32(127)) / np.float32(128)
