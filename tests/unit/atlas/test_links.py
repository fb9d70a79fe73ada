"""Every link leads somewhere, every recipe can be read, and the coverage is counted from them."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest

from inexact.atlas import coverage, links, registries, works
from inexact.atlas.describe import commands
from inexact.cli import app
from inexact.core.errors import CatalogueError, UnknownNameError
from inexact.explore.space import SpaceText, candidates

USES = sorted({use for link in links.links().values() for use in link.uses})
RECIPES = sorted(links.recipes())


def parsed(command: str) -> click.Context:
    """The context of a command line, which is read but not run."""
    words = shlex.split(command)
    assert words[0] == "inexact"
    context: click.Context = click.Context(app, info_name="inexact")
    found: click.Command = app
    rest = words[1:]
    while isinstance(found, click.Group):
        below = found.get_command(context, rest[0])
        assert below is not None, command
        found, rest = below, rest[1:]
    return found.make_context(found.name, list(rest))


def test_every_work_has_a_link_and_every_link_a_work() -> None:
    assert set(links.links()) == set(works.works())


@pytest.mark.parametrize("use", USES)
def test_every_link_leads_somewhere(use: str) -> None:
    kind, _, name = use.partition(":")
    if kind == "command":
        found: Any = app
        for word in name.split():
            found = found.get_command(click.Context(app), word)
        assert isinstance(found, click.Command)
    else:
        registries.check(use)


def test_recipes_are_those_of_works() -> None:
    assert {link.recipe for link in links.links().values()} - {None} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_can_be_read_and_its_commands_too(name: str) -> None:
    recipe = links.recipes()[name]
    if recipe.kind == "plan":
        assert recipe.plan().to_toml()
    elif recipe.kind == "space":
        assert len(candidates(SpaceText(text=recipe.to_toml()), {"conv": "Conv2d"})["conv"]) >= 3
    for command in commands(recipe, None):
        assert "{" not in command
        assert parsed(command).params


def test_works_that_run_here_name_what_runs_them() -> None:
    for key, link in links.links().items():
        if link.status == "here":
            assert link.recipe, key


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("multiplier:drumm", "link 'multiplier:drumm' must lead somewhere: no multiplier is called 'drumm'; did you mean 'drum'"),
        ("multipler:drum", "no family of techniques is called 'multipler'; did you mean 'multiplier'"),
        ("accelerator:stripe-like", "no accelerator is called 'stripe-like'; did you mean 'stripes-like'"),
        ("api:inexact.nn:Exit", "inexact.nn:Exit must name something of the package"),
        ("api:inexact.none:x", "inexact.none:x must name something of the package"),
    ],
)
def test_a_broken_link_says_why(use: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        registries.check(use)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"status": "her"}, "status must be one of here, part, absent, none, not 'her'"),
        ({"status": "here"}, "uses must name what stands for the work"),
        ({"status": "part", "uses": ["multiplier:drum"]}, "what is missing must be said"),
        ({"status": "absent", "missing": "x", "uses": ["multiplier:drum"]}, "uses must name what stands for the work"),
        ({"status": "none", "why": "x"}, "has no entry 'why'"),
        (3, "must be a table, not 3"),
    ],
)
def test_a_link_that_breaks_the_schema_is_refused(record: Any, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        links.parse_links({"work": {"drum2015": record}})


def test_works_without_a_recipe_say_why() -> None:
    with pytest.raises(CatalogueError, match="rookies2022 has no recipe: no binarised sums"):
        links.recipe_of("rookies2022")
    with pytest.raises(UnknownNameError, match="no work is called 'rookies'"):
        links.recipe_of("rookies")
    with pytest.raises(CatalogueError, match="recipe 'metric_study' has no plan; it runs: inexact metrics study"):
        links.recipes()["metric_study"].plan()


def test_coverage_is_counted_from_the_links() -> None:
    found = coverage.coverage()
    assert found.everything.works + found.surveys == 155
    assert found.three.works == 113
    statuses = [links.links()[key].status for key, work in works.works().items() if work.family == "precision_scaling"]
    precision = next(share for share in found.families if share.name == "precision_scaling")
    assert (precision.here, precision.part, precision.absent) == tuple(statuses.count(name) for name in ("here", "part", "absent"))
    assert found.to_json()["everything"]["here_percent"] == pytest.approx(100 * found.everything.here / found.everything.works)
