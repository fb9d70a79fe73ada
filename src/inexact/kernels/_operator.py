"""Operators of torch defined without `torch.library.custom_op`, whose first call imports torch's compiler: two seconds, and 60 MB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

library = torch.library.Library("inexact", "FRAGMENT")  # type: ignore[no-untyped-call]


def operator(name: str) -> Callable[[Kernel], Kernel]:
    """Decorator: the function becomes `inexact::name` on every device, without a derivative; what is left is the operator.

    Its annotations are its schema; it must return tensors of its own and change none it is given.
    """

    def define(kernel: Kernel) -> Kernel:
        schema = torch.library.infer_schema(kernel, mutates_args=(), op_name=name)
        library.define(schema)  # type: ignore[no-untyped-call]
        library.impl(name, kernel, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
        return cast(Kernel, getattr(torch.ops.inexact, name).default)

    return define


def shaped(name: str) -> Callable[[Kernel], Kernel]:
    """Decorator: the function gives the result of `inexact::name` its shape and type where tensors hold no values."""
    return cast(Callable[[Kernel], Kernel], torch.library.register_fake(f"inexact::{name}", lib=library))
