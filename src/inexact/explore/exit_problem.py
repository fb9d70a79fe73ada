"""A network with trained early exits inside a problem: is it the network's own, what does it compute, where do images leave."""

from __future__ import annotations

import copy
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from inexact.core.errors import PlanError
from inexact.core.workload import Workload
from inexact.explore.exits import CLOSED
from inexact.explore.pool import Pool
from inexact.explore.watch import Watch
from inexact.nn import ApproxModel, ExitHead, ExitNetwork, exits_of, reach_of, workload

OPEN = 0.5
"""Any threshold that leaves an exit open."""


@final
class ExitProblem:
    """network: with trained exits; model: the same without. Raises PlanError when they answer differently on `images`."""

    @torch.no_grad()
    def __init__(self, network: ExitNetwork, model: nn.Module, images: Tensor) -> None:
        own, base = network.eval().scores(images[:8])[-1], model(images[:8])
        if own.shape != base.shape or not torch.allclose(own, base, rtol=1e-3, atol=1e-3 * float(base.abs().max())):
            raise PlanError("exits of a study must be those of its network, whose weights are others: train them with net train-exits")
        self.network = network
        first = network.exits[0]
        assert isinstance(first, ExitHead)
        self.pool = first.pool

    def workloads(self, shape: tuple[int, ...]) -> dict[tuple[bool, ...], Workload]:
        """For every choice of closed exits the layers that are left, those of a network that somebody always runs to its end."""
        found = {}
        for closed in itertools.product((False, True), repeat=len(self.network.after)):
            network = copy.deepcopy(self.network)
            network.set_thresholds(tuple(CLOSED if shut else OPEN for shut in closed))
            found[closed] = workload(network, shape)
        return found

    def digest(self) -> str:
        """Hex SHA-256 of places and weights of the classifiers."""
        digest = hashlib.sha256(repr((self.network.after, self.pool)).encode())
        for value in self.network.exits.state_dict().values():
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


@torch.no_grad()
def scores_of(net: ApproxModel, pool: Pool, watch: Watch) -> list[Tensor]:
    """Logits float32 [N, classes] of every classifier, the network's own last."""
    network = exits_of(net)
    assert network is not None  # only asked of networks with exits
    found = []
    for images, _ in pool.batches():
        found.append(network.scores(images))
        watch.step(len(images))
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


@final
class Leavers:
    """Counts how many images leave at each classifier of a network with exits; nothing of others."""

    def __init__(self) -> None:
        self.counts = torch.zeros(0, dtype=torch.int64)

    @property
    def images(self) -> int:
        """Images seen."""
        return int(self.counts.sum())

    @contextmanager
    def watching(self, net: ApproxModel) -> Iterator[None]:
        """Count what a network classifies meanwhile."""
        network = exits_of(net)
        if network is None:
            yield
            return
        handle = network.register_forward_hook(self._count)
        try:
            yield
        finally:
            handle.remove()

    def _count(self, network: nn.Module, _received: Any, _output: Tensor) -> None:
        assert isinstance(network, ExitNetwork)
        found = torch.bincount(network.stops.cpu(), minlength=len(network.after) + 1)
        self.counts = found + self.counts if len(self.counts) else found

    def settle(self, net: ApproxModel) -> dict[str, Any]:
        """Give a network the counted shares, so that it is charged by them; what is told of them, empty without exits."""
        network = exits_of(net)
        if network is None or not self.images:
            return {}
        shares = (self.counts.double() / self.images).tolist()
        network.reach.copy_(torch.tensor(reach_of(shares)))
        places = zip((*network.after, "end"), (*network.thresholds, None), shares, strict=True)
        return {"exits": {"images": self.images, "leave": [{"after": name, "tau": tau, "share": share} for name, tau, share in places]}}
