"""Products of two activations that a network writes as function calls: finding them, giving them names, and emulating them.

`torch.matmul`, `bmm`, `mm`, `@` and `F.scaled_dot_product_attention` are seen through torch's function modes. While the module that
makes such a call runs, the call goes to a `Product` that was added to it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode, resolve_name

from inexact.core.errors import PlanError
from inexact.nn.attention import attend
from inexact.nn.products import Product

MATMULS = frozenset(
    {torch.matmul, torch.bmm, torch.mm, Tensor.matmul, Tensor.bmm, Tensor.mm, Tensor.__matmul__, Tensor.__rmatmul__, torch.linalg.matmul}
)
ATTENTION = F.scaled_dot_product_attention
OTHERS = frozenset(
    {
        *(F.linear, F.bilinear, F.multi_head_attention_forward),
        *(torch.conv1d, torch.conv2d, torch.conv3d, F.conv1d, F.conv2d, F.conv3d),
        *(torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
        *(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
        *(torch.einsum, torch.tensordot, torch.addmm, torch.baddbmm, torch.addbmm, torch.mv, torch.dot, torch.chain_matmul),
        *(Tensor.addmm, Tensor.baddbmm, Tensor.addbmm, Tensor.mv, Tensor.dot),
    }
)
"""Multiply and accumulate as well, but are not emulated: they are reported."""


@final
class Found:
    """What one pass over a network revealed.

    calls: those of each module, in order: "matmul", "attention", or "weights" (a matrix product with a parameter).

    others: "module: function" of the multiplications that stay in float32.
    """

    def __init__(self) -> None:
        self.calls: dict[str, list[str]] = {}
        self.others: list[str] = []


@final
class _Finder(TorchFunctionMode):
    def __init__(self, model: nn.Module, known: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self.found = Found()
        self.owners: list[tuple[str, nn.Module]] = []
        self.runs: list[list[str]] = []
        self.known = known
        self.weights = {p.untyped_storage().data_ptr() for p in (*model.parameters(), *model.buffers())}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.owners and not isinstance(self.owners[-1][1], self.known):
            self._note(func, (*args, *(kwargs or {}).values()), self.owners[-1][0])
        return func(*args, **(kwargs or {}))

    def _note(self, func: Any, args: tuple[Any, ...], owner: str) -> None:
        call = "attention" if func is ATTENTION else "matmul" if self._both_activations(args) else "weights"
        if func is ATTENTION or func in MATMULS:
            self.runs[-1].append(call)
        if func in OTHERS or (func in MATMULS and call == "weights"):
            text = f"{owner or 'the network itself'}: {(resolve_name(func) or str(func)).rpartition('.')[2]}"
            if text not in self.found.others:
                self.found.others.append(text)

    def _both_activations(self, args: tuple[Any, ...]) -> bool:
        tensors = [x for x in args[:2] if isinstance(x, Tensor)]
        return len(tensors) == 2 and all(x.dim() >= 2 and x.untyped_storage().data_ptr() not in self.weights for x in tensors)

    def enter(self, name: str, module: nn.Module) -> None:
        self.owners.append((name, module))
        self.runs.append([])

    def leave(self) -> None:
        (name, _), run = self.owners.pop(), self.runs.pop()
        # A module called several times makes the calls of its longest run.
        self.found.calls[name] = max(self.found.calls.get(name, []), run, key=len)


@torch.no_grad()
def find(model: nn.Module, inputs: Tensor, known: tuple[type[nn.Module], ...]) -> Found:
    """The multiplications written as function calls outside modules of the `known` kinds, found by running `inputs` once."""
    finder = _Finder(model, known)
    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda m, _, name=name: finder.enter(name, m)))
        handles.append(module.register_forward_hook(lambda *_: finder.leave(), always_call=True))
    try:
        with finder:
            model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    finder.found.calls = {name: calls for name, calls in finder.found.calls.items() if set(calls) - {"weights"}}
    return finder.found


def give_names(model: nn.Module, found: Found) -> None:
    """Add a `Product` for every call to the module that makes it, and send the calls there.

    The i-th matrix product of a module is called `matmul`, `matmul_1`, …; those of attention `qk` and `pv`, `qk_1` and `pv_1`, ….
    """
    for owner, calls in found.calls.items():
        module = model.get_submodule(owner)
        seen: Counter[str] = Counter()
        routes = []
        for call in calls:
            names = {"matmul": ("matmul",), "attention": ("qk", "pv"), "weights": ()}[call]
            suffix = f"_{seen[call]}" if seen[call] else ""
            seen[call] += 1
            for name in names:
                module.add_module(name + suffix, Product())
            routes.append((call, tuple(name + suffix for name in names)))
        Router(module, owner, tuple(routes)).attach()


@final
class Router:
    """Sends the products a module writes as calls to the children that stand for them, in order, while the module's own code runs.

    A plain object whose bound methods are hooks, so that a copy of the model gets routers of its own.
    """

    def __init__(self, module: nn.Module, name: str, routes: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
        self.module = module
        self.name = name
        self.routes = routes
        self.modes: list[_Routing | None] = []

    def attach(self) -> None:
        """Install the hooks; calls inside the module's children are theirs."""
        self.module.register_forward_pre_hook(self.begin)
        self.module.register_forward_hook(self.end, always_call=True)
        for child in self.module.children():
            for inner in child.modules() if isinstance(child, (nn.ModuleList, nn.ModuleDict)) else (child,):
                self.watch(inner)

    def watch(self, child: nn.Module) -> None:
        """Pause while this child runs."""
        child.register_forward_pre_hook(self.pause)
        child.register_forward_hook(self.end, always_call=True)

    def begin(self, *_: Any) -> None:
        """The module starts: from its first route."""
        mode = _Routing(self)
        mode.__enter__()  # type: ignore[no-untyped-call]
        self.modes.append(mode)

    def pause(self, *_: Any) -> None:
        """A child starts: its calls are not the module's."""
        self.modes.append(None)

    def end(self, *_: Any) -> None:
        """The module or a child ends."""
        mode = self.modes.pop()
        if mode is not None:
            mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    @property
    def active(self) -> bool:
        """Whether the module's own code runs."""
        return bool(self.modes) and self.modes[-1] is not None


@final
class _Routing(TorchFunctionMode):
    def __init__(self, router: Router) -> None:
        super().__init__()
        self.router = router
        self.next = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.router.active or not (func is ATTENTION or func in MATMULS):
            return func(*args, **kwargs)
        call, names = self._route(attention=func is ATTENTION)
        if call == "weights":
            return func(*args, **kwargs)
        products: list[nn.Module] = [self.router.module.get_submodule(name) for name in names]
        if call == "attention":
            return attend(*args, **kwargs, qk=products[0], pv=products[1])[0]
        first, second = (*args, *kwargs.values())[:2]
        return products[0](second, first) if func is Tensor.__rmatmul__ else products[0](first, second)

    def _route(self, *, attention: bool) -> tuple[str, tuple[str, ...]]:
        routes = self.router.routes
        if self.next >= len(routes) or (routes[self.next][0] == "attention") != attention:
            where = self.router.name or "the network itself"
            raise PlanError(
                f"products of activations must come in the order seen in calibration; call {self.next + 1} of {where} is new: "
                "write it as a module, nn.Product"
            )
        self.next += 1
        return routes[self.next - 1]


def take_over(old: nn.Module, new: nn.Module) -> None:
    """Let the routers that watch `old` watch `new`, which replaces it."""
    for hook in list(old._forward_pre_hooks.values()):
        router = getattr(hook, "__self__", None)
        if isinstance(router, Router):
            router.watch(new)
