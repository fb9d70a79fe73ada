"""The liberty format as nested groups: what stands in a file, before anything is understood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from inexact.core.errors import LibraryError

_TOKEN = re.compile(r'\s+|\\\r?\n|/\*.*?\*/|//[^\n]*|"((?:[^"\\]|\\.|\\\n)*)"|([{}();:,])|([^\s{}();:,"\\]+)|(.)', re.DOTALL)


@dataclass(slots=True)
class Group:
    """`kind (arguments) { … }`. simple: `name : value;`, complex: `name (a, b);`, groups: those inside, in order."""

    kind: str
    arguments: tuple[str, ...]
    line: int
    simple: dict[str, str] = field(default_factory=dict)
    complex: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def inside(self, kind: str) -> Iterator[Group]:
        """The groups of one kind."""
        return (group for group in self.groups if group.kind == kind)

    def numbers(self, name: str) -> list[float] | None:
        """All numbers of a complex attribute such as `index_1 ("0.1, 0.2")`, or None when it is missing."""
        found = self.complex.get(name)
        if not found:
            return None
        return [float(word) for argument in found[0] for word in argument.replace("\\", " ").replace(",", " ").split()]


def parsed(text: str, name: str) -> Group:
    """The top group, `library (…) { … }`. name: of the file, for messages. LibraryError says at which line it stops being liberty."""
    top = _Reader(text, name).statement()
    if not isinstance(top, Group) or top.kind != "library":
        raise LibraryError(f"{name} must be a liberty file that begins with library (NAME) {{")
    return top


_Token = tuple[str, str, int]
"""Kind ('word', 'string', the character itself, '' at the end), text, line."""


class _Reader:
    """Walks over the tokens of a file."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._tokens = list(_tokens(text, file))
        self._at = 0

    def statement(self) -> Group | tuple[str, str] | tuple[str, tuple[str, ...]]:
        """The next statement: a group, a simple attribute `(name, value)` or a complex one `(name, arguments)`."""
        kind, name, line = self._next()
        if kind not in {"word", "string"}:
            raise self._error(line, f"a name must stand here, not {name or 'the end of the file'}")
        mark = self._next()[0]
        if mark == ":":
            return name, self._value(name, line)
        if mark != "(":
            raise self._error(line, f"{name} must be followed by ':' or '('")
        arguments = self._arguments(name, line)
        if self._peek()[0] != "{":
            if self._peek()[0] == ";":
                self._next()
            return name, arguments
        self._next()
        return self._group(name, arguments, line)

    def _group(self, name: str, arguments: tuple[str, ...], line: int) -> Group:
        group = Group(name, arguments, line)
        while (kind := self._peek()[0]) != "}":
            if kind == "":
                raise self._error(line, f"{name} ({', '.join(arguments)}) must be closed by '}}'")
            if kind == ";":
                self._next()
                continue
            found = self.statement()
            if isinstance(found, Group):
                group.groups.append(found)
            elif isinstance(found[1], str):
                group.simple[found[0]] = found[1]
            else:
                group.complex.setdefault(found[0], []).append(found[1])
        self._next()
        return group

    def _value(self, name: str, line: int) -> str:
        words: list[str] = []
        while (token := self._peek())[0] != ";" and token[2] == line:
            if token[0] in {"{", "}", ""}:
                break
            words.append(self._next()[1])
        if not words:
            raise self._error(line, f"{name} must have a value")
        return " ".join(words)

    def _arguments(self, name: str, line: int) -> tuple[str, ...]:
        found: list[str] = []
        while (token := self._next())[0] != ")":
            if token[0] in {"{", "}", ";", ""}:
                raise self._error(line, f"the arguments of {name} must be closed by ')'")
            if token[0] != ",":
                found.append(token[1])
        return tuple(found)

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "", self._tokens[-1][2] if self._tokens else 1)

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _error(self, line: int, text: str) -> LibraryError:
        return LibraryError(f"{self._file}, line {line}: {text}")


def _tokens(text: str, file: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        string, mark, word, other = match.groups()
        if word is not None:
            yield "word", word, line
        elif mark is not None:
            yield mark, mark, line
        elif string is not None:
            yield "string", string, line
        elif other is not None and other != "\\":
            raise LibraryError(f"{file}, line {line}: {other!r} has no meaning in a liberty file")
        line += match.group().count("\n")
