"""AutoAttack: several attacks without parameters to tune, one after the other on what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, require_range
from inexact.security.adversarial._base import Attack, attacks, check_norm
from inexact.security.adversarial._packages import package
from inexact.security.adversarial._target import Images, Target
from inexact.security.adversarial.square import PACKAGE_NORMS

PARTS = ("apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square")


@attacks.register("auto_attack")
@final
@dataclass(frozen=True, kw_only=True)
class AutoAttack(Attack):
    """APGD on cross-entropy, targeted APGD, targeted FAB and Square, each on the images that survived those before; run by pyautoattack.

    The defaults are the published standard version: steps 100 and targets 9 of APGD and FAB, 5000 queries of Square. norm: "linf" or "l2".
    parts: of apgd-ce, apgd-dlr, apgd-t, fab-t, square. Targets are at most classes - 1.

    Reference: F. Croce, M. Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
    ICML 2020, arXiv 2003.01690
    """

    norm: str = "linf"
    steps: int = 100
    targets: int = 9
    queries: int = 5000
    parts: tuple[str, ...] = ("apgd-ce", "apgd-t", "fab-t", "square")
    needs: ClassVar[str] = "gradients"
    bounded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_norm(self.norm)
        for name, high in (("steps", 10_000), ("targets", 1000), ("queries", 10**6)):
            require_range(name, getattr(self, name), 1, high)
        object.__setattr__(self, "parts", (self.parts,) if isinstance(self.parts, str) else tuple(self.parts))
        if not self.parts or not set(self.parts) <= set(PARTS):
            raise SpecError(f"parts of auto_attack must be of {', '.join(PARTS)}, not {', '.join(map(str, self.parts)) or 'none'}")

    @property
    def measure(self) -> str:
        """The norm."""
        return self.norm

    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """All parts."""
        classes = int(target(images.pixels[:1]).shape[1])
        seed = int(torch.randint(2**31, ()))
        norm, targets = PACKAGE_NORMS[self.norm], min(self.targets, classes - 1)
        method = package("pyautoattack").AutoAttack(target, attacks=list(self.parts), version="custom", norm=norm, eps=epsilon, seed=seed)
        method.logger.disabled = True  # what it warns of is what our own alarms measure
        descent = package("pyautoattack.autopgd_base")
        common = {"n_iter": self.steps, "n_restarts": 1, "eps": epsilon, "norm": norm, "seed": seed, "logger": method.logger}
        method.apgd = descent.APGDAttack(target, **common, device="cpu")
        method.apgd_targeted = descent.APGDAttack_targeted(target, **common, n_target_classes=targets, device="cpu")
        method.fab.n_iter, method.fab.n_restarts, method.fab.n_target_classes = self.steps, 1, targets
        method.square.n_queries = self.queries
        found, _ = method.run_standard_evaluation(images.pixels, images.labels, batch_size=len(images))
        result: Tensor = found
        return result

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """A short one in each norm."""
        short = {"steps": 5, "targets": 2, "queries": 10}
        return [cls(**short), cls(norm="l2", parts=("apgd-ce", "apgd-dlr"), **short)]  # type: ignore[arg-type]
