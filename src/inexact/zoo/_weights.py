"""Reading weights without running code, and putting them into a module only when they fit."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from inexact.core.errors import CheckpointError, near
from inexact.core.files import write_bytes
from inexact.nn import sizes_of_divisors

PICKLED = frozenset({".pt", ".pth", ".pkl", ".ckpt", ".bin"})

State = dict[str, Tensor]


def read_weights(path: str | Path) -> State:
    """The tensors of a safetensors file, or of a torch file that needs no code to read.

    Raises CheckpointError when the file is missing, truncated, of another kind, or a pickle that would run code.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"weights {path} cannot be read: {error.strerror or error}; give a safetensors file") from error
    # A safetensors file is told by its header, JSON behind an 8-byte length; a pickle may carry any suffix.
    if content[8:9] != b"{" and (path.suffix.lower() in PICKLED or zipfile.is_zipfile(path) or content[:1] == b"\x80"):
        return _read_torch(path, content)
    try:
        return load_bytes(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"weights {path} must be a whole safetensors file; this one is truncated or of another kind ({error})"
        ) from error


def _read_torch(path: Path, content: bytes) -> State:
    try:
        with warnings.catch_warnings():
            # A foreign pickle is refused or read; its protocol is of no interest to the user.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"weights {path} is a pickle that is damaged or would run code when read; it was refused: save tensors with safetensors instead"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(f"weights {path} must be a whole torch file; this one is truncated or of another kind") from error
    inner = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(inner, dict) or not all(isinstance(value, Tensor) for value in inner.values()):
        raise CheckpointError(f"weights {path} must hold a state dict (names and tensors), not {type(inner).__name__}")
    return dict(inner)


def load_into(model: nn.Module, state: State, *, where: str) -> None:
    """Copy the tensors into the module; counters of batches seen may be absent, and divisors of channels. Nothing is copied unless
    everything fits.

    Raises CheckpointError for missing or surplus names, another shape, NaN or infinity.
    """
    divisors = sizes_of_divisors(model)
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()} | divisors
    needed = {name for name in own if not name.endswith("num_batches_tracked") and name not in divisors}
    missing, surplus = sorted(needed - state.keys()), sorted(state.keys() - own.keys())
    if missing:
        raise CheckpointError(
            f"weights {where} must hold {missing[0]!r}; {len(missing)} of {len(needed)} names are missing{near(missing[0], surplus)} "
            "They belong to another network"
        )
    if surplus:
        raise CheckpointError(
            f"weights {where} hold {surplus[0]!r} and {len(surplus) - 1} more names the network does not have; "
            "they belong to another network"
        )
    for name, value in state.items():
        if tuple(value.shape) != own[name]:
            raise CheckpointError(
                f"{name!r} must have the shape {list(own[name])}, not {list(value.shape)} as in {where}; "
                "the weights belong to another network"
            )
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"weights must be finite numbers; {name!r} in {where} holds NaN or infinity")
    model.load_state_dict(state, strict=False)


def write_weights(path: Path, model: nn.Module) -> None:
    """Write the module's state as safetensors, without counters of batches seen, by atomic rename."""
    state = {name: value.contiguous() for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    write_bytes(path, save_bytes(state))
