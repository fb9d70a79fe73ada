"""What the commands on one network share: its options, the network with its plan, threads, a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from inexact.zoo import Dataset

CALIBRATION_SIZE = 512
"""Images that fix the activation ranges when a plan is applied."""

WEIGHTS_HELP = "Weights of the network; with --plan also, or instead, those of the emulated network (give the option twice)."


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """--network, --data, --threads."""
    for option in (
        click.option("--threads", type=click.IntRange(min=1), help="Threads to use (default: all cores)."),
        click.option("--data", default="fashion-mnist", show_default=True, help="Data set, folder, .npz file or module:function."),
        click.option("--network", required=True, help="Network of the zoo (resnet8, …) or module:function."),
    ):
        command = option(command)
    return command


def plan_options(command: Callable[..., None]) -> Callable[..., None]:
    """--plan, --weights, --calibrate, --json."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--calibrate", help="Data that fixes activation ranges (default: the validation split of --data)."),
        click.option("--weights", type=click.Path(path_type=Path), multiple=True, help=WEIGHTS_HELP),
        click.option("--plan", type=click.Path(path_type=Path), help="Plan (TOML): what is approximated in which layer."),
    ):
        command = option(command)
    return command


def networks(
    network: str, data: str, images: Dataset, plan: Path | None, weights: tuple[Path, ...], calibrate: str | None
) -> tuple[Any, Any]:
    """The float32 network and, with a plan, the emulated one: calibrated and repaired, or with its own weights when those are given."""
    from inexact import nn, recovery, zoo
    from inexact.cli import _exits

    own = own_weights(weights) if plan is not None else None
    plain = [path for path in weights if path != own]
    original = zoo.network(network, data=data, weights=plain[-1] if plain else None)
    zoo.check_compatible(original, images)
    if plan is None:
        return original, None
    chosen = nn.Plan.load(plan)
    planned = _exits.given(original, chosen, plan, trained=own is None)
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
    """A bar on stderr that is gone when the work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar
