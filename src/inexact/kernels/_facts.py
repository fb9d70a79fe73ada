"""What is known of a tensor, kept while nobody writes to it."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Generic, TypeVar, final

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

T = TypeVar("T")


@final
class Facts(Generic[T]):
    """Remembers `find(tensor)` for as long as the tensor lives and autograd's version counter sees no write to it."""

    def __init__(self, find: Callable[[Tensor], T]) -> None:
        self._find = find
        self._known: MutableMapping[Tensor, tuple[int, T]] = WeakTensorKeyDictionary()

    def of(self, tensor: Tensor) -> T:
        """The facts of `tensor`."""
        if tensor.is_inference():  # writes to it are not counted
            return self._find(tensor)
        known = self._known.get(tensor)
        if known is None or known[0] != tensor._version:
            known = (tensor._version, self._find(tensor))
            self._known[tensor] = known
        return known[1]
