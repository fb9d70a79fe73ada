"""Verilog's structural expressions: tokens, syntax trees of bitwise operators, widths."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inexact.core.errors import CircuitError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/|\(\*(?!\s*\)).*?\*\))
  | (?P<directive>`[^\n]*)
  | (?P<string>"[^"\n]*")
  | (?P<number>\d*\s*'\s*[sS]?[bBoOdDhH]\s*[0-9a-fA-FxXzZ?_]+|\d+)
  | (?P<escaped>\\[^\s]+)
  | (?P<name>[A-Za-z_$][\w$]*)
  | (?P<symbol>~\^|\^~|~&|~\||&&|\|\||<<|>>|<=|>=|==|!=|[-+*/%<>(){}\[\],;:?=.~!&|^@\#])
    """,
    re.VERBOSE | re.DOTALL,
)
_BEHAVIOUR = "describes behaviour, not structure; put the file through a synthesis tool first (yosys: synth -flatten; write_verilog)"


@dataclass(frozen=True)
class Token:
    """kind: name, number, symbol or end; line: 1-based."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class Expression:
    """kind: "net" (name, high, low: the bits selected, None = all), "constant" (bits), "concat" (parts), "not", "reduce" (name: & | ^),
    "binary" (name: & | ^ ~^), "mux" (parts: condition, then, else), "truth" (parts: the one bit OR of all, as && || ! need).
    """

    kind: str
    line: int
    name: str = ""
    parts: tuple[Expression, ...] = ()
    bits: tuple[int, ...] = ()
    high: int | None = None
    low: int | None = None


def tokens_of(text: str, file: str) -> list[Token]:
    """Tokens without comments, attributes and directives; CircuitError at a character that is none."""
    found, place, line = [], 0, 1
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise CircuitError(f"{file}, line {line}: {text[place]!r} must not stand here; is this Verilog?")
        kind, content = str(match.lastgroup), match.group()
        if kind == "directive" and re.match(r"`(define|ifdef|ifndef|include|else|elsif|endif)\b", content):
            raise CircuitError(f"{file}, line {line}: {content.split()[0]} must be expanded first (yosys, or cpp)")
        if kind == "escaped":
            found.append(Token("name", content, line))
        elif kind not in {"space", "directive"}:
            found.append(Token(kind, content, line))
        line += content.count("\n")
        place = match.end()
    return [*found, Token("end", "end of file", line)]


class Cursor:
    """Reads tokens one after the other."""

    def __init__(self, tokens: list[Token], file: str) -> None:
        self.file = file
        self._tokens = tokens
        self._place = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._place]

    @property
    def line(self) -> int:
        """Its line."""
        return self.token.line

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of `texts`."""
        return self.token.kind in {"symbol", "name"} and self.token.text in texts

    def take(self, *texts: str) -> bool:
        """Skip the next token if it is one of `texts`."""
        found = self.at(*texts)
        self._place += int(found)
        return found

    def expect(self, text: str) -> None:
        """Skip `text`, or CircuitError."""
        if not self.take(text):
            raise self.error(f"{text!r} must stand here, not {self.token.text!r}")

    def next(self) -> Token:
        """The next token, skipped."""
        token = self.token
        self._place += int(token.kind != "end")
        return token

    def name(self) -> str:
        """An identifier, skipped, or CircuitError."""
        if self.token.kind != "name":
            raise self.error(f"a name must stand here, not {self.token.text!r}")
        return self.next().text

    def integer(self) -> int:
        """A plain number, skipped, or CircuitError."""
        if self.token.kind != "number" or not self.token.text.isdecimal():
            raise self.error(f"a number must stand here, not {self.token.text!r}; parameters must be expanded first")
        return int(self.next().text)

    def error(self, text: str) -> CircuitError:
        """A CircuitError that says where."""
        return CircuitError(f"{self.file}, line {self.line}: {text}")

    def behavioural(self, what: str) -> CircuitError:
        """A CircuitError for what is no structure."""
        return self.error(f"{what!r} {_BEHAVIOUR}")


_BINARY = (("||",), ("&&",), ("|",), ("^", "~^", "^~"), ("&",))
MAX_BITS = 1 << 16


def expression(c: Cursor) -> Expression:
    """A whole expression."""
    condition = _binary(c, 0)
    if not c.at("?"):
        return condition
    line = c.next().line
    chosen = expression(c)
    c.expect(":")
    return Expression("mux", line, parts=(_truth(condition), chosen, expression(c)))


def _binary(c: Cursor, level: int) -> Expression:
    if level == len(_BINARY):
        return _unary(c)
    left = _binary(c, level + 1)
    while c.at(*_BINARY[level]):
        token = c.next()
        right = _binary(c, level + 1)
        if token.text in {"&&", "||"}:
            left = Expression("binary", token.line, token.text[0], (_truth(left), _truth(right)))
        else:
            left = Expression("binary", token.line, "~^" if token.text == "^~" else token.text, (left, right))
    if c.at("+", "-", "*", "/", "%", "<<", ">>", "<", ">", "==", "!=", "<=", ">="):
        raise c.behavioural(c.token.text)
    return left


def _unary(c: Cursor) -> Expression:
    line = c.line
    if c.take("~"):
        return Expression("not", line, parts=(_unary(c),))
    if c.take("!"):
        return Expression("not", line, parts=(_truth(_unary(c)),))
    for text in ("~&", "~|", "~^", "^~", "&", "|", "^"):
        if c.take(text):
            reduced = Expression("reduce", line, text.strip("~"), (_unary(c),))
            return Expression("not", line, parts=(reduced,)) if "~" in text else reduced
    if c.at("+", "-"):
        raise c.behavioural(c.token.text)
    return _primary(c)


def _primary(c: Cursor) -> Expression:
    line = c.line
    if c.take("("):
        inner = expression(c)
        c.expect(")")
        return inner
    if c.take("{"):
        return _braces(c, line)
    if c.token.kind == "number":
        return _constant(c)
    name = c.name()
    if name.startswith("$") or c.at("("):
        raise c.behavioural(name)
    high = low = None
    if c.take("["):
        high = low = c.integer()
        if c.take(":"):
            low = c.integer()
        c.expect("]")
    return Expression("net", line, name, high=high, low=low)


def _braces(c: Cursor, line: int) -> Expression:
    first = expression(c)
    if c.take("{"):
        if first.kind != "constant":
            raise c.error("a repetition must be a number, as in {4{x}}")
        parts = [expression(c)]
        while c.take(","):
            parts.append(expression(c))
        c.expect("}")
        c.expect("}")
        count = sum(bit << place for place, bit in enumerate(first.bits))
        if count > MAX_BITS:
            raise c.error(f"a repetition must be at most {MAX_BITS} times, not {count}")
        return Expression("concat", line, parts=tuple(parts) * count)
    parts = [first]
    while c.take(","):
        parts.append(expression(c))
    c.expect("}")
    return Expression("concat", line, parts=tuple(parts))


def _constant(c: Cursor) -> Expression:
    token = c.next()
    width, quote, digits = token.text.replace("_", "").replace(" ", "").partition("'")
    if not quote:
        return Expression("constant", token.line, bits=tuple((int(width) >> place) & 1 for place in range(32)))
    digits = digits.lstrip("sS")
    base = {"b": 2, "o": 8, "d": 10, "h": 16}[digits[0].lower()]
    if re.search(r"[xXzZ?]", digits):
        raise c.error(f"a constant must be 0s and 1s, not {token.text}")
    try:
        value = int(digits[1:], base)
    except ValueError as error:
        raise c.error(f"{token.text} is no number") from error
    return Expression("constant", token.line, bits=tuple((value >> place) & 1 for place in range(int(width or 32))))


def _truth(inner: Expression) -> Expression:
    return Expression("reduce", inner.line, "|", (inner,))
