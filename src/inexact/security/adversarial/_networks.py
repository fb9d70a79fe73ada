"""The three networks a campaign compares: float32, the same plan with exact arithmetic, and the approximate one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import nn

from inexact.core.errors import AttackError, near
from inexact.nn import Plan, Rule
from inexact.security.adversarial._target import Scaling

NAMES = ("float32", "exact", "approximate")


@final
@dataclass(frozen=True, kw_only=True)
class Networks:
    """float32: the original. exact: the plan's formats with exact products and sums. scaling: (mean, deviation) inputs are normalised by.

    approximate: an `ApproxModel`, or a `RandomisedModel` of several.
    """

    float32: nn.Module
    exact: nn.Module
    approximate: nn.Module
    scaling: Scaling

    def named(self, name: str) -> nn.Module:
        """One of them. Raises AttackError for another name."""
        if name not in NAMES:
            raise AttackError(f"a network of a campaign must be one of {', '.join(NAMES)}, not {name!r}{near(name, NAMES)}")
        return self.known()[name]

    def known(self) -> Mapping[str, nn.Module]:
        """By name."""
        return {"float32": self.float32, "exact": self.exact, "approximate": self.approximate}


def exact_plan(plan: Plan) -> Plan:
    """The same formats and codings in the same layers, with exact products and sums, nothing left out and no correction."""
    return Plan({key: None if rule is None else _exact(rule) for key, rule in plan.rules.items()})


def _exact(rule: Rule) -> Rule:
    return rule.but(multiplier="exact", accumulator="exact", recovery="none", reduction="none", gradient="straight_through")
