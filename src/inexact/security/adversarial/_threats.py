"""Threat models: what an attacker of an approximate network knows, and so on which network, by which gradients, examples are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.core.errors import AttackError, UnknownNameError, near
from inexact.security.adversarial._base import Attack


@final
@dataclass(frozen=True, kw_only=True)
class Maker:
    """Who makes examples: which network is asked, and where gradients come from ("none": answers only)."""

    network: str
    gradient: str

    @property
    def key(self) -> str:
        """As stored."""
        return f"{self.network}:{self.gradient}"

    def serves(self, attack: Attack) -> bool:
        """Attacks that follow gradients need some; the others are for attackers without."""
        return (attack.needs == "gradients") == (self.gradient != "none")


@final
@dataclass(frozen=True, kw_only=True)
class Threat:
    """A threat model. source: the network examples are made on, None for the attacked one. gradient: see `Maker`. knows: in words."""

    name: str
    source: str | None
    gradient: str
    knows: str

    def maker(self, victim: str) -> Maker:
        """Who makes the examples against that network."""
        return Maker(network=self.source or victim, gradient=self.gradient)


THREATS = {
    threat.name: threat
    for threat in (
        Threat(
            name="exact_to_approximate",
            source="exact",
            gradient="straight_through",
            knows="the exact network, not the unit: examples are made there and shown to the others (grey box)",
        ),
        Threat(
            name="approximate_to_exact",
            source="approximate",
            gradient="straight_through",
            knows="the approximate network: examples are made there and shown to the others",
        ),
        Threat(name="black_box", source=None, gradient="none", knows="answers of the attacked network only"),
        Threat(
            name="white_box",
            source=None,
            gradient="straight_through",
            knows="the attacked network, its units taken for exact in the backward pass",
        ),
        Threat(
            name="adaptive",
            source=None,
            gradient="adaptive",
            knows="everything: slopes of the unit's table, exact twins, averages over noise and draws; the worst of all counts",
        ),
        Threat(
            name="substitute",
            source=None,
            gradient="substitute",
            knows="answers only, with which a network of its own is trained; examples are made on that (stolen model)",
        ),
    )
}
DEFAULT_THREATS = ("exact_to_approximate", "approximate_to_exact", "black_box", "white_box", "adaptive")


def threat_named(name: str) -> Threat:
    """One of `THREATS`. Raises UnknownNameError with near names."""
    if name not in THREATS:
        raise UnknownNameError(f"no threat is called {name!r}{near(name, THREATS)} Known: {', '.join(THREATS)}")
    return THREATS[name]


def check_pairs(attacks: list[Attack], threats: list[Threat]) -> None:
    """Raise AttackError for an attack that none of the threats lets happen, or a threat that has no attack."""
    for attack in attacks:
        if not any(threat.maker("exact").serves(attack) for threat in threats):
            if attack.needs == "gradients":
                raise AttackError(
                    f"{attack.spec} follows gradients, which no attacker under {', '.join(t.name for t in threats)} has; "
                    "add a threat such as white_box or adaptive, or choose square, hop_skip_jump or noise"
                )
            raise AttackError(f"{attack.spec} only asks the network, so it needs the threat black_box; add it")
    for threat in threats:
        if not any(threat.maker("exact").serves(attack) for attack in attacks):
            wanted = "square or hop_skip_jump" if threat.gradient == "none" else "pgd"
            raise AttackError(
                f"no attack of {', '.join(a.spec for a in attacks)} can be made under {threat.name}; add one such as {wanted}"
            )
