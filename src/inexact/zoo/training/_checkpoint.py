"""The state of an unfinished training: everything that decides the next epoch, written by atomic rename, read without running code."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from inexact.core.errors import CheckpointError, OutputError
from inexact.core.files import atomic_path, ensure_folder


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a training carries from epoch to epoch. generator: of shuffling and augmentation."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator


def checkpoint_of(out: Path, *, resume: bool) -> Path:
    """Where the checkpoint of a training that writes weights to `out` lies; the folder is made.

    Raises OutputError for a file of another kind or a folder that cannot be written, CheckpointError for a checkpoint not to be resumed.
    """
    if out.suffix != ".safetensors":
        raise OutputError(f"the weights file must end with .safetensors, not {out.name!r}")
    ensure_folder(out.parent)
    checkpoint = out.with_name(out.name + ".checkpoint")
    if checkpoint.exists() and not resume:
        raise CheckpointError(f"an unfinished training lies in {checkpoint}; continue it with --resume or delete it")
    return checkpoint


def save(path: Path, parts: Parts, *, identity: dict[str, Any], epoch: int, seconds: float) -> None:
    """Write the state after `epoch` epochs; `identity` says which training it belongs to."""
    state = {
        "identity": identity,
        "epoch": epoch,
        "seconds": seconds,
        "model": parts.model.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "scheduler": parts.scheduler.state_dict(),
        "generator": parts.generator.get_state(),
    }
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def restore(path: Path, parts: Parts, *, identity: dict[str, Any]) -> tuple[int, float]:
    """Load the state into `parts`; returns (finished epochs, seconds spent).

    Raises CheckpointError when the file is unreadable, would run code, or belongs to a training with other settings.
    """
    try:
        state = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"the checkpoint {path} cannot be read; delete it to train from the start") from error
    if not isinstance(state, dict) or state.get("identity") != identity:
        came = state.get("identity") if isinstance(state, dict) else type(state).__name__
        raise CheckpointError(f"the checkpoint {path} must belong to {identity}, not {came}; delete it to train from the start")
    parts.model.load_state_dict(state["model"])
    parts.optimizer.load_state_dict(state["optimizer"])
    parts.scheduler.load_state_dict(state["scheduler"])
    parts.generator.set_state(state["generator"])
    return int(state["epoch"]), float(state["seconds"])
