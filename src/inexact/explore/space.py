"""The search space: for every layer the rules it may take, and for early exits their thresholds.

A genome holds one index per layer and, where there are exits, a last one for all of them; a plan is what it stands for.
"""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from inexact import precision as precision_formats
from inexact import units
from inexact.core.errors import PlanError, SpecError, StudyError, near
from inexact.core.families import FAMILIES
from inexact.explore.exits import ExitChoice, ExitSpace
from inexact.explore.samplers import Genome
from inexact.nn import Plan, Rule
from inexact.reduction import Work
from inexact.units import FloatMultiplier

EXACT = Rule(coding="signed")
"""The rule of the exact 8-bit design every saving is measured against; always the first option of a layer."""

_GROUP_KEYS = ("layers", "multipliers", "precisions", "codings", "recoveries", "accumulators", "reductions", "padding")


@dataclass(frozen=True, kw_only=True)
class SpaceText:
    """The text of a space file and what to call it in messages."""

    text: str
    name: str = "the space file"


SpaceInput = SpaceText | str | Path | Mapping[str, Iterable[str | Rule]] | Iterable[str | Rule] | None


@dataclass(frozen=True, kw_only=True)
class Option:
    """One rule a layer may take, as ranked.

    noise: power of the layer's output error over the power of its output, after the free correction.
    impact: power that error is predicted to have in the network's logits over their own power. energy_pj: of the layer, one inference.
    work: what the rule's reduction leaves on the ranking images. Zero, and all of it, before ranking.
    """

    rule: Rule
    noise: float = 0.0
    impact: float = 0.0
    energy_pj: float = 0.0
    work: Work = field(default_factory=Work)


@dataclass(frozen=True, kw_only=True)
class LayerChoices:
    """A layer and its options, the exact one first."""

    layer: str
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class Space:
    """All layers with their options; exits: of a network that has some, whose classifiers are layers too."""

    layers: tuple[LayerChoices, ...]
    exits: ExitSpace | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of options of each layer, then of the exits."""
        return (*(len(layer.options) for layer in self.layers), *(() if self.exits is None else (len(self.exits.choices),)))

    def exit_choice(self, genome: Genome) -> ExitChoice | None:
        """The setting of the exits; None without them."""
        return None if self.exits is None else self.exits.choices[genome[-1]]

    def choose(self, genome: Genome) -> dict[str, Option]:
        """The option each layer takes; the classifiers of closed exits are left out."""
        genes, absent = self._split(genome)
        found = {layer.layer: layer.options[gene] for layer, gene in zip(self.layers, genes, strict=True)}
        return {name: option for name, option in found.items() if name not in absent}

    def settled(self, genome: Genome) -> Genome:
        """The one genome that stands for its design: what is chosen for the classifiers of closed exits changes nothing."""
        genes, absent = self._split(genome)
        kept = (0 if layer.layer in absent else gene for layer, gene in zip(self.layers, genes, strict=True))
        return (*kept, *genome[len(genes) :])

    def _split(self, genome: Genome) -> tuple[Genome, frozenset[str]]:
        """The genes of layers, and the layers that the setting of the exits does without."""
        choice = self.exit_choice(genome)
        if self.exits is None or choice is None:
            return genome, frozenset()
        return genome[:-1], self.exits.absent(choice)

    def impact(self, genome: Genome) -> float:
        """Predicted power of all errors in the logits over their own, early answers included."""
        choice = self.exit_choice(genome)
        return sum(option.impact for option in self.choose(genome).values()) + (0.0 if choice is None else choice.impact)

    def plan(self, genome: Genome) -> Plan:
        """The plan a genome stands for: one rule per layer, by its exact name, and the exits that are open."""
        choice = self.exit_choice(genome)
        exits = None if self.exits is None or choice is None else self.exits.exits(choice)
        return Plan({name: option.rule for name, option in self.choose(genome).items()}, exits=exits)

    def to_json(self) -> Any:
        """Plain JSON; `from_json` gives an equal space back."""
        return self._layers_to_json() if self.exits is None else {"layers": self._layers_to_json(), "exits": self.exits.to_json()}

    def _layers_to_json(self) -> list[dict[str, Any]]:
        return [
            {
                "layer": layer.layer,
                "options": [
                    {"rule": o.rule.to_dict(), "noise": o.noise, "impact": o.impact, "energy_pj": o.energy_pj}
                    | ({} if o.work == Work() else {"work": dataclasses.asdict(o.work)})
                    for o in layer.options
                ],
            }
            for layer in self.layers
        ]

    @classmethod
    def from_json(cls, content: Any) -> Space:
        """The space `to_json` wrote."""
        layers = []
        for layer in content["layers"] if isinstance(content, dict) else content:
            options = tuple(
                Option(**{**option, "rule": Rule.from_dict(option["rule"]), "work": Work(**option.get("work", {}))})
                for option in layer["options"]
            )
            layers.append(LayerChoices(layer=layer["layer"], options=options))
        exits = ExitSpace.from_json(content["exits"]) if isinstance(content, dict) else None
        return cls(layers=tuple(layers), exits=exits)


def candidates(
    space: SpaceInput, layers: Mapping[str, str], exact: Rule = EXACT, *, families: Sequence[str] = FAMILIES
) -> dict[str, list[Rule]]:
    """The rules each layer may take, the exact one first, before ranking.

    space: None (the shipped list); a TOML file; unit specs or rules for every layer; or a mapping from plan keys to such lists, where
    layers no key matches stay exact. A bare unit spec stands for the codings and corrections it fits (see `rules_for`).
    layers: name -> module class name. families: rules that use others lose their reduction or are left out.
    Raises StudyError for a file that is not a space, PlanError for keys that match nothing.
    """
    if space is None:
        text = files("inexact.explore").joinpath("default_space.toml").read_text(encoding="utf-8")
        groups = _groups(text, "the default space")
    elif isinstance(space, SpaceText):
        groups = _groups(space.text, space.name)
    elif isinstance(space, (str, Path)):
        groups = _groups(read_space(space).text, str(space))
    elif isinstance(space, Mapping):
        groups = [((key,), _rules(rules)) for key, rules in space.items()]
    else:
        groups = [(("default",), _rules(space))]
    found: dict[str, dict[Rule, None]] = {name: {exact: None} for name in layers}
    for keys, rules in groups:
        used = [rule for rule in _within(rules, families) if rule.families <= set(families)]
        for name in _matching(keys, layers):
            found[name].update(dict.fromkeys(used))
    return {name: list(rules) for name, rules in found.items()}


def _within(rules: Iterable[Rule], families: Sequence[str]) -> list[Rule]:
    """The rules, without their reductions where that is none of the families."""
    reduced = FAMILIES[0] in families
    return [rule if reduced else rule.but(reduction="none") for rule in rules]


def rules_for(spec: str) -> list[Rule]:
    """The rules a bare unit spec stands for: every coding it can serve at its width, with the correction that suits the coding."""
    unit = units.of_any_system(spec)
    if isinstance(unit, FloatMultiplier):
        return [Rule(multiplier=unit.spec, precision=unit.format)]
    a_bits, b_bits = unit.width
    if unit.spec == "exact":
        return [EXACT]
    if unit.signed:
        return [_rule(spec, a_bits, b_bits, "signed", "bias_correction(gain=true)")]
    return [
        _rule(spec, a_bits, b_bits, "unsigned", "shared_column(gain=true)"),
        _rule(spec, a_bits, b_bits, "sign_magnitude", "bias_correction(gain=true)"),
    ]


def _rule(spec: str, a_bits: int, b_bits: int, coding: str, recovery: str) -> Rule:
    return Rule(multiplier=spec, precision=f"w{b_bits}a{a_bits}", coding=coding, recovery=recovery)


def _rules(rules: Iterable[str | Rule]) -> list[Rule]:
    if isinstance(rules, str):
        raise StudyError(f"the options of a layer must be a list of unit specs or rules, not the text {rules!r}; put it in brackets")
    return [made for rule in rules for made in ([rule] if isinstance(rule, Rule) else rules_for(rule))]


def _matching(keys: Sequence[str], layers: Mapping[str, str]) -> list[str]:
    """Layers that one of the plan keys matches; a plan of one key at a time says which."""
    found: dict[str, None] = {}
    for key in keys:
        resolved = Plan({key: EXACT}).resolve(layers)
        found.update({name: None for name, rule in resolved.items() if rule is not None})
    return list(found)


def read_space(path: str | Path) -> SpaceText:
    """The text of a space file. Raises StudyError when it cannot be read."""
    try:
        return SpaceText(text=Path(path).read_text(encoding="utf-8"), name=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"space file {path} must be a readable TOML file: {error}") from error


def _groups(text: str, where: str) -> list[tuple[tuple[str, ...], list[Rule]]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{where} must be TOML: {error}") from error
    groups = document.get("group")
    if not isinstance(groups, list) or not groups or set(document) != {"group"}:
        raise StudyError(f"{where} must hold [[group]] tables with multipliers, precisions, codings and recoveries, and nothing else")
    return [_group(group, where) for group in groups]


def _group(group: dict[str, Any], where: str) -> tuple[tuple[str, ...], list[Rule]]:
    for key in group:
        if key not in _GROUP_KEYS:
            raise StudyError(f"a [[group]] of {where} has no entry {key!r}{near(key, _GROUP_KEYS)} Entries: {', '.join(_GROUP_KEYS)}")
    lists = {"layers": ["default"], "precisions": ["int8"], "codings": ["unsigned"], "recoveries": ["bias_correction"]}
    lists |= {"accumulators": ["exact"], "reductions": ["none"], **group}
    for key in _GROUP_KEYS[:-1]:
        if not isinstance(lists.get(key), list) or not lists[key]:
            raise StudyError(f"{key} in a [[group]] of {where} must be a list of texts with at least one entry, not {lists.get(key)!r}")
    padding = group.get("padding", "multiplied")
    product = itertools.product(*(lists[key] for key in _GROUP_KEYS[1:-1]))
    rules = [_fitted(*parts, padding=padding) for parts in product]
    return tuple(lists["layers"]), [rule for rule in rules if rule is not None]


def _fitted(multiplier: str, precision: str, coding: str, recovery: str, accumulator: str, reduction: str, *, padding: str) -> Rule | None:
    """The rule with the unit at the width the format and coding need, None when the unit cannot have that width."""
    form = precision_formats.get(precision)
    unit = units.of_any_system(multiplier)
    if form.system is not None or form.block is not None:  # elements carry their sign, blocks are not corrected
        if coding != "signed" or accumulator != "exact" or (multiplier != "exact" and getattr(unit, "format", None) != form.system):
            return None
        return Rule(multiplier=multiplier, precision=precision, coding=coding, padding=padding, reduction=reduction)
    if isinstance(unit, FloatMultiplier):
        return None
    if "width" not in multiplier:
        width = (form.a_bits, form.b_bits - (coding == "sign_magnitude"))
        try:
            unit = dataclasses.replace(unit, width=width)  # type: ignore[type-var]
            if unit.signed != (coding == "signed"):
                unit = dataclasses.replace(unit, signed=coding == "signed")  # type: ignore[type-var]
        except (SpecError, TypeError):
            return None
    try:
        return Rule(
            multiplier=unit.spec,
            precision=precision,
            coding=coding,
            recovery=recovery,
            accumulator=accumulator,
            padding=padding,
            reduction=reduction,
        )
    except PlanError as error:
        raise StudyError(f"options of a search space must fit each other: {error}") from error
