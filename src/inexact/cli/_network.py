"""What the commands on one network share: its options, the network with its plan, threads, a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inexact.cli._options import CALIBRATE, DATA, JSON, NETWORK, PLAN, THREADS, WEIGHTS, block
from inexact.cli._plans import plan_of

if TYPE_CHECKING:
    from inexact.zoo import Dataset

CALIBRATION_SIZE = 512
"""Images that fix the activation ranges when a plan is applied."""

network_options = block(NETWORK, DATA, THREADS)
"""--network, --data, --threads."""
plan_options = block(PLAN, WEIGHTS, CALIBRATE, JSON)
"""--plan, --weights, --calibrate, --json."""


def networks(
    network: str, data: str, images: Dataset, plan: str | None, weights: tuple[Path, ...], calibrate: str | None
) -> tuple[Any, Any]:
    """The float32 network and, with a plan, the emulated one: calibrated and repaired, or with its own weights when those are given."""
    from inexact import nn, recovery, zoo
    from inexact.cli import _exits

    chosen = None if plan is None else plan_of(plan)  # first, since a mistake in it is told soonest
    own = own_weights(weights) if chosen is not None else None
    plain = [path for path in weights if path != own]
    original = zoo.network(network, data=data, weights=plain[-1] if plain else None)
    zoo.check_compatible(original, images)
    if plan is None or chosen is None:
        return original, None
    planned = _exits.given(original, chosen, Path(plan).parent, trained=own is None)
    if own is not None:
        emulated = nn.approximate(planned, chosen)
        zoo.load_into(emulated, zoo.read_weights(own), where=str(own))
        return original, emulated
    calibration = calibration_set(data, calibrate)
    emulated = recovery.recover(nn.approximate(planned, chosen, calibrate=calibration), data=calibration)
    _exits.settle(emulated, original, zoo.data(data, "validation", _exits.JUDGED))
    return original, emulated


def own_weights(weights: tuple[Path, ...]) -> Path | None:
    """The file whose weights are those of an emulated network: only such a network has scales of activations. None without one."""
    from inexact import zoo

    return next((path for path in weights if path.is_file() and any(name.endswith(".a_scale") for name in zoo.read_weights(path))), None)


def calibration_set(data: str, calibrate: str | None) -> Dataset:
    """The images that fix ranges: of `calibrate`, or else the validation split of `data`."""
    from inexact import zoo

    return zoo.data(data, "validation", CALIBRATION_SIZE) if calibrate is None else zoo.data(calibrate, "validation", CALIBRATION_SIZE)


def use_threads(threads: int | None) -> None:
    """Set torch's threads; None leaves them."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on stderr that is gone when the work is done; none where no terminal shows it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar
