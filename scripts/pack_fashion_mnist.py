"""Write the Fashion-MNIST splits that the package carries, from the files `inexact data fetch fashion-mnist` cached.

Run from the project folder: python scripts/pack_fashion_mnist.py
"""

from pathlib import Path

import numpy as np

from inexact.core.files import atomic_path
from inexact.zoo.datasets import entry
from inexact.zoo.datasets._named import raw_split, read_idx

TARGET = Path("src/inexact/zoo/datasets/embedded/fashion-mnist.npz")


def main() -> None:
    """Test images as they are; of the training images the last `held_out`, as the validation split."""
    found = entry("fashion-mnist")
    if not found.fetched():
        raise SystemExit("the files must be in the cache; run: inexact data fetch fashion-mnist")
    files = {name: read_idx((found.folder / name).read_bytes()) for name in found.sha256}
    images, labels = raw_split(
        files["train-images-idx3-ubyte"], files["train-labels-idx1-ubyte"], split="validation", held_out=found.held_out
    )
    with atomic_path(TARGET) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(
            handle,
            test_images=files["t10k-images-idx3-ubyte"],
            test_labels=files["t10k-labels-idx1-ubyte"],
            validation_images=images,
            validation_labels=labels,
        )


if __name__ == "__main__":
    main()
