"""Plans: which choice in which layer. Hashable, diffable, TOML on disk."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from inexact.core.errors import PlanError, near
from inexact.core.files import sha256, write_text
from inexact.core.notebook import as_html
from inexact.nn._rule import Rule
from inexact.nn.exits import Exits
from inexact.precision import Format
from inexact.units import Accumulator, Multiplier

Choice = Rule | None
_SPECIAL = re.compile(r"[*?\[]")


class Plan:
    """Rules for layers; immutable.

    rules: key -> Rule, a unit spec (short for `Rule(multiplier=spec)`), or None to leave the layer in float32.
    Keys, strongest first: exact layer name; glob (`layer1.*`); `re:<regular expression>`; `type:<module class>`; `default`.
    Among keys of one kind the first that matches wins. Keyword arguments set `default`; without any, layers no key matches stay in float32.
    A plan that is given only keywords covers everything `plannable` lists.
    exits: early exits of the network; their classifiers are layers like others (`exits.0.linear`).

    >>> Plan(multiplier="trunc(cut=4)", precision="int8").keep("conv1", "fc*")
    """

    def __init__(
        self,
        rules: Mapping[str, Rule | Multiplier | str | None] | None = None,
        *,
        multiplier: str | Multiplier | None = None,
        precision: str | Format | None = None,
        coding: str | None = None,
        padding: str | None = None,
        recovery: str | None = None,
        accumulator: str | Accumulator | None = None,
        gradient: str | None = None,
        reduction: str | None = None,
        modes: str | None = None,
        exits: Exits | None = None,
    ) -> None:
        if rules is not None and not isinstance(rules, Mapping):
            raise PlanError(
                f"rules must map layers to rules, as {{'conv*': 'exact'}}, not {type(rules).__name__}; one unit for all: multiplier="
            )
        self.exits = exits
        given: dict[str, Any] = {"multiplier": multiplier, "precision": precision, "coding": coding}
        given |= {"padding": padding, "recovery": recovery, "accumulator": accumulator, "gradient": gradient, "reduction": reduction}
        given["modes"] = modes
        keywords = {name: value for name, value in given.items() if value is not None}
        self._rules: dict[str, Choice] = {_checked_key(key): _as_rule(value) for key, value in (rules or {}).items()}
        if keywords:
            if "default" in self._rules:
                raise PlanError("the default rule must be given once: as the 'default' key or by keywords, not both")
            self._rules["default"] = Rule(**keywords)

    @property
    def rules(self) -> dict[str, Choice]:
        """A copy of the rules, in order."""
        return dict(self._rules)

    def keep(self, *keys: str) -> Plan:
        """A plan that leaves the layers these keys match in float32."""
        return self._with(dict.fromkeys(keys))

    def with_rule(self, key: str, rule: Rule | Multiplier | str | None) -> Plan:
        """A plan with one rule added or replaced."""
        return self._with({key: _as_rule(rule)})

    def _with(self, more: Mapping[str, Choice]) -> Plan:
        merged: dict[str, Choice] = {**{_checked_key(k): v for k, v in more.items()}}
        merged.update({k: v for k, v in self._rules.items() if k not in merged})
        return Plan(merged, exits=self.exits)

    def resolve(self, layers: Mapping[str, str]) -> dict[str, Choice]:
        """The rule of each layer. layers: name -> module class name. Raises PlanError for a key that matches nothing."""
        for key in self._rules:
            if key != "default" and not any(_matches(key, name, kind) for name, kind in layers.items()):
                bare = key.split(":", 1)[-1]
                pool: Iterable[str] = set(layers.values()) if key.startswith("type:") else layers
                raise PlanError(f"plan key {key!r} must match a layer; none does{near(bare, pool)} Layers: {', '.join(layers)}")
        ranked = sorted(self._rules, key=_strength)
        return {name: self._first(ranked, name, kind) for name, kind in layers.items()}

    def _first(self, ranked: list[str], name: str, kind: str) -> Choice:
        return next((self._rules[key] for key in ranked if _matches(key, name, kind)), None)

    def to_toml(self) -> str:
        """The plan as TOML; `Plan.from_toml` gives an equal plan back."""
        rules: dict[str, Any] = {key: {"keep": True} if rule is None else rule.to_dict() for key, rule in self._rules.items()}
        exits = {} if self.exits is None else {"exits": self.exits.to_dict()}
        return tomli_w.dumps({"plan": {"version": 1, **exits, "rules": rules}})

    @classmethod
    def from_toml(cls, text: str) -> Plan:
        """Read a plan. Raises PlanError for anything that is not one."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PlanError(f"a plan must be TOML: {error}") from error
        plan = document.get("plan")
        if not isinstance(plan, dict) or plan.get("version") != 1 or not isinstance(plan.get("rules"), dict):
            raise PlanError("a plan must have a [plan] table with version = 1 and [plan.rules.<key>] tables")
        for found, known in ((document, ("plan",)), (plan, ("version", "exits", "rules"))):
            if strange := sorted(set(found) - set(known)):
                raise PlanError(f"a plan must have rules in [plan.rules.<key>] alone, not {strange[0]!r}{near(strange[0], known)}")
        exits = Exits.from_dict(plan["exits"]) if "exits" in plan else None
        return cls({key: _rule_from_table(key, table) for key, table in plan["rules"].items()}, exits=exits)

    def save(self, path: str | Path) -> None:
        """Write the plan as TOML by atomic rename."""
        write_text(path, self.to_toml())

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read a plan file. Raises PlanError when it cannot be read."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise PlanError(f"plan file {path} must be text in UTF-8: {error}") from error
        except OSError as error:
            raise PlanError(f"plan file {path} cannot be read: {error.strerror}") from error
        return cls.from_toml(text)

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the TOML text."""
        return sha256(self.to_toml().encode())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.exits == other.exits and list(self._rules.items()) == list(other._rules.items())

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __str__(self) -> str:
        """The TOML text."""
        return self.to_toml()

    def _repr_html_(self) -> str:
        return as_html(self)

    def __repr__(self) -> str:
        return f"Plan({self._rules!r})" if self.exits is None else f"Plan({self._rules!r}, exits={self.exits!r})"


def _as_rule(value: Rule | Multiplier | str | None) -> Choice:
    if value is None or isinstance(value, Rule):
        return value
    return Rule(multiplier=value)


def _rule_from_table(key: str, table: Any) -> Choice:
    if not isinstance(table, dict):
        raise PlanError(f"rule {key!r} must be a table, not {table!r}")
    if table.get("keep") is True and len(table) == 1:
        return None
    return Rule.from_dict(table, key=key)


def _checked_key(key: str) -> str:
    if key.startswith("re:"):
        try:
            re.compile(key[3:])
        except re.error as error:
            raise PlanError(f"plan key {key!r} must hold a regular expression: {error}") from error
    return key


def _strength(key: str) -> int:
    if key == "default":
        return 4
    if key.startswith("type:"):
        return 3
    if key.startswith("re:"):
        return 2
    return 1 if _SPECIAL.search(key) else 0


def _matches(key: str, name: str, kind: str) -> bool:
    strength = _strength(key)
    if strength == 4:
        return True
    if strength == 3:
        return key[5:] == kind
    if strength == 2:
        return re.fullmatch(key[3:], name) is not None
    return fnmatch.fnmatchcase(name, key) if strength == 1 else key == name
