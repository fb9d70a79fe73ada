"""Synthetic sequences: what they are made of, and names that are refused."""

from __future__ import annotations

import pytest
import torch

from inexact import zoo
from inexact.core.errors import DataError
from inexact.zoo import Dataset


def dataset(count: int = 3) -> Dataset:
    images = torch.rand(count, 1, 6, 5, generator=torch.Generator().manual_seed(0))
    return Dataset(images=images, labels=torch.arange(count), name="small", split="test", classes=("a", "b", "c"))


def test_frames_are_the_image_moved_by_at_most_shift_one_pixel_at_a_time() -> None:
    still, moved = dataset(), zoo.jittered(dataset(), frames=20, shift=2, seed=4)
    assert moved.images.shape == (60, 1, 6, 5)
    assert moved.labels.tolist() == [label for label in range(3) for _ in range(20)]
    padded = torch.nn.functional.pad(still.images, (2, 2, 2, 2), mode="replicate")
    rests = 0
    for n in range(3):
        before = (0, 0)
        for frame in range(20):
            found = moved.images[20 * n + frame, 0]
            places = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if torch.equal(found, padded[n, 0, 2 + y : 8 + y, 2 + x : 7 + x])]
            assert len(places) == 1
            assert abs(places[0][0] - before[0]) + abs(places[0][1] - before[1]) <= 1
            rests += places[0] == before
            before = places[0]
        assert torch.equal(moved.images[20 * n], still.images[n])
    assert 20 < rests < 55


def test_noise_is_new_in_every_frame_and_seeded() -> None:
    noisy = zoo.jittered(dataset(), frames=4, shift=0, noise=0.05, seed=1)
    assert not torch.equal(noisy.images[0], noisy.images[1])
    assert noisy.sha256 == zoo.jittered(dataset(), frames=4, shift=0, noise=0.05, seed=1).sha256
    assert noisy.sha256 != zoo.jittered(dataset(), frames=4, shift=0, noise=0.05, seed=2).sha256
    assert float(noisy.images.min()) >= float(dataset().images.min())
    still = zoo.jittered(dataset(), frames=4, shift=0)
    assert torch.equal(still.images, dataset().images.repeat_interleave(4, 0))


def test_sequences_have_a_name_that_every_command_takes() -> None:
    named = zoo.data("jittered(frames=8,shift=1,noise=0.02,seed=3):fashion-mnist", "validation", 12)
    assert len(named) == 12
    made = zoo.jittered(zoo.data("fashion-mnist", "validation", 2), frames=8, shift=1, noise=0.02, seed=3)
    assert torch.equal(named.images, made.images[:12])
    assert named.name == "jittered(frames=8, shift=1, noise=0.02, seed=3):fashion-mnist"
    assert len(zoo.data("jittered:fashion-mnist", "test", 20)) == 20


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jittered(frames=1):fashion-mnist", "frames of jittered data must be a whole number of at least 2, not 1"),
        ("jittered(shift=-1):fashion-mnist", "shift of jittered data must be a whole number of at least 0, not -1"),
        ("jittered(noise=2):fashion-mnist", "noise of jittered data must be a share between 0 and 1, not 2"),
        ("jittered(frame=8):fashion-mnist", r"no parameter 'frame'; did you mean 'frames'\?"),
        ("jittered(8):fashion-mnist", "parameters of jittered data must have names"),
        ("jittered(frames=x):fashion-mnist", "jittered data must be named as"),
    ],
)
def test_bad_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        zoo.data(name)


def test_text_is_refused() -> None:
    mails = Dataset(images=torch.ones(2, 4, dtype=torch.int64), labels=torch.tensor([0, 1]), name="mails", split="test", classes=("a", "b"))
    with pytest.raises(DataError, match="only images can be jittered; 'mails' holds text"):
        zoo.jittered(mails)
