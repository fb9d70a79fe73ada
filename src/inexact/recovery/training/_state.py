"""The state of an unfinished fine-tuning: everything that decides the next step, written by atomic rename, read without running code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from inexact.core.errors import CheckpointError
from inexact.core.files import atomic_path

State = dict[str, Any]


def save(path: Path, state: State, *, identity: State) -> None:
    """Write `state`; `identity` says which training it belongs to."""
    with atomic_path(path) as temporary:
        torch.save(state | {"identity": identity}, temporary)


def load(path: Path, *, identity: State) -> State:
    """Read a state. Raises CheckpointError when it is unreadable, would run code, or belongs to another training."""
    try:
        state = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"the checkpoint {path} cannot be read; delete it to train from the start") from error
    found = state.get("identity") if isinstance(state, dict) else None
    if not isinstance(found, dict):
        raise CheckpointError(f"the checkpoint {path} must be one of a fine-tuning, not of another kind; delete it to train from the start")
    for name, value in identity.items():
        if found.get(name) != value:
            raise CheckpointError(
                f"the checkpoint {path} must belong to this training, but its {name} is {found.get(name)}, not {value}; "
                "delete it to train from the start"
            )
    return dict(state)
