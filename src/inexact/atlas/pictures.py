"""Pictures of the field: the map of evaluations, gain and loss against complexity, retraining, the years."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import sqrt

from inexact.atlas import datasets, networks
from inexact.atlas.complexity import Evaluation, Field, Placed
from inexact.atlas.works import BESIDE, works
from inexact.core.families import FAMILIES
from inexact.report.picture import FAINT, SERIES, document, dot, key, line, text

WIDTH = 860
LEFT, TOP, CELL_X, CELL_Y = 190, 110, 165, 108
SHOWN = (*FAMILIES, "beside")
COLOURS = dict(zip(SHOWN, SERIES, strict=False))
"""Families and what stands beside them -> colour."""

TITLES = {"beside": "beside the families"}


def shown(family: str) -> str:
    """The family as pictures count it."""
    return "beside" if family in BESIDE else family


def legend(x: float, y: float) -> list[str]:
    """Families and their colours, in a row."""
    return key([(TITLES.get(name, name.replace("_", " ")), COLOURS[name]) for name in SHOWN], x=x, y=y, step=185)


def bubble_map(field: Field, mine: tuple[int, int] | None = None) -> str:
    """Works by data-set tier (rows) and network tier (columns, the last for networks of unknown size), coloured by family.

    mine: (data-set tier, network tier) of one's own evaluation, ringed.
    """
    cells = Counter(
        (found.data.tier, found.network_tier or 5, shown(found.family)) for found in field.evaluations if found.data is not None
    )
    placed, known = len(field.placed), sum(found.data is not None for found in field.evaluations)
    columns = [*(f"{name} MACs" for name in networks.TIERS.values()), "size not known"]
    parts = [text(16, 28, "What the field evaluates on", size=16)]
    said = (
        f"{placed} of {len(field.evaluations)} works name data and a network of known tier, {known} a data set; hardest evaluation of each"
    )
    parts += [text(16, 50, said), *legend(24, 78)]
    for place, name in enumerate(columns):
        parts.append(text(LEFT + place * CELL_X * 0.8 + CELL_X * 0.4, TOP + 4 * CELL_Y + 18, name, anchor="middle", colour=FAINT, size=11))
    for row, (tier, name) in enumerate(sorted(datasets.TIERS.items(), reverse=True)):
        parts.append(text(LEFT - 10, TOP + row * CELL_Y + CELL_Y / 2, f"T{tier}", anchor="end"))
        parts += _words(name, LEFT - 10, TOP + row * CELL_Y + CELL_Y / 2 + 14)
        for column in range(5):
            parts += _cell(cells, (tier, column + 1), (LEFT + column * CELL_X * 0.8, TOP + row * CELL_Y), mine)
    return document(parts, width=WIDTH, height=TOP + 4 * CELL_Y + 36, label=f"Map of evaluations: {said}")


def _words(name: str, x: float, y: float) -> list[str]:
    first, _, rest = name.partition(", ")
    return [text(x, y + 13 * place, part, anchor="end", colour=FAINT, size=10) for place, part in enumerate((first, rest)) if part]


def _cell(
    cells: Counter[tuple[int, int, str]], tiers: tuple[int, int], corner: tuple[float, float], mine: tuple[int, int] | None
) -> list[str]:
    x, y, width = corner[0], corner[1], CELL_X * 0.8
    frame = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{CELL_Y:g}" fill="none" stroke="#ddd"/>'
    parts = [frame]
    for place, name in enumerate(SHOWN):
        count = cells[(*tiers, name)]
        if count:
            centre = (x + width * (0.28 + 0.44 * (place % 2)), y + CELL_Y * (0.3 + 0.42 * (place // 2)))
            title = f"{count} {'work' if count == 1 else 'works'}, {TITLES.get(name, name.replace('_', ' '))}"
            parts.append(dot(*centre, 6 * sqrt(count), colour=COLOURS[name], title=title))
            parts.append(text(centre[0], centre[1] + 4, str(count), anchor="middle", size=11, colour="#fff"))
    if mine == tiers:
        ring = f'width="{width - 6:g}" height="{CELL_Y - 6:g}" fill="none" stroke="#222" stroke-width="2.5"'
        parts += [f'<rect x="{x + 3:g}" y="{y + 3:g}" {ring}/>', text(x + 8, y + 17, "yours", size=11)]
    return parts


def against_score(field: Field, of: str) -> str:
    """Energy saved in percent ("energy") or points lost ("loss") against E: a dot a figure; hollow: a bound, or "up to"."""
    value: Callable[[Placed], float | None] = (lambda found: found.figure.energy) if of == "energy" else (lambda found: found.figure.loss)
    pairs = [(found.score, value(found), found) for found in field.figures]
    points = [(score, reported, found) for score, reported, found in pairs if score is not None and reported is not None]
    told = sum(reported is not None for _, reported, _ in pairs)
    high = 100.0 if of == "energy" else 7.0
    name = "Energy saved, %, of what each work counts" if of == "energy" else "Accuracy lost, points"
    parts = [text(16, 28, f"{name}, against the complexity of the evaluation", size=16)]
    parts.append(
        text(16, 50, f"{len(points)} of {told} figures have a data set and a network of known size; hollow: a bound or an upper figure")
    )
    parts += legend(24, 78)
    bottom, top = 420, 110

    def at(score: float, reported: float) -> tuple[float, float]:
        return round(70 + (score - 5) / 12 * (WIDTH - 110), 1), round(bottom - reported / high * (bottom - top), 1)

    for tick in range(5, 18, 2):
        x, _ = at(tick, 0)
        parts += [line(x, top, x, bottom), text(x, bottom + 18, str(tick), anchor="middle", colour=FAINT)]
    for step in range(0, int(high) + 1, 20 if of == "energy" else 1):
        _, y = at(5, step)
        parts += [line(70, y, WIDTH - 40, y), text(62, y + 4, str(step), anchor="end", colour=FAINT)]
    parts.append(text(WIDTH - 40, bottom + 38, "complexity E = D + N (no unit)", anchor="end", colour=FAINT))
    for score, reported, found in points:
        hollow = found.figure.best if of == "energy" else found.figure.at_most
        title = f"{found.figure.work}: {reported:g} {f'% of {found.figure.of}' if of == 'energy' else f'points {found.figure.loss_of}'}"
        parts.append(dot(*at(score, reported), 6, colour=COLOURS[shown(found.family)], title=title, hollow=hollow))
    return document(parts, width=WIDTH, height=bottom + 52, label=f"{name} against complexity, {len(points)} figures")


def years(field: Field) -> str:
    """Works by year, stacked by family."""
    counts = Counter((found.year, shown(found.family)) for found in field.evaluations)
    first, last = min(year for year, _ in counts), max(year for year, _ in counts)
    most = max(sum(counts[year, name] for name in SHOWN) for year in range(first, last + 1))
    step, bottom = (WIDTH - 90) / (last - first + 1), 360
    parts = [
        text(16, 28, "Works of the catalogue by year", size=16),
        text(16, 50, f"{len(field.evaluations)} works with a technique; a sample, not a census"),
    ]
    parts += legend(24, 78)
    for tick in range(0, most + 1, 5):
        y = bottom - tick / most * 240
        parts += [line(50, y, WIDTH - 30, y), text(42, y + 4, str(tick), anchor="end", colour=FAINT)]
    for year in range(first, last + 1):
        x, y = 55 + (year - first) * step, float(bottom)
        for name in SHOWN:
            height = counts[year, name] / most * 240
            y -= height
            if height:
                parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{step * 0.8:.1f}" height="{height:.1f}" fill="{COLOURS[name]}"/>')
        parts.append(text(round(x + step * 0.4, 1), bottom + 18, str(year), anchor="middle", colour=FAINT, size=11))
    return document(parts, width=WIDTH, height=bottom + 34, label="Works of the catalogue by year and family")


def retraining_shares(field: Field) -> list[tuple[int, dict[str, int]]]:
    """Data-set tier -> works by what they retrain; "not known" counts those whose retraining was not read."""
    found: dict[int, Counter[str]] = {}
    for evaluation in field.evaluations:
        if evaluation.data is not None:
            found.setdefault(evaluation.data.tier, Counter())[works()[evaluation.work].retraining or "not known"] += 1
    return [(tier, dict(found[tier])) for tier in sorted(found)]


def retraining(field: Field) -> str:
    """Share of works that retrain, by data-set tier, with counts."""
    kinds = ("required", "part", "optional", "none", "not known")
    colours = dict(zip(kinds, (SERIES[1], SERIES[4], SERIES[6], SERIES[0], "#c8ccd0"), strict=True))
    parts = [text(16, 28, "Retraining, by the hardest data set", size=16), *key(colours.items(), x=24, y=58, step=120)]
    for row, (tier, counts) in enumerate(retraining_shares(field)):
        y, x, whole = 84.0 + 52 * row, 190.0, sum(counts.values())
        parts.append(text(180, y + 18, f"T{tier}, {whole} works", anchor="end"))
        for name in kinds:
            width = counts.get(name, 0) / whole * (WIDTH - 230)
            if width:
                parts.append(f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="28" fill="{colours[name]}"/>')
                parts.append(
                    text(
                        round(x + width / 2, 1),
                        y + 18,
                        str(counts[name]),
                        anchor="middle",
                        colour="#fff" if name != "not known" else "#222",
                    )
                )
            x += width
    return document(parts, width=WIDTH, height=300, label="Works that retrain, by tier of their hardest data set")


PICTURES: dict[str, Callable[[Field], str]] = {
    "map": bubble_map,
    "gain": lambda field: against_score(field, "energy"),
    "loss": lambda field: against_score(field, "loss"),
    "retraining": retraining,
    "years": years,
}
"""Name of a picture's file -> what draws it."""


def listed(evaluations: Sequence[Evaluation]) -> Counter[str]:
    """What is missing of evaluations, in a word, and how often."""
    reasons = ("no data set recorded", "no network recorded")
    return Counter(
        "complete"
        if found.missing is None
        else found.missing
        if found.missing in reasons
        else found.missing.rpartition(": ")[2].partition(" on ")[0]
        for found in evaluations
    )
