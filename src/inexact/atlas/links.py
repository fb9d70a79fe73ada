"""From a work to what stands for it in this package: status, techniques, and the recipe that runs them on a network of the zoo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import tomli_w

from inexact.atlas import _records
from inexact.core.errors import CatalogueError, UnknownNameError, near

if TYPE_CHECKING:
    from inexact.nn import Plan

STATUSES = {
    "here": "the mechanism that the catalogue's summary names runs here on a network, bit by bit",
    "part": "some of it runs, or a stand-in does",
    "absent": "nothing of it runs",
    "none": "a survey, which has no technique of its own",
}
"""What a link may say of a work."""

_LINK = ("status", "uses", "recipe", "missing")
_RECIPE = ("network", "data", "accelerator", "rules", "exits", "group", "finetune", "commands")
_EVALUATE = "inexact net evaluate --network {network} --data {data} --plan {plan}"
_ESTIMATE = "inexact net estimate --network {network} --data {data} --plan {plan} --accelerator {accelerator}"
_FINETUNE = "inexact net finetune --network {network} --data {data} --plan {plan} "
_TRAINED = "{out}/weights.safetensors"


@dataclass(frozen=True, kw_only=True)
class Link:
    """What stands for a work. status: one of `STATUSES`. uses: `noun:name`, `command:…`, `accelerator:preset` or `api:module:name`.

    recipe: name in `recipes()`. missing: what is not here, and why; text where the status is "part" or "absent".
    """

    status: str
    uses: tuple[str, ...] = ()
    recipe: str | None = None
    missing: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"status": self.status, "uses": list(self.uses), "recipe": self.recipe, "missing": self.missing}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a technique is run on a network of the zoo.

    document: the plan or the search space, as its file holds it; empty where the commands need none. kind: "plan", "space" or "".
    commands: with {plan} or {space} for that file, {out} for a folder.
    """

    name: str
    network: str
    data: str
    kind: str
    document: Mapping[str, Any]
    commands: tuple[str, ...]

    def to_toml(self) -> str:
        """Text of the plan or space file; empty without one."""
        return tomli_w.dumps(self.document) if self.kind else ""

    def plan(self) -> Plan:
        """The plan. Raises CatalogueError when the recipe has none, PlanError when it breaks a rule of plans."""
        from inexact.nn import Plan

        if self.kind != "plan":
            raise CatalogueError(f"recipe {self.name!r} has no plan; it runs: {'; '.join(self.commands)}")
        return Plan.from_toml(self.to_toml())


def parse_links(document: Mapping[str, Any], name: str = "links.toml") -> dict[str, Link]:
    """The links of a file, by work. Raises CatalogueError for the first that breaks the schema."""
    return {key: _link(record, f"{name}, {key}") for key, record in document["work"].items()}


def _link(record: Any, where: str) -> Link:
    if not isinstance(record, dict):
        raise CatalogueError(f"{where} must be a table, not {record!r}")
    _records.only(record, where, _LINK)
    status = _records.one_of(_records.text(record, "status", where), "status", where, STATUSES)
    missing = _records.optional(record, "missing", where)
    uses = _records.texts(record, "uses", where)
    if (status in ("part", "absent")) != (missing is not None):
        raise CatalogueError(f"{where}: what is missing must be said where the status is part or absent, and only there")
    if (status in ("here", "part")) != bool(uses):
        raise CatalogueError(f"{where}: uses must name what stands for the work where the status is here or part, and only there")
    return Link(status=status, uses=uses, recipe=_records.optional(record, "recipe", where), missing=missing)


def parse_recipes(document: Mapping[str, Any], name: str = "recipes.toml") -> dict[str, Recipe]:
    """The recipes of a file, by name. Raises CatalogueError for the first that breaks the schema; plans are not read here."""
    return {key: _recipe(key, record, f"{name}, {key}") for key, record in document["recipe"].items()}


def _recipe(name: str, record: Any, where: str) -> Recipe:
    _records.only(record, where, _RECIPE)
    kind = "plan" if "rules" in record else "space" if "group" in record else ""
    document: dict[str, Any] = {}
    if kind == "plan":
        exits = {"exits": record["exits"]} if "exits" in record else {}
        document = {"plan": {"version": 1, **exits, "rules": record["rules"]}}
    elif kind == "space":
        document = {"group": record["group"]}
    named = {key: record.get(key, default) for key, default in (("network", "resnet8"), ("data", "fashion-mnist"), ("accelerator", ""))}
    commands = _records.texts(record, "commands", where) or _usual(record, named["accelerator"])
    return Recipe(
        name=name,
        network=named["network"],
        data=named["data"],
        kind=kind,
        document=document,
        commands=tuple(filled(command, named) for command in commands),
    )


def _usual(record: Mapping[str, Any], accelerator: str) -> tuple[str, ...]:
    """The commands of a recipe that names none: fine-tuning where it is asked for, evaluation, the cost on its accelerator."""
    if "finetune" in record:
        return (f"{_FINETUNE}{record['finetune']} --out {_TRAINED}", f"{_EVALUATE} --weights {_TRAINED}")
    return (_EVALUATE, _ESTIMATE) if accelerator else (_EVALUATE,)


def filled(command: str, named: Mapping[str, str]) -> str:
    """A command with values in place of {names}; other braces stay."""
    for key, value in named.items():
        command = command.replace(f"{{{key}}}", value)
    return command


@lru_cache(maxsize=1)
def links() -> dict[str, Link]:
    """What stands for each work of the shipped catalogue."""
    return parse_links(_records.shipped("links.toml"))


@lru_cache(maxsize=1)
def recipes() -> dict[str, Recipe]:
    """The shipped recipes, by name."""
    return parse_recipes(_records.shipped("recipes.toml"))


def recipe_of(key: str) -> Recipe:
    """The recipe of a work. Raises UnknownNameError for an unknown work, CatalogueError for one that has none."""
    known = links()
    if key not in known:
        raise UnknownNameError(f"no work is called {key!r}{near(key, known)}")
    name = known[key].recipe
    if name is None:
        raise CatalogueError(f"{key} has no recipe: {known[key].missing or STATUSES[known[key].status]}")
    return recipes()[name]
