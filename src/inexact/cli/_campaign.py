"""What campaigns of faults and of attacks share: the network is named by options, or taken from a study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._network import own_weights
from inexact.cli._options import CONTINUED, JSON, THREADS, WEIGHTS, block
from inexact.cli._plans import plan_of

if TYPE_CHECKING:
    from inexact.explore.designs import Design

DEFAULT_DATA = "fashion-mnist"

subject_options = block(
    click.option(
        "--study", type=click.Path(path_type=Path), help="Folder of a finished study, instead of --network, --data, --plan, --weights."
    ),
    click.option("--trial", default="best", show_default=True, help="With --study: the chosen design, or the number of a trial."),
    click.option("--network", help="Network of the zoo (resnet8, …) or module:function."),
    click.option("--data", show_default=DEFAULT_DATA, help="Data set, folder, .npz file or module:function."),
    WEIGHTS,
    click.option("--out", type=click.Path(path_type=Path), help=CONTINUED),
    THREADS,
    JSON,
)
"""A network by name or from a study, and where the result goes. The command adds --plan."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network to put through a campaign. plans: TOML files or specs of units. out: its folder. about: what tells it from others."""

    network: str
    data: str
    plans: tuple[str, ...]
    weights: tuple[Path, ...]
    out: Path
    about: dict[str, str]


def named(network: str | None, data: str | None, plans: tuple[str, ...], weights: tuple[Path, ...], out: Path | None) -> Subject:
    """The network that options name. Raises click.UsageError without --network or --out."""
    if network is None or out is None:
        absent = " and ".join(name for name, value in (("--network", network), ("--out", out)) if value is None)
        raise click.UsageError(f"{absent} must be given, or --study with the folder of a finished study")
    return _subject(network, data or DEFAULT_DATA, plans, weights, out)


def of_study(folder: Path, trial: str, *, into: str, exact: bool, given: dict[str, Any]) -> list[Subject]:
    """A design of a study and, with `exact`, the exact 8-bit network beside it; each has a folder inside folder/`into`.

    given: options that a study takes the place of. Raises click.UsageError when one of them is set, StudyError for folders without a
    finished study.
    """
    from inexact.explore import designs
    from inexact.explore.stored import open_store, stored_settings

    double = [f"--{name}" for name, value in given.items() if value]
    if double:
        raise click.UsageError(f"--study names network, data, plan and folder; leave out {', '.join(double)}")
    with open_store(folder) as store:
        settings = stored_settings(store)
        names = dict.fromkeys((trial, designs.EXACT) if exact else (trial,))
        choices = [designs.choose(store, name) for name in names]
        found = designs.export(store, choices, folder / into)
    plain = () if settings.weights is None else (Path(settings.weights),)
    return [_of_design(design, settings.network, settings.data, plain) for design in found]


def _of_design(design: Design, network: str, data: str, plain: tuple[Path, ...]) -> Subject:
    subject = _subject(network, data, (str(design.plan),), (*plain, design.weights), design.plan.parent)
    subject.about.update({"study": design.study, "design": design.name})
    return subject


def _subject(network: str, data: str, plans: tuple[str, ...], weights: tuple[Path, ...], out: Path) -> Subject:
    """about: network, data, and hashes of plan and weights, so that a record is known again wherever its files lie."""
    from inexact.explore.records import EXACT, digest

    known = [plan_of(name) for name in plans]
    own = own_weights(weights) if plans else None
    plain = [path for path in weights if path != own]
    about = {
        "network": network,
        "data": data,
        "plan": " and ".join(plan.sha256 for plan in known) or EXACT,
        "weights": digest(plain[-1] if plain else None),
        "emulated weights": digest(own),
    }
    return Subject(network=network, data=data, plans=plans, weights=weights, out=out, about=about)
