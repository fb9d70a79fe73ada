"""`unit list --where "mred<0.02 and zero_exact" --sort energy`: expressions over what is known of a unit."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from inexact.core.errors import SpecError, near

T = TypeVar("T")

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"abs": abs}


def names(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an expression may name, for one entry of `unit list --json`: every metric, costs, identity. None = not known."""
    relative, cost = row["relative_cost"] or {}, row["cost"]
    return {
        **row["metrics"],
        **{name: relative[name]["value"] if name in relative else None for name in ("energy", "area", "delay")},
        **{name: estimate["value"] if estimate else None for name, estimate in cost.items()},
        "settled_energy_pj": (row.get("settled_energy_pj") or {}).get("value"),
        "spec": row["spec"],
        "family": row["spec"].partition("(")[0],
        "kind": row["kind"],
        "signed": row["signed"],
        "width_a": row["width"][0],
        "width_b": row["width"][1],
    }


def selected(
    rows: Sequence[T],
    where: str | None,
    sort: str | None,
    known: Callable[[T], Mapping[str, Any]] = names,  # type: ignore[assignment]
) -> list[T]:
    """The rows for which `where` holds, least `sort` first; rows where a value it needs is not known are left out, or come last.

    known: what an expression may name, for one row.
    Raises SpecError for an expression that cannot be read, or that names what no unit has.
    """
    figures_of = [known(row) for row in rows]
    unknown = dict.fromkeys(name for figures in figures_of for name in figures)  # a wide unit has no rank, but others do
    found = [({**unknown, **figures}, row) for figures, row in zip(figures_of, rows, strict=True)]
    if where is not None:
        tree = _parsed("--where", where)
        found = [pair for pair in found if _value(tree, pair[0])]
    if sort is None:
        return [row for _, row in found]
    key = _parsed("--sort", sort)
    keyed = [(_value(key, figures), row) for figures, row in found]
    try:
        ordered = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0])
    except TypeError as error:
        raise SpecError(f"--sort must give values that can be ordered, not {sort!r}") from error
    return [row for _, row in ordered] + [row for value, row in keyed if value is None]


def _parsed(option: str, text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise SpecError(f"{option} must be an expression such as 'mred<0.02 and zero_exact', not {text!r}") from error


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:  # noqa: PLR0911  one return a kind of node
    """The value of an expression; None as soon as something in it is not known."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str()):
            return node.value
        case ast.Name(id=name):
            if name not in known:
                raise SpecError(f"no figure of a unit is called {name!r}{near(name, known)} Known: {', '.join(known)}")
            return known[name]
        case ast.BoolOp(op=op, values=values):
            found = (bool(_value(value, known)) for value in values)
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, known)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _applied(operator.neg, _value(operand, known))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _applied(_BINARY[type(op)], _value(left, known), _value(right, known))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _applied(_FUNCTIONS[name], _value(argument, known))
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            values = [_value(part, known) for part in (left, *others)]
            steps = zip(ops, values, values[1:], strict=False)
            return all(bool(_applied(_COMPARE[type(op)], x, y)) for op, x, y in steps)
    raise SpecError(f"an expression may hold figures, numbers, comparisons, and/or/not, + - * / and abs(), not {ast.unparse(node)!r}")


def _applied(function: Callable[..., Any], *values: Any) -> Any:
    if any(value is None for value in values):
        return None
    try:
        return function(*values)
    except (TypeError, ZeroDivisionError) as error:
        raise SpecError(f"figures cannot be combined so: {error}") from error
