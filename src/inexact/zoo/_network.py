"""One door to all networks: trained ones of the package, a user's own, and whether a network and data fit."""

from __future__ import annotations

import shlex
from importlib import resources
from pathlib import Path

import torch
from torch import nn

from inexact.core.errors import CheckpointError, DataError, InexactError, UnknownNameError, near
from inexact.zoo import _efficientnet, _minilm
from inexact.zoo._card import Card, card_path, read_card
from inexact.zoo._modes import evaluating
from inexact.zoo._named_object import is_object_name, named_object
from inexact.zoo._weights import load_into, read_weights
from inexact.zoo.datasets import Dataset
from inexact.zoo.networks import Architecture, architectures

DEFAULT_DATA = "fashion-mnist"


def network(name: str, data: str = DEFAULT_DATA, weights: str | Path | None = None) -> nn.Module:
    """A trained network in eval mode.

    name: a network of the zoo ("resnet8", or a spec such as "resnet8(classes=5)"), "efficientnet_lite0", "minilm", or "module:function"
    whose function returns an `nn.Module`. data: what it was trained on; chooses among the weights of the package (for minilm among the
    heads, spamassassin by default).
    weights: instead, a safetensors file (or a torch file of plain tensors), or the name of the data set shipped weights were trained on.
    A zoo network carries `input_shape`, (channels, height, width), or (tokens,) for minilm.
    Raises UnknownNameError, CheckpointError (no shipped weights, or weights that do not fit), MissingDependencyError.
    """
    if not isinstance(name, str):
        raise UnknownNameError(f"a network is asked for by name, such as 'resnet8' or 'module:function', not by {name!r}")
    if name.lower().endswith(".onnx"):
        raise UnknownNameError(f"of {name} only shapes are read, for costs; what it answers needs the torch network, as module:function")
    if is_object_name(name):
        return _user_network(name, weights)
    if name == _efficientnet.NAME:
        return _efficientnet.load(weights)
    if name == _minilm.NAME:
        return _minilm.load(_minilm.DATA if data == DEFAULT_DATA else data, weights)
    architecture = architecture_of(name)
    path = shipped_weights(architecture, data if weights is None else str(weights)) or (None if weights is None else Path(weights))
    if path is None:
        raise CheckpointError(_no_weights(architecture, data))
    if path.parent == weights_folder():
        read_card(path)  # refuses weights that are not those of their card
    model = untrained(architecture)
    load_into(model, read_weights(path), where=path.name)
    return with_input_shape(model, architecture.input_shape)


def architecture_of(name: str) -> Architecture:
    """The architecture a name or spec describes. Raises UnknownNameError with near names."""
    if name.isidentifier() and name not in architectures:
        known = [*architectures, _efficientnet.NAME, _minilm.NAME]
        raise UnknownNameError(f"no network is called {name!r}{near(name, known)} Known: {', '.join(known)}; or give module:function")
    return architectures.get(name)


def untrained(architecture: Architecture) -> nn.Module:
    """The module in eval mode; its random weights do not disturb the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return architecture.build().eval()


def with_input_shape(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The same module, which now carries the size of one input."""
    model.input_shape = shape  # type: ignore[assignment]
    return model


def shipped_weights(architecture: Architecture, data: str) -> Path | None:
    """The weights file of the package for a network and a data set, or None."""
    path = weights_folder() / f"{architecture.spec}.{data}.safetensors"
    return path if path.is_file() else None


def cards() -> list[Card]:
    """The cards of all weights the package carries, sorted by network and data."""
    return [read_card(path) for path in sorted(weights_folder().glob("*.safetensors")) if card_path(path).is_file()]


def weights_folder() -> Path:
    """Where the shipped weights lie."""
    return Path(str(resources.files(__package__).joinpath("weights")))


def check_compatible(model: nn.Module, dataset: Dataset) -> None:
    """Raise DataError unless the network takes the images and has an output for every label."""
    shape = getattr(model, "input_shape", None)
    came = "x".join(map(str, dataset.image_shape))
    if shape is not None and tuple(shape) != dataset.image_shape:
        wanted = "x".join(map(str, shape))
        raise DataError(f"images must be {wanted} (channels x height x width) for this network; {dataset.name!r} has {came}: resize them")
    try:
        with evaluating(model):
            scores = model(dataset.images[:1])
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the network does not take images of {came} (channels x height x width) from {dataset.name!r}: {reason}"
        ) from error
    if not isinstance(scores, torch.Tensor) or scores.ndim != 2:
        raise DataError(f"the network must return logits of shape [N, classes], not {_described(scores)}")
    highest = int(dataset.labels.max())
    if highest >= scores.shape[1]:
        raise DataError(
            f"labels must be 0..{scores.shape[1] - 1} for this network of {scores.shape[1]} classes; "
            f"{dataset.name!r} has the label {highest}"
        )


def _no_weights(architecture: Architecture, data: str) -> str:
    spec, file = architecture.spec, f"{architecture.family_name}.safetensors"
    others = [
        path.name.removeprefix(f"{spec}.").removesuffix(".safetensors") for path in sorted(weights_folder().glob(f"{spec}.*.safetensors"))
    ]
    use = f"; or use those trained on {' or '.join(others)}: --weights {others[0]}" if others else ""
    command = shlex.join(["inexact", "net", "train", "--network", spec, "--data", data, "--out", file])
    return f"no trained weights of {spec} for {data} come with the package; train them with: {command}, and give --weights {file}{use}"


def _user_network(name: str, weights: str | Path | None) -> nn.Module:
    function = named_object(name, error=UnknownNameError)
    try:
        model = function()
    except InexactError:
        raise
    except Exception as error:
        raise UnknownNameError(
            f"{name} must return a network when called without arguments; it raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, nn.Module):
        raise UnknownNameError(f"{name} must return a torch.nn.Module, not {type(model).__name__}")
    if weights is not None:
        load_into(model, read_weights(weights), where=str(weights))
    return model.eval()


def _described(scores: object) -> str:
    return f"shape {list(scores.shape)}" if isinstance(scores, torch.Tensor) else type(scores).__name__
