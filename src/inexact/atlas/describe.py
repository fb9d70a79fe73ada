"""One work for people and for programs: its record, what of it runs here, its place on the map."""

from __future__ import annotations

import textwrap
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from inexact.atlas.bibtex import bibtex
from inexact.atlas.complexity import evaluation
from inexact.atlas.links import Recipe, filled, links, recipes
from inexact.atlas.works import Work

WIDTH = 100


def brief(work: Work) -> dict[str, Any]:
    """The record as JSON, with `here`: what stands for the work in this package."""
    return work.to_json() | {"here": links()[work.key].to_json()}


def full(work: Work) -> dict[str, Any]:
    """`brief` with the commands that run it, the claims on it, its place on the map of evaluations, and BibTeX."""
    name = links()[work.key].recipe
    run = [] if name is None else commands(recipes()[name], None)
    found = {"commands": run, "claims": claims_of(work.key), "evaluation": evaluation(work).to_json(), "bibtex": bibtex(work)}
    return brief(work) | found


def claims_of(key: str) -> list[str]:
    """Ids of the claims on a work, in the order of their records; `inexact claim run` checks them."""
    folder = files("inexact.atlas").joinpath("claims", "records")
    if not folder.is_dir():
        return []
    records = [file for file in sorted(folder.iterdir(), key=lambda file: file.name) if file.name.endswith(".toml")]
    claims = [claim for file in records for claim in tomllib.loads(file.read_text(encoding="utf-8")).get("claim", [])]
    return [str(claim["id"]) for claim in claims if claim.get("work") == key]


def commands(recipe: Recipe, folder: Path | None) -> list[str]:
    """The commands with the names of files in a folder ("out" for None)."""
    place = Path("out") if folder is None else folder
    names = {"plan": str(place / "plan.toml"), "space": str(place / "space.toml"), "out": str(place)}
    return [filled(command, names) for command in recipe.commands]


def text(work: Work) -> str:
    """For the terminal."""
    link = links()[work.key]
    lines = [f"{work.key}: {work.title}", f"{', '.join(work.authors) or work.group or 'authors not known'}. {work.venue}, {work.year}."]
    identifiers = [f"doi:{work.doi}" if work.doi else "", f"arXiv:{work.arxiv}" if work.arxiv else ""]
    lines += [" ".join(part for part in identifiers if part)] if any(identifiers) else []
    lines += ["", work.technique, ""]
    lines += [f"{name + ':':13}{value}" for name, value in _facts(work).items()]
    lines += [f"{'reported:':13}{name}: {value}" for name, value in work.reported.known().items()]
    lines += [f"{'from memory:':13}{name}: {'; '.join(values)}" for name, values in work.recalled.items()]
    lines += ["", f"runs here: {link.status}" + (f" ({', '.join(link.uses)})" if link.uses else "")]
    lines += [f"missing: {link.missing}"] if link.missing else []
    lines += [f"claims: {', '.join(claims)}"] if (claims := claims_of(work.key)) else []
    if link.recipe is not None:
        lines += [f"to run it (inexact atlas recipe {work.key} --out FOLDER writes the file):"]
        lines += [f"  {command}" for command in commands(recipes()[link.recipe], Path("FOLDER"))]
    return "\n".join(_wrapped(line) for line in lines)


def _facts(work: Work) -> dict[str, str]:
    retraining = work.retraining and f"{work.retraining}{f' ({work.retraining_note})' if work.retraining_note else ''}"
    found = {
        "family": work.family.replace("_", " "),
        "sub-class": work.subclass.replace("_", " "),
        "unit": work.unit,
        "granularity": work.granularity.replace("_", " "),
        "adaptivity": work.adaptivity.replace("_", " "),
        "data sets": ", ".join(work.datasets) or "not recorded",
        "networks": ", ".join(work.networks) or "not recorded",
        "recovery": work.recovery or "not known",
        "retraining": retraining or "not known",
        "provenance": f"read: {work.source}" if work.provenance == "read" else "from memory",
    }
    return {name: value for name, value in found.items() if value}


def _wrapped(line: str) -> str:
    return (
        textwrap.fill(line, WIDTH, subsequent_indent=" " * 2, break_long_words=False, break_on_hyphens=False) if len(line) > WIDTH else line
    )
