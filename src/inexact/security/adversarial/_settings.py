"""What a campaign was asked to do, and the cells it consists of."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, final

from inexact.core.errors import AttackError, require_range
from inexact.security.adversarial._base import Attack, attacks
from inexact.security.adversarial._networks import NAMES
from inexact.security.adversarial._threats import DEFAULT_THREATS, Maker, Threat, check_pairs, threat_named

SHORT = "auto_attack(steps=10,targets=3,parts=('apgd-ce','apgd-t'))"
DEFAULT_ATTACKS = (
    "fgsm",
    "pgd",
    "pgd(loss=margin)",
    "pgd(norm=l2,loss=margin)",
    SHORT,
    "carlini_wagner",
    "deepfool",
    "square",
    "hop_skip_jump",
    "noise",
)
ADAPTIVE_ATTACKS = ("pgd(loss=margin)", "pgd(norm=l2,loss=margin)", SHORT)
"""Of the default attacks, those an adaptive attacker runs once for every source of gradients."""
UNBOUNDED = "pgd(loss=margin,steps=40)"
"""Runs over the whole box, epsilon 1, where nothing can withstand it."""


@final
@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: an attack of one strength by one maker. epsilon is 0 for attacks that look for the smallest change."""

    attack: str
    epsilon: float
    maker: Maker

    @property
    def key(self) -> str:
        """As stored."""
        return f"{self.attack} | {self.epsilon:g} | {self.maker.key}"


@final
@dataclass(frozen=True, kw_only=True)
class Settings:
    """attacks: specs, none for the default list. threats: names. epsilons, epsilons_l2: in pixels 0..1 (largest change; root of the sum of
    squares). seed: of everything random; the same for all networks."""

    attacks: tuple[str, ...] = ()
    threats: tuple[str, ...] = DEFAULT_THREATS
    epsilons: tuple[float, ...] = (0.01, 0.03, 0.1)
    epsilons_l2: tuple[float, ...] = (0.5, 1.5)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("attacks", "threats", "epsilons", "epsilons_l2"):
            values = tuple(dict.fromkeys(getattr(self, name)))
            object.__setattr__(self, name, tuple(sorted(values)) if name.startswith("epsilons") else values)
        object.__setattr__(self, "attacks", tuple(dict.fromkeys(attacks.get(spec).spec for spec in self.attacks)))
        require_range("seed", self.seed, 0, 2**32 - 1)
        for epsilon in (*self.epsilons, *self.epsilons_l2):
            if not (math.isfinite(epsilon) and epsilon > 0):
                raise AttackError(f"every epsilon must be a number above 0, in pixels 0..1, not {epsilon}")
        if max(self.epsilons, default=0) > 1:
            raise AttackError(f"epsilon is in pixels 0..1 and must be at most 1, not {max(self.epsilons):g}; divide grey levels by 255")
        if not self.threats:
            raise AttackError("a campaign must have at least one threat")
        check_pairs(self.members(), self.models())

    def members(self) -> list[Attack]:
        """The attacks; of the default list, those that fit a threat."""
        if self.attacks:
            return [attacks.get(spec) for spec in self.attacks]
        known = [attacks.get(spec) for spec in DEFAULT_ATTACKS]
        return [attack for attack in known if any(threat.maker("exact").serves(attack) for threat in self.models())]

    def models(self) -> list[Threat]:
        """The threats."""
        return [threat_named(name) for name in self.threats]

    def strengths(self, attack: Attack) -> tuple[float, ...]:
        """Epsilons an attack is judged at."""
        return self.epsilons if attack.measure == "linf" else self.epsilons_l2

    def run_under(self, attack: Attack, threat: Threat) -> bool:
        """Whether the campaign has that pair. The default list runs once for every gradient of an adaptive attacker only where it pays."""
        if not threat.maker("exact").serves(attack):
            return False
        heavy = not self.attacks and threat.gradient == "adaptive"
        return not heavy or attack.spec in {attacks.get(spec).spec for spec in ADAPTIVE_ATTACKS}

    def cells(self) -> list[Cell]:
        """All runs, without repetition: threats share the examples of one maker."""
        found: dict[str, Cell] = {}
        for threat in self.models():
            for victim in NAMES:
                maker = threat.maker(victim)
                for attack in self.members():
                    if not self.run_under(attack, threat):
                        continue
                    for epsilon in self.strengths(attack) if attack.bounded else (0.0,):
                        cell = Cell(attack=attack.spec, epsilon=epsilon, maker=maker)
                        found.setdefault(cell.key, cell)
        for cell in [*found.values()]:
            if cell.maker.gradient == "straight_through":
                whole = Cell(attack=attacks.get(UNBOUNDED).spec, epsilon=1.0, maker=cell.maker)
                found.setdefault(whole.key, whole)
        return list(found.values())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
