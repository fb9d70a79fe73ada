"""Options that several commands have, each with one wording; a block of them is one decorator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]
Option = Callable[[Command], Command]

THREADS: Option = click.option("--threads", type=click.IntRange(min=1), help="Threads to use (default: all cores).")
JSON: Option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
NETWORK: Option = click.option("--network", required=True, help="Network of the zoo (resnet8, …) or module:function.")
DATA: Option = click.option("--data", default="fashion-mnist", show_default=True, help="Data set, folder, .npz file or module:function.")
PLAN_HELP = "Plan (TOML): what is approximated in which layer; or the spec of a multiplier for all."
PLAN: Option = click.option("--plan", help=PLAN_HELP)
WEIGHTS: Option = click.option(
    "--weights",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Weights of the network; with --plan also, or instead, those of the emulated network (give the option twice).",
)
CALIBRATE: Option = click.option("--calibrate", help="Data that fixes activation ranges (default: the validation split of --data).")
ACCELERATOR: Option = click.option("--accelerator", default="edge-16x16", show_default=True, help="Preset or TOML file.")
LIMIT: Option = click.option(
    "--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Only the first so many test images."
)
CONTINUED = "Folder for the result; one that holds it goes on where it was."


def block(*options: Option) -> Option:
    """One decorator for several options, which the help lists in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def file_option(name: str, suffixes: tuple[str, ...], noun: str, *, metavar: str, what: str) -> Option:
    """A file that is written at the end: its ending and its folder are checked before anything is computed."""

    def checked(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> Path | None:
        if file is None:
            return None
        if file.suffix.lower() not in suffixes:
            endings = ", ".join(suffixes[:-1]) + " or " * (len(suffixes) > 1) + suffixes[-1]
            raise click.BadParameter(f"must end with {endings}, which {noun} are written as, not {file.name!r}")
        if not file.parent.is_dir():
            raise click.BadParameter(f"must lie in a folder that exists; {str(file.parent)!r} does not")
        return file

    return click.option(name, type=click.Path(path_type=Path), metavar=metavar, callback=checked, help=what)


def picture_option(what: str) -> Option:
    """--picture: an SVG file, and what of."""
    return file_option("--picture", (".svg",), "pictures", metavar="FILE.svg", what=what)


PICTURE: Option = picture_option("Also draw the result.")


def seed_option(what: str, default: int = 0) -> Option:
    """--seed: of which random choices."""
    return click.option("--seed", type=click.IntRange(min=0), default=default, show_default=True, help=what)


SEED: Option = seed_option("Of everything random.")


def images_option(count: int, what: str) -> Option:
    """--images: how many test images, and what for."""
    return click.option("--images", type=click.IntRange(min=1), default=count, show_default=True, help=what)


broken_element: Option = block(
    click.option("--register", default="product", show_default=True, help="Of an element: product, sum, activation or weight."),
    click.option("--bit", type=click.IntRange(min=0), default=14, show_default=True, help="Of an element: the stuck bit of the register."),
    click.option("--value", type=click.IntRange(0, 1), default=1, show_default=True, help="What bits are stuck at."),
    ACCELERATOR,
    click.option("--dataflow", default="", help="Of the array, instead of the mapping's choice."),
)
"""What is wrong with an element of the array."""
