"""A campaign: every attack of every maker once, judged on all networks; stopped, it goes on where it was."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from inexact.core.files import sha256
from inexact.nn import ApproxModel
from inexact.security.adversarial._audit import audit
from inexact.security.adversarial._base import Adversarial, Attack, attacks, distances
from inexact.security.adversarial._flags import numbers, written
from inexact.security.adversarial._networks import NAMES, Networks
from inexact.security.adversarial._pictures import pictures
from inexact.security.adversarial._randomised import RandomisedModel, redrawn, reseeded
from inexact.security.adversarial._settings import Cell, Settings
from inexact.security.adversarial._sources import adaptive_sources
from inexact.security.adversarial._substitute import substitute
from inexact.security.adversarial._target import Images, Target
from inexact.security.record import Record

Progress = Callable[[str, int, int], None]
"""Told (what was done, cells done, cells in all)."""
JUDGE = 1_000_003
"""Added to the seed where a randomised network is judged: the draws are not those the attacker saw."""


@final
class Campaign:
    """networks: float32, exact, approximate. images: attacked in order. path: the record, None to keep nothing.

    spare: other images, normalised and without labels, that an attacker may ask the network about (for the threat `substitute`).
    """

    def __init__(
        self, networks: Networks, images: Images, settings: Settings, *, spare: Tensor | None = None, path: Path | None = None
    ) -> None:
        self.networks = networks
        self.images = images
        self.settings = settings
        self.spare = spare
        self._stolen: dict[str, nn.Module] = {}
        for attack in settings.members():
            for epsilon in settings.strengths(attack) if attack.bounded else (0.0,):
                attack.check(images, epsilon)
        self.record = Record(path, known(networks.known(), images, settings.seed))

    def run(self, progress: Progress | None = None) -> dict[str, dict[str, Any]]:
        """All cells by key: those found in the record, and the others now. Raises AttackError for attacks that cannot be made."""
        cells = self.settings.cells()
        steps = len(cells) + len(NAMES)
        for done, name in enumerate(NAMES):
            self.record.part(f"audit {name}", functools.partial(audit, self.networks, name, self.images, self.settings.seed))
            self._tell(progress, f"gradients of {name}", done + 1, steps)
        for done, cell in enumerate(cells):
            self.record.part(cell.key, functools.partial(self._made, cell))
            self._tell(progress, cell.key, len(NAMES) + done + 1, steps)
        return self.record.parts

    @staticmethod
    def _tell(progress: Progress | None, what: str, done: int, steps: int) -> None:
        if progress is not None:
            progress(what, done, steps)

    def _made(self, cell: Cell) -> dict[str, Any]:
        attack = attacks.get(cell.attack)
        left = torch.ones(len(self.images), dtype=torch.bool)
        pixels = self.images.pixels.clone()
        total = {"queries": 0.0, "backward_passes": 0.0, "seconds": 0.0}
        after = []
        for place, (gradient, network) in enumerate(self._sources(cell)):
            seed = self.settings.seed + place
            target = Target(
                redrawn(network, seed), self.images.scaling, name=f"the {cell.maker.network} network", gives_gradients=gradient != "none"
            )
            found = attack(target, self.images.part(left), epsilon=cell.epsilon, seed=seed)
            pixels[left] = found.pixels
            _count(total, found, int(left.sum()), len(self.images))
            left[left.clone()] = ~found.broken if attack.bounded else torch.ones_like(found.broken)
            after.append([gradient, float(left.double().mean())])
            if not bool(left.any()):
                break
        return {
            "attack": attack.spec,
            "epsilon": cell.epsilon,
            "maker": cell.maker.key,
            "sources": after,
            **total,
            **self._judged(attack, pixels),
        }

    def _sources(self, cell: Cell) -> Iterator[tuple[str, nn.Module]]:
        maker = cell.maker
        if maker.gradient == "adaptive":
            yield from adaptive_sources(self.networks, maker.network)
        elif maker.gradient == "substitute":
            if maker.network not in self._stolen:
                self._stolen[maker.network] = substitute(self.networks, maker.network, self.spare, self.settings.seed)
            yield "substitute", self._stolen[maker.network]
        else:
            yield maker.gradient, self.networks.named(maker.network)

    def _judged(self, attack: Attack, pixels: Tensor) -> dict[str, Any]:
        """Which images every network still gets right, at any distance, and the distances."""
        made = Images(pixels=pixels, labels=self.images.labels, scaling=self.images.scaling)
        right = {name: self.judge(name).correct(made) for name in NAMES}
        return {
            "right": {name: written(flags) for name, flags in right.items()},
            "distance": numbers(distances(pixels - self.images.pixels, attack.measure)),
            "pictures": pictures(self.images.pixels, pixels, ~right["approximate"]),
        }

    def judge(self, name: str) -> Target:
        """A network that answers only; a randomised one with draws no attacker has seen."""
        network = reseeded(self.networks.named(name), self.settings.seed + JUDGE)
        return Target(network, self.images.scaling, name=name, gives_gradients=False)


def known(networks: Mapping[str, nn.Module], images: Images, seed: int) -> dict[str, Any]:
    """What cells depend on beside their keys, networks and images by their SHA-256."""
    return {
        "networks": {name: _digest(network) for name, network in networks.items()},
        "images": sha256(images.pixels.numpy().tobytes() + images.labels.numpy().tobytes()),
        "scaling": list(images.scaling),
        "seed": seed,
    }


def _count(total: dict[str, float], found: Adversarial, attacked: int, images: int) -> None:
    share = attacked / images
    total["queries"] += found.queries * share
    total["backward_passes"] += found.backward_passes * share
    total["seconds"] += found.seconds


def _digest(network: nn.Module) -> str:
    if isinstance(network, RandomisedModel):
        return sha256("".join(_digest(member) for member in network.members).encode())
    state = hashlib.sha256(network.plan.to_toml().encode() if isinstance(network, ApproxModel) else repr(network).encode())
    for name, value in sorted(network.state_dict().items()):
        state.update(name.encode())
        state.update(value.detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()
