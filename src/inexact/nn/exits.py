"""Early exit: small classifiers behind chosen modules of a network; an input goes no further once one of them is confident."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from inexact.core.errors import PlanError, near
from inexact.nn._data import device_of
from inexact.nn._fold import fold_batch_norm

CLOSED = 2.0
"""The threshold of a closed exit in a network: a number that no probability reaches."""


@final
@dataclass(frozen=True, kw_only=True)
class Exits:
    """The early exits of a plan.

    after: names of modules, in the order the network runs them; a small classifier reads the output of each. pool: rows and columns that
    its feature maps are averaged to, 1..8. An input leaves at the first exit whose largest softmax probability is above the threshold:
    tau, 0..1, one for all or one for each; or the smallest one for all that keeps the accuracy on validation data within `budget` points of
    float32. An exit with the threshold 1 is closed: none leaves there, and its classifier is neither computed nor charged.
    weights: file of the trained classifiers (`inexact net train-exits`), from the folder of the plan.

    Reference: P. Panda, A. Sengupta, K. Roy, Conditional deep learning for energy-efficient and enhanced pattern recognition, DATE 2016,
    arXiv:1509.08971; S. Teerapittayanon, B. McDanel, H. T. Kung, BranchyNet, ICPR 2016, arXiv:1709.01686
    """

    after: tuple[str, ...]
    tau: float | tuple[float, ...] | None = None
    budget: float | None = None
    pool: int = 4
    weights: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.after, list):
            object.__setattr__(self, "after", tuple(self.after))
        named = isinstance(self.after, tuple) and all(isinstance(name, str) for name in self.after)
        if not named or not self.after or len(set(self.after)) < len(self.after):
            raise PlanError(f"after of exits must be a list of different module names, not {self.after!r}")
        if (self.tau is None) == (self.budget is None):
            raise PlanError("exits must have either tau, the confidence an input leaves at, or budget, the points of accuracy it may cost")
        if isinstance(self.tau, list):
            object.__setattr__(self, "tau", tuple(self.tau))
        if isinstance(self.tau, tuple) and len(self.tau) != len(self.after):
            raise PlanError(f"tau of exits must be one number, or one for each of the {len(self.after)} exits, not {self.tau!r}")
        for tau in self.tau if isinstance(self.tau, tuple) else () if self.tau is None else (self.tau,):
            if not (_number(tau) and 0 < tau <= 1):
                raise PlanError(f"tau of exits must be above 0 and at most 1, not {tau!r}")
        if self.budget is not None and not (_number(self.budget) and 0 <= self.budget <= 100):
            raise PlanError(f"budget of exits must be 0..100 points, not {self.budget!r}")
        if isinstance(self.pool, bool) or not isinstance(self.pool, int) or not 1 <= self.pool <= 8:
            raise PlanError(f"pool of exits must be a whole number 1..8, not {self.pool!r}")
        if not isinstance(self.weights, str):
            raise PlanError(f"weights of exits must be the name of a file, not {self.weights!r}")

    def to_dict(self) -> dict[str, Any]:
        """For TOML: only what is set."""
        tau = list(self.tau) if isinstance(self.tau, tuple) else self.tau
        found = {"after": list(self.after), "tau": tau, "budget": self.budget, "pool": self.pool, "weights": self.weights}
        return {name: value for name, value in found.items() if value not in (None, "")}

    @classmethod
    def from_dict(cls, values: Any) -> Exits:
        """From a TOML table. Raises PlanError for unknown or missing entries."""
        known = tuple(cls.__dataclass_fields__)
        if not isinstance(values, dict) or "after" not in values:
            raise PlanError("[plan.exits] must be a table with after, a list of module names")
        for name in values:
            if name not in known:
                raise PlanError(f"[plan.exits] has no entry {name!r}{near(name, known)} Entries: {', '.join(known)}")
        return cls(**values)


@final
class ExitHead(nn.Module):
    """A linear classifier on a module's output, averaged to pool x pool places ([N, C, H, W]) or over places ([N, T, C])."""

    def __init__(self, features: Tensor, classes: int, pool: int) -> None:
        super().__init__()
        self.pool = pool
        self.linear = nn.Linear(self.flat(features).shape[1], classes)

    def flat(self, x: Tensor) -> Tensor:
        """[N, features]."""
        if x.dim() == 4:
            return functional.adaptive_avg_pool2d(x, (min(self.pool, x.shape[2]), min(self.pool, x.shape[3]))).flatten(1)
        return x.mean(1) if x.dim() == 3 else x

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes]."""
        found: Tensor = self.linear(self.flat(x))
        return found


@final
class ExitNetwork(nn.Module):
    """A network with exits; its modules keep their names, its classifiers are `exits.0.linear`, …

    Call it as the network: it gives the logits of the exit where each input leaves, [N, classes]. Everything is computed for every input
    here, but for the classifiers of closed exits; what hardware would not compute is in `reach`, float64 [exits + 1], the share of inputs
    that come to each classifier, the last being the network's own. tau: float64 [exits], the thresholds, 2 where an exit is closed.
    Both are buffers. stops: int64 [N], where the inputs of the last call left.
    """

    reach: Tensor
    tau: Tensor
    body: nn.Module
    stops: Tensor

    def __init__(self, body: nn.Module, after: tuple[str, ...], heads: nn.ModuleList) -> None:
        super().__init__()
        # The body is a skeleton: it runs the children of this module, so that whoever replaces one here replaces it there.
        self.__dict__["body"] = body
        self.__dict__["_parameters"] = body._parameters
        self.after = after
        self._modules.update(body._modules)
        self._buffers.update(body._buffers)
        self.exits = heads
        self.register_buffer("tau", torch.ones(len(after), dtype=torch.float64))
        self.register_buffer("reach", torch.ones(len(after) + 1, dtype=torch.float64))
        self.stops = torch.zeros(0, dtype=torch.int64)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Of each exit, as a plan has them: 1 where it is closed."""
        return tuple(min(tau, 1.0) for tau in self.tau.tolist())

    def set_thresholds(self, tau: float | tuple[float, ...]) -> None:
        """Fix the threshold of all exits, or one for each; 1 closes."""
        each = tau if isinstance(tau, tuple) else (tau,) * len(self.after)
        self.tau.copy_(torch.tensor([CLOSED if value >= 1 else value for value in each], dtype=torch.float64))

    def scores(self, x: Tensor, reader: Callable[[nn.Module, Tensor], Tensor] | None = None) -> list[Tensor]:
        """What `reader(head, its input)` gives for every head as the network comes to it, then the network's own logits."""
        found, last = self._read(x, range(len(self.after)), reader or (lambda head, features: head(features)))
        return [*found.values(), last]

    def _read(self, x: Tensor, places: Iterable[int], reader: Callable[[nn.Module, Tensor], Tensor]) -> tuple[dict[int, Tensor], Tensor]:
        found: dict[int, Tensor] = {}
        handles: list[RemovableHandle] = []
        for place in places:

            def tap(_module: nn.Module, _received: Any, output: Tensor, place: int = place) -> None:
                found[place] = reader(self.exits[place], output)

            handles.append(self.get_submodule(self.after[place]).register_forward_hook(tap))
        try:
            last = self._run_body(x)
        finally:
            for handle in handles:
                handle.remove()
        return found, last

    def _run_body(self, x: Tensor) -> Tensor:
        self.body._modules.update({name: module for name, module in self._modules.items() if name != "exits"})
        self.body._buffers.update({name: self._buffers[name] for name in self.body._buffers})
        self.body.training = self.training
        found: Tensor = self.body.forward(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Logits where each input leaves."""
        confidence: list[Tensor] = []

        def read(head: nn.Module, features: Tensor) -> Tensor:
            logits: Tensor = head(features)
            confidence.append(functional.softmax(logits, 1).amax(1).double())
            return logits

        scores, result = self._read(x, [place for place, tau in enumerate(self.tau.tolist()) if tau < CLOSED], read)
        stops = torch.full((len(x),), len(self.after), device=x.device)
        for place, confident in reversed(list(zip(scores, confidence, strict=True))):
            leaves = confident > self.tau[place]
            result = torch.where(leaves[:, None], scores[place], result)
            stops = torch.where(leaves, place, stops)
        self.stops = stops
        return result

    def without(self) -> nn.Module:
        """A copy of the network alone."""
        plain = copy.deepcopy(self)
        plain.body._modules.update({name: module for name, module in plain._modules.items() if name != "exits"})
        return plain.body


@torch.no_grad()
def with_exits(model: nn.Module, after: tuple[str, ...] | list[str], *, pool: int = 4, example: Tensor | None = None) -> ExitNetwork:
    """A copy of a classifier with untrained exits after the named modules, in eval mode and with its batch norms folded.

    example: one input, [1, …]; by default zeros of the shape the network carries as `input_shape`. Raises PlanError for modules that do
    not exist or do not run once, in this order.
    """
    after = Exits(after=tuple(after), tau=1.0, pool=pool).after
    body = copy.deepcopy(model).eval()
    fold_batch_norm(body)
    modules = {name: module for name, module in body.named_modules() if name}
    for name in after:
        if name not in modules:
            raise PlanError(f"exits must come after modules of the network; there is no {name!r}{near(name, modules)}")
    if "exits" in modules:
        raise PlanError("a network with a module called 'exits' cannot be given exits; rename it")
    shape = getattr(model, "input_shape", None)
    if example is None and shape is None:
        raise PlanError("an example input must be given to put exits into a network that carries no input_shape")
    x = torch.zeros(1, *(shape or ()), device=device_of(model)) if example is None else example[:1]
    seen, classes = _outputs(body, after, x)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        heads = nn.ModuleList(ExitHead(features, classes, pool) for features in seen)
    found = ExitNetwork(body, after, heads.to(x.device)).eval()
    if shape is not None:
        found.input_shape = shape
    return found


def _outputs(body: nn.Module, after: tuple[str, ...], x: Tensor) -> tuple[list[Tensor], int]:
    """What the modules give for x, in order, and the number of classes."""
    seen: list[tuple[str, Tensor]] = []
    handles = [
        body.get_submodule(name).register_forward_hook(lambda _m, _i, output, name=name: seen.append((name, output))) for name in after
    ]
    try:
        classes = int(body(x).shape[1])
    finally:
        for handle in handles:
            handle.remove()
    order = [name for name, _ in seen]
    if order != list(after):
        raise PlanError(f"exits must come after modules that run once, in the order they run; the network ran {', '.join(order) or 'none'}")
    return [output for _, output in seen], classes


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def exits_of(model: nn.Module) -> ExitNetwork | None:
    """The network with exits in a model (an `ApproxModel` or itself), or None."""
    return next((module for module in model.modules() if isinstance(module, ExitNetwork)), None)
