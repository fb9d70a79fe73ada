"""How the sums of a layer or product are formed: one file for each kind of format, chosen here from the rule."""

from inexact.nn._arithmetic._base import CodeArithmetic
from inexact.nn._arithmetic.blocks import BlockArithmetic
from inexact.nn._arithmetic.exact import ExactArithmetic
from inexact.nn._arithmetic.numbers import NumberArithmetic
from inexact.nn._arithmetic.tables import TableArithmetic
from inexact.nn._arithmetic.wide import WideArithmetic
from inexact.nn._rule import Rule
from inexact.precision import Block

__all__ = ["CodeArithmetic", "arithmetic_of"]


def arithmetic_of(rule: Rule, window: int | None) -> CodeArithmetic:
    """The arithmetic of a rule. window: products of one sum; None where that differs from input to input."""
    elements = _of_elements(rule, window)
    return BlockArithmetic(rule=rule, form=rule.format, elements=elements) if isinstance(rule.format, Block) else elements


def _of_elements(rule: Rule, window: int | None) -> CodeArithmetic:
    if rule.format.system is not None:
        return NumberArithmetic(rule=rule)
    if rule.exact:
        return ExactArithmetic(rule=rule, window=window)
    return WideArithmetic(rule=rule) if rule.wide else TableArithmetic(rule=rule)
