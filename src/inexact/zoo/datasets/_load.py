"""One door to all data: a name, a path or a callable."""

from __future__ import annotations

from pathlib import Path

from inexact.core.errors import DataError, near
from inexact.zoo._named_object import is_object_name
from inexact.zoo.datasets._dataset import SPLITS, Dataset
from inexact.zoo.datasets._imagenet import NAME as IMAGENET
from inexact.zoo.datasets._imagenet import load_imagenet
from inexact.zoo.datasets._jittered import named_jitter
from inexact.zoo.datasets._mails import NAME as MAILS
from inexact.zoo.datasets._mails import load_mails
from inexact.zoo.datasets._named import entries, entry, load_named
from inexact.zoo.datasets._user import load_callable, load_folder, load_npz

CENTRED = (0.5, 0.5)

PREPARED = {IMAGENET: load_imagenet, MAILS: load_mails}
"""Data sets with a reader of their own."""


def data(name: str, split: str = "test", limit: int | None = None, *, normalise: tuple[float, float] = CENTRED) -> Dataset:
    """Labelled images, or mails as token ids ("spamassassin", after a fetch; extra `text`).

    name: "fashion-mnist" (test and validation are embedded, train after a fetch), "mnist" (after a fetch), "imagenet-20",
    a folder of class sub-folders, an .npz file, "module:function", or synthetic sequences of one of these, "jittered:fashion-mnist" (see
    `jittered`). split: "test", "validation" or "train"; they share no image.
    limit: only the first so many images. normalise: (mean, deviation) for a user's uint8 images; (code / 255 - mean) / deviation.
    Raises DataError, UnknownNameError or MissingDependencyError with what to do.
    """
    if split not in SPLITS:
        raise DataError(f"split must be one of {', '.join(SPLITS)}, not {split!r}{near(split, SPLITS)}")
    if limit is not None and not (isinstance(limit, int) and limit >= 1):
        raise DataError(f"limit must be at least 1 image, not {limit!r}")
    shaken = named_jitter(name)
    if shaken is not None:
        jitter, inner = shaken
        return jitter.sequences(data(inner, split, jitter.images_for(limit), normalise=normalise)).first(limit)
    return _whole(name, split, normalise).first(limit)


def _whole(name: str, split: str, normalise: tuple[float, float]) -> Dataset:
    path = Path(name)
    if name in PREPARED:
        return PREPARED[name](split)
    if name in entries():
        return load_named(name, split)
    if name.endswith(".npz"):
        return load_npz(path, split, normalise)
    if path.is_dir():
        return load_folder(path, split, normalise)
    if is_object_name(name):
        return load_callable(name, split, normalise)
    if "/" in name or path.is_file():
        came = "that is a file of another kind" if path.exists() else "there is no such path"
        raise DataError(f"data {name!r} must be a folder of class sub-folders or an .npz file; {came}")
    return load_named(entry(name).name, split)
