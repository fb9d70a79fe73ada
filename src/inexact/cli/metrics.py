"""`inexact metrics`: which error metric tells what a unit costs a network."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from inexact.cli._group import Group
from inexact.cli._options import JSON, picture_option


@click.group(cls=Group)
def metrics() -> None:
    """Error metrics: which of them tells what a unit costs a network."""


@metrics.command("study")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File of the measurements (JSON lines); continued when it exists."
)
@click.option("--case", "cases", multiple=True, metavar="NETWORK:DATA", help="Instead of the five that come with weights; repeatable.")
@click.option("--units", type=click.IntRange(min=3), default=180, show_default=True, help="8x8 multipliers of the catalogue.")
@click.option("--images", type=click.IntRange(min=1), default=1000, show_default=True, help="Test images a drop is measured on.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Processes of one thread each.")
@picture_option("Also write the correlations as a picture.")
@click.option("--summary", type=click.Path(path_type=Path), metavar="FILE.json", help="Also write the correlations, with date and command.")
@JSON
def study_metrics(
    *,
    out: Path,
    cases: tuple[str, ...],
    units: int,
    images: int,
    workers: int,
    picture: Path | None,
    summary: Path | None,
    as_json: bool,
) -> None:
    """Put each unit into every layer of each network, under each coding, raw and corrected, and rank metrics by the accuracy lost.

    Rank correlations (Spearman, Kendall) with bootstrap intervals, partial ones, what follows in words. Goes on where it was stopped.
    """
    from inexact.cli.study import _command, _progress
    from inexact.core.files import write_text
    from inexact.explore import metric_study
    from inexact.explore.metric_scores import conclusion, scores
    from inexact.report.metric_study import picture as draw

    settings = metric_study.Settings(cases=cases or metric_study.CASES, units=units, images=images)
    with _progress() as watch:
        rows = metric_study.run(settings, out, workers=workers, watch=watch)
    found = scores(rows)
    content: dict[str, Any] = {
        "command": _command(),
        "date": datetime.now(UTC).date().isoformat(),
        "measured": {"cases": list(settings.cases), "units": units, "images": images, "rows": len(rows)},
        "conclusion": conclusion(found),
        "scores": {stage: [score.to_json() for score in ranked] for stage, ranked in found.items()},
    }
    if picture is not None:
        write_text(picture, draw(content["scores"], f"{units} multipliers in {len(settings.cases)} trained networks"))
    if summary is not None:
        write_text(summary, json.dumps(content, indent=1))
    click.echo(json.dumps(content) if as_json else _text(content))


def _text(content: dict[str, Any]) -> str:
    lines = [f"{'metric':28} {'raw':>24} {'corrected':>24} {'Kendall':>8}"]
    raw = {score["metric"]: score for score in content["scores"]["raw"]}
    for score in content["scores"]["corrected"]:
        before = raw.get(score["metric"])
        lines.append(f"{score['metric']:28} {_shown(before):>24} {_shown(score):>24} {score['kendall']:8.2f}")
    return "\n".join([*lines, "", content["conclusion"]])


def _shown(score: dict[str, Any] | None) -> str:
    return "" if score is None else f"{score['spearman']:+.2f} [{score['ci'][0]:+.2f}, {score['ci'][1]:+.2f}]"
