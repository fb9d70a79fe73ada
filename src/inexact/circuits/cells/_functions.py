"""Boolean functions in liberty's notation: `!A`, `A'`, `A B`, `A*B`, `A&B`, `A+B`, `A|B`, `A^B`, brackets, 0, 1."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inexact.core.errors import LibraryError

MAX_INPUTS = 6
"""A truth table is one 64-bit word."""

_TOKEN = re.compile(r"\s*([A-Za-z_][\w\[\].]*|[()!'*&+|^01])")


def truth_table(function: str, inputs: Sequence[str], where: str) -> int:
    """Bit i of the result: the function's value when input j has bit j of i. At most six inputs.

    where: the cell and pin, for messages. Raises LibraryError when it cannot be read, or names something that is no input.
    """
    if len(inputs) > MAX_INPUTS:
        raise LibraryError(f"{where} must have at most {MAX_INPUTS} inputs, not {len(inputs)}")
    rows = 1 << len(inputs)
    columns = {name: sum(1 << row for row in range(rows) if row >> place & 1) for place, name in enumerate(inputs)}
    return _Parser(function, columns, (1 << rows) - 1, where).result()


class _Parser:
    """Recursive descent over whole columns of the truth table: or, then exclusive or, then and, then not."""

    def __init__(self, text: str, columns: dict[str, int], ones: int, where: str) -> None:
        self._text = text
        self._columns = columns
        self._ones = ones
        self._where = where
        self._tokens: list[str] = []
        place, end = 0, len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._error()
            self._tokens.append(match[1])
            place = match.end()
        self._at = 0

    def result(self) -> int:
        value = self._or()
        if self._at != len(self._tokens):
            raise self._error()
        return value

    def _or(self) -> int:
        value = self._xor()
        while self._take("+", "|"):
            value |= self._xor()
        return value

    def _xor(self) -> int:
        value = self._and()
        while self._take("^"):
            value ^= self._and()
        return value

    def _and(self) -> int:
        value = self._not()
        while self._take("*", "&") or (self._at < len(self._tokens) and (self._tokens[self._at] in "!(01" or self._is_name())):
            value &= self._not()
        return value

    def _not(self) -> int:
        if self._take("!"):
            return self._ones ^ self._not()
        value = self._atom()
        while self._take("'"):
            value ^= self._ones
        return value

    def _atom(self) -> int:
        if self._take("("):
            value = self._or()
            if not self._take(")"):
                raise self._error()
            return value
        if self._at >= len(self._tokens):
            raise self._error()
        token = self._tokens[self._at]
        self._at += 1
        if token in "01":
            return self._ones * int(token)
        if token not in self._columns:
            raise LibraryError(
                f"{self._where}: {token!r} in {self._text!r} must be one of the inputs {', '.join(self._columns) or '(none)'}"
            )
        return self._columns[token]

    def _is_name(self) -> bool:
        return self._tokens[self._at][0].isalpha() or self._tokens[self._at][0] == "_"

    def _take(self, *marks: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] in marks
        self._at += found
        return found

    def _error(self) -> LibraryError:
        return LibraryError(f"{self._where}: {self._text!r} must be a Boolean function such as '!(A B)'")
