"""Families and specs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from inexact.core.errors import SpecError, UnknownNameError, near, require_range
from inexact.core.registry import Family, spec_of


class Thing:
    """A base for the family of these tests."""


family: Family[Thing] = Family("thing", "inexact.core")


@family.register("plain")
@dataclass(frozen=True, kw_only=True)
class Plain(Thing):
    depth: int = 3
    wide: tuple[int, int] = (8, 8)
    mode: str = "a"
    fast: bool = False
    inner: Thing | None = None
    names: tuple[str, ...] = ()


@pytest.mark.parametrize(
    "member",
    [
        Plain(),
        Plain(depth=-4),
        Plain(wide=(8, 4)),
        Plain(mode="two words", fast=True),
        Plain(inner=Plain(depth=2)),
        Plain(names=("one",)),
        Plain(names=("one", "two words")),
    ],
)
def test_specs_round_trip(member: Plain) -> None:
    assert family.get(spec_of(member)) == member
    assert spec_of(family.get(spec_of(member))) == spec_of(member)


def test_specs_are_short() -> None:
    assert spec_of(Plain()) == "plain"
    assert spec_of(Plain(depth=1, wide=(4, 2), fast=True)) == "plain(depth=1,wide=(4,2),fast=true)"
    assert family.get("plain( depth = 1 )") == Plain(depth=1)
    assert family.get(Plain()) == Plain()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("plain(", "a spec must look like 'name"),
        ("plain[2]", "a spec must look like 'name"),
        ("plain(3)", "arguments of plain must be named, as in 'plain\\(depth="),
        ("plain(dept=3)", "plain has no parameter 'dept'; did you mean 'depth'\\? Parameters: depth, wide, mode, fast, inner, names"),
        ("plain(depth=1+x)", "values in a spec must be numbers, names, strings or tuples"),
        ("a.plain(depth=1)", "a spec must start with a plain name"),
        ("plain(depth=__import__('os'))", "no thing is called '__import__'|arguments of __import__ must be named"),
    ],
)
def test_malformed_specs(spec: str, message: str) -> None:
    with pytest.raises((SpecError, UnknownNameError), match=message):
        family.get(spec)


def test_unknown_names_suggest_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="no thing is called 'plan'; did you mean 'plain'\\? Known: plain"):
        family.get("plan")
    assert near("zzz", ["plain"]) == "."


def test_a_name_is_taken_once() -> None:
    with pytest.raises(SpecError, match="thing name 'plain' is taken"):

        @family.register("plain")
        @dataclass(frozen=True)
        class Other(Thing):
            pass


def test_range_messages() -> None:
    require_range("cut", 15, 0, 15)
    with pytest.raises(SpecError, match=r"cut must be 0\.\.2\*width-1 \(0\.\.15\), not 16"):
        require_range("cut", 16, 0, 15, bound="0..2*width-1")
    with pytest.raises(SpecError, match=r"cut must be 0\.\.15, not True"):
        require_range("cut", True, 0, 15)
