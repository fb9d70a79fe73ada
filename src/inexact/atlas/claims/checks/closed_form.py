"""A formula for an error metric, held against enumeration."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import final

from inexact.atlas.claims._units import check_targets, unit_of
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.errors import ClaimError
from inexact.metrics.passport import CONVENTIONS, profile

_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}


@kinds.register("closed_form")
@final
@dataclass(frozen=True, kw_only=True)
class ClosedForm(Check):
    """The largest deviation of a formula from a metric, over units; relative to the metric, absolute where that is 0.

    targets: specs, of adders behind `adder:`. metric: of `inexact.metrics.CONVENTIONS`, shares as 0..1. formula: numbers, + - * / **,
    brackets, n (bits of the first operand) and the units' parameters.
    """

    targets: tuple[str, ...]
    metric: str
    formula: str

    def __post_init__(self) -> None:
        if self.metric not in CONVENTIONS:
            raise ClaimError(f"metric must be one of {', '.join(CONVENTIONS)}, not {self.metric!r}")
        check_targets(self.targets)
        evaluate(self.formula, None)

    @property
    def unit(self) -> str:
        """A ratio."""
        return "1"

    def measure(self) -> Measured:
        """Exhaustively."""
        worst, pairs = 0.0, 0
        for spec in self.targets:
            unit = unit_of(spec)
            names = {field.name: getattr(unit, field.name) for field in fields(unit) if isinstance(getattr(unit, field.name), int)}  # type: ignore[arg-type]
            found = float(profile(unit).metrics()[self.metric])
            deviation = abs(evaluate(self.formula, {**names, "n": unit.width[0]}) - found)
            worst, pairs = max(worst, deviation / abs(found) if found else deviation), pairs + (1 << sum(unit.width))
        return Measured.exact(worst, n=pairs, detail=f"{len(self.targets)} units, all pairs of each")


def evaluate(formula: str, names: Mapping[str, float] | None) -> float:
    """The value of an arithmetic formula; with `names` None only its form is looked at. Raises ClaimError for anything else than
    arithmetic."""
    try:
        return float(_value(ast.parse(formula, mode="eval").body, names))
    except (SyntaxError, ZeroDivisionError, OverflowError) as error:
        raise ClaimError(f"a formula must be arithmetic of numbers and parameters, not {formula!r}: {error}") from error


def _value(node: ast.expr, names: Mapping[str, float] | None) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number if names is not None else 1.0
        case ast.Name(id=name):
            if names is None:
                return 1.0
            if name not in names:
                raise ClaimError(f"a formula may name {', '.join(names)}, not {name!r}")
            return names[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            sides = _value(left, names), _value(right, names)
            return 1.0 if names is None else _OPERATORS[type(op)](*sides)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names)
    raise ClaimError(f"a formula must be arithmetic of numbers and parameters, not {ast.unparse(node)!r}")
