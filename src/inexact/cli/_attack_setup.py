"""What the attack commands share: their options, the networks they attack, what they write."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._network import CALIBRATION_SIZE, progress_bar, use_threads
from inexact.cli._options import DATA, JSON, PICTURE, THREADS, block
from inexact.core.errors import SpecError
from inexact.core.files import ensure_folder, write_text

if TYPE_CHECKING:
    from inexact.metrics import Mean
    from inexact.nn import ApproxModel
    from inexact.report.curves import Curve

Step = Callable[[int, int], None]


coding_option = click.option(
    "--coding",
    type=click.Choice(["unsigned", "signed", "sign_magnitude"]),
    default="sign_magnitude",
    show_default=True,
    help="How operands are coded.",
)
network_options = block(
    click.option("--network", default="lenet5", show_default=True, help="Network of the zoo or module:function."),
    DATA,
    click.option("--weights", type=click.Path(path_type=Path), help="Weights instead of those that come with the package."),
    click.option("--precision", default="int(granularity=per_channel)", show_default=True, help="Format of every layer."),
)
"""Which network, on which data, in which format."""
units_options = block(
    click.option(
        "--unit",
        "units",
        multiple=True,
        default=("exact", "drum(k=5)", "drum(k=3)"),
        show_default=True,
        help="Multiplier; repeatable. The first is what the others are compared with.",
    ),
    coding_option,
)
"""Which multipliers are set side by side."""
run_options = block(
    click.option("--out", type=click.Path(path_type=Path), metavar="FILE.json", help="Keeps finished parts; goes on when it exists."),
    PICTURE,
    THREADS,
    JSON,
)
"""Where results go."""


def emulated_networks(
    network: str,
    data: str,
    weights: Path | None,
    *,
    precision: str,
    coding: str,
    units: Sequence[str],
    gradient: str = "straight_through",
) -> dict[str, ApproxModel]:
    """The network with every layer on each unit, by the unit's spec as given."""
    from inexact import nn, zoo

    if len(set(units)) < len(units):
        raise SpecError(f"every --unit must be given once, not {', '.join(units)}")
    original = zoo.network(network, data=data, weights=weights)
    calibration = zoo.data(data, "validation", CALIBRATION_SIZE)
    zoo.check_compatible(original, calibration)
    return {
        unit: nn.approximate(
            original, nn.Plan(multiplier=unit, coding=coding, precision=precision, gradient=gradient), calibrate=calibration
        )
        for unit in units
    }


@contextmanager
def steps(description: str, threads: int | None) -> Iterator[Step]:
    """A progress bar on standard error; the yielded function is told (done, of how many)."""
    use_threads(threads)
    with progress_bar() as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def curve(label: str, x: Iterable[float], means: Sequence[Mean], *, factor: float = 1) -> Curve:
    """Means over x with their intervals, times `factor`; of single repetitions without."""
    from inexact.report.curves import Curve

    band = tuple((factor * mean.low, factor * mean.high) for mean in means)
    points = tuple((float(place), factor * mean.mean) for place, mean in zip(x, means, strict=True))
    return Curve(label=label, points=points, band=band if all(math.isfinite(end) for pair in band for end in pair) else ())


def check_targets(*targets: Path | None) -> None:
    """Raise OutputError before the work when a file could not be written after it."""
    for target in targets:
        if target is not None:
            ensure_folder(target.parent)


def answer(content: dict[str, Any], text: Sequence[str], *, as_json: bool, picture: Path | None, drawing: Callable[[], str]) -> None:
    """Write the picture and print the result, with its command and date."""
    if picture is not None:
        write_text(picture, drawing())
    whole = {"command": shlex.join(["inexact", *sys.argv[1:]]), "date": datetime.now(UTC).date().isoformat()} | content
    click.echo(json.dumps(whole) if as_json else "\n".join(text))
