"""Families of techniques: members register under a name, are found by importing the family's folder, and are written as specs.

A *spec* is a call with named arguments, `"trunc(cut=4)"`; parameters at their default are left out, so equal members have equal specs.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from inexact.core.errors import SpecError, UnknownNameError, near

T = TypeVar("T")


class Family(Generic[T]):
    """A named set of dataclasses that share a base.

    noun: what a member is called in messages ("multiplier").
    package: the package whose modules register the members; imported on first look-up.
    Third parties add members through the entry point group `inexact.<noun>`: the entry is a module to import.
    """

    def __init__(self, noun: str, package: str) -> None:
        self.noun = noun
        self.package = package
        self._members: dict[str, type[T]] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: make the class known under `name` (a Python identifier)."""

        def add(cls: type[T]) -> type[T]:
            known = self._members.get(name)
            if known is not None and known.__qualname__ != cls.__qualname__:
                raise SpecError(f"{self.noun} name {name!r} is taken by {known.__module__}.{known.__qualname__}; choose another")
            self._members[name] = cls
            cls.family_name = name  # type: ignore[attr-defined]
            return cls

        return add

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        from importlib.metadata import entry_points  # 40 ms that a command which looks nothing up need not wait

        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        for entry in entry_points(group=f"inexact.{self.noun}"):
            entry.load()

    def __getitem__(self, name: str) -> type[T]:
        self._load()
        if name not in self._members:
            raise UnknownNameError(
                f"no {self.noun} is called {name!r}{near(name, self._members)} Known: {', '.join(sorted(self._members))}"
            )
        return self._members[name]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._members))

    def items(self) -> list[tuple[str, type[T]]]:
        """(name, class) of every member, sorted by name."""
        return [(name, self[name]) for name in self]

    def get(self, spec: str | T) -> T:
        """The member a spec describes; a member is returned as it is.

        Raises SpecError for malformed specs, unknown parameters and what is neither member nor spec, UnknownNameError for unknown names.
        """
        if isinstance(spec, str):
            return self._build(parse_call(spec), spec)
        if not dataclasses.is_dataclass(spec) or isinstance(spec, type):
            shown = spec.__name__ if isinstance(spec, type) else repr(spec)
            raise SpecError(f"a {self.noun} must be given as an object or as a spec such as 'name(key=value)', not {shown}")
        return spec

    def _build(self, node: ast.Call, spec: str) -> T:
        name = _called_name(node, spec)
        cls = self[name]
        fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
        if node.args:
            raise SpecError(f"arguments of {name} must be named, as in '{name}({next(iter(fields), 'x')}=…)', not {spec!r}")
        values: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in fields:
                raise SpecError(
                    f"{name} has no parameter {keyword.arg!r}{near(str(keyword.arg), fields)} Parameters: {', '.join(fields) or 'none'}"
                )
            if isinstance(keyword.value, ast.Call) and fields[keyword.arg].metadata.get("foreign"):
                # the member belongs to another family, which the field's owner asks
                values[keyword.arg] = ast.unparse(keyword.value)
            elif isinstance(keyword.value, ast.Call):
                values[keyword.arg] = self._build(keyword.value, spec)
            else:
                values[keyword.arg] = _literal(keyword.value, spec)
        try:
            return cls(**values)
        except TypeError as error:
            raise SpecError(f"{spec!r} does not describe a {self.noun}: {error}") from error


def parse_call(spec: str) -> ast.Call:
    """The syntax tree of `name` or `name(key=value, …)`; SpecError when it is neither."""
    try:
        node = ast.parse(spec.strip(), mode="eval").body
    except SyntaxError as error:
        raise SpecError(f"a spec must look like 'name(key=value, ...)', not {spec!r}") from error
    if isinstance(node, ast.Name):
        return ast.Call(func=node, args=[], keywords=[])
    if not isinstance(node, ast.Call):
        raise SpecError(f"a spec must look like 'name(key=value, ...)', not {spec!r}")
    return node


def calls_of(spec: str) -> list[ast.Call]:
    """The syntax trees of the calls in `name(key=value, …) + name + …`, in order; SpecError when it is no such sum."""
    try:
        node = ast.parse(spec.strip(), mode="eval").body
    except SyntaxError as error:
        raise SpecError(f"a spec must look like 'name(key=value, ...)' or a sum of such, not {spec!r}") from error
    parts: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts.append(node.right)
        node = node.left
    return [parse_call(ast.unparse(part)) for part in (node, *reversed(parts))]


def _called_name(node: ast.Call, spec: str) -> str:
    if not isinstance(node.func, ast.Name):
        raise SpecError(f"a spec must start with a plain name, not {spec!r}")
    return node.func.id


def _literal(node: ast.expr, spec: str) -> Any:
    if isinstance(node, ast.Name):
        return {"true": True, "false": False}.get(node.id, node.id)
    if isinstance(node, ast.Tuple):
        return tuple(_literal(item, spec) for item in node.elts)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise SpecError(f"values in a spec must be numbers, names, strings or tuples: {spec!r}") from error


def spec_of(member: Any) -> str:
    """The canonical spec of a registered dataclass: name and the parameters that differ from their defaults.

    A field with metadata `{"written": True}` (a technique's principal parameter) is always written: "trunc(cut=4)". One with
    `{"foreign": True}` holds a member of another family; reading a spec hands it over as text.
    """
    parts = []
    for field in dataclasses.fields(member):
        value = getattr(member, field.name)
        if field.init and (value != _default(field) or field.metadata.get("written")):
            parts.append(f"{field.name}={_written(value)}")
    name: str = member.family_name
    return f"{name}({','.join(parts)})" if parts else name


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if value.isidentifier() else repr(value)
    if isinstance(value, tuple):
        if len(value) == 2 and value[0] == value[1]:
            return _written(value[0])
        return "(" + ",".join(_written(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    if dataclasses.is_dataclass(value):
        return spec_of(value)
    return repr(value)
