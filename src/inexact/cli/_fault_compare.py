"""`inexact fault compare`: exact and approximate multipliers under the same stuck-at faults."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._options import JSON, THREADS, images_option, seed_option
from inexact.core.errors import FormatError

if TYPE_CHECKING:
    from inexact.units import Multiplier


@click.command("compare")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File of the measurements (JSON lines); continued when it exists."
)
@click.option("--case", "cases", multiple=True, metavar="NETWORK:DATA", help="Instead of the three that come with weights; repeatable.")
@click.option("--unit", "specs", multiple=True, metavar="SPEC", help="Signed 8x8 multiplier, instead of the defaults; repeatable.")
@click.option("--table", "tables", multiple=True, metavar="FILE.npz:NAME", help="Also the signed 8x8 table of this name; repeatable.")
@images_option(1000, "Test images a loss is measured on.")
@click.option(
    "--layered", type=click.IntRange(min=0), default=3, show_default=True, help="Units also broken layer by layer, the exact one too."
)
@click.option("--nets", type=click.IntRange(min=0), default=30, show_default=True, help="Random nets of every netlist.")
@click.option("--elements", type=click.IntRange(min=0), default=6, show_default=True, help="Random elements of the array.")
@seed_option("Of nets and elements.")
@THREADS
@click.option(
    "--summary", type=click.Path(path_type=Path), metavar="FILE.json", help="Also write losses and conclusion, with date and command."
)
@JSON
def compare(
    *,
    out: Path,
    cases: tuple[str, ...],
    specs: tuple[str, ...],
    tables: tuple[str, ...],
    images: int,
    layered: int,
    nets: int,
    elements: int,
    seed: int,
    threads: int | None,
    summary: Path | None,
    as_json: bool,
) -> None:
    """Put the same stuck bits into exact and approximate multipliers of trained networks: which loses more accuracy, and where.

    Product bits in all multipliers of the network and of one layer at a time, random nets of each netlist, and product bits of single
    elements of a weight stationary array. Goes on where it was stopped.
    """
    from inexact.cli import _network
    from inexact.core.files import write_text
    from inexact.reliability import stuck_study

    _network.use_threads(threads)
    listed = stuck_study.named((stuck_study.EXACT, *specs) if specs else stuck_study.UNITS)
    settings = stuck_study.Settings(
        units=listed | dict(_table(entry) for entry in tables),
        cases=cases or stuck_study.CASES,
        images=images,
        layered=layered,
        nets=nets,
        elements=elements,
        seed=seed,
    )
    with _network.progress_bar() as bar:
        task = bar.add_task("faults", total=None)
        rows = stuck_study.run(settings, out, watch=lambda done, total: bar.update(task, completed=done, total=total))
    content = _content(rows, settings)
    if summary is not None:
        write_text(summary, json.dumps(content, indent=1))
    click.echo(json.dumps(content) if as_json else "\n".join(content["conclusion"]))


def _table(entry: str) -> tuple[str, Multiplier]:
    """A unit of a file of tables, by its name there."""
    import numpy as np

    from inexact import units

    path, _, name = entry.rpartition(":")
    try:
        with np.load(path, allow_pickle=False) as held:
            if name not in held:
                raise FormatError(f"{path} holds no table {name!r}; it holds {', '.join(sorted(held)[:6])} …")
            return name, units.from_table(held[name].astype(np.int64), signed=True)
    except (OSError, ValueError, AttributeError) as error:
        raise FormatError(f"--table must name a table of an .npz file, as in units.npz:mul8s_1KV8, not {entry!r}: {error}") from None


def _content(rows: Any, settings: Any) -> dict[str, Any]:
    from inexact.cli.study import _command
    from inexact.reliability import stuck_facts, stuck_study

    found, nets = stuck_facts.pairs(rows, stuck_study.EXACT), stuck_facts.net_losses(rows)
    healthy = {(row.case, row.unit): 100 * float(row.right.mean()) for row in rows if row.kind == "none"}
    return {
        "command": _command(),
        "date": datetime.now(UTC).date().isoformat(),
        "measured": {"cases": list(settings.cases), "units": list(settings.units), "images": settings.images, "networks": len(rows)},
        "conclusion": stuck_facts.conclusion(found, nets, healthy),
        "healthy": [{"case": case, "unit": unit, "top1": top1} for (case, unit), top1 in healthy.items()],
        "pairs": [asdict(pair) for pair in found],
        "nets": [asdict(net) for net in nets],
    }
