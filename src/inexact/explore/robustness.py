"""How many images an attack turns wrong, as an objective of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

from torch import nn

from inexact.core.errors import DataError
from inexact.explore.pool import Pool
from inexact.explore.settings import Settings
from inexact.nn import Data
from inexact.security.adversarial import Attack, Images, Target, attacks, images_of
from inexact.zoo import Dataset


@final
@dataclass(frozen=True, kw_only=True)
class Robustness:
    """attack: None when the study does not ask for it; epsilon: in pixels 0..1; images: of the validation data."""

    attack: Attack | None
    epsilon: float
    images: Images | None
    seed: int

    @classmethod
    def of(cls, settings: Settings, data: Data, pool: Pool) -> Self:
        """What the settings ask for.

        Raises DataError for data that do not know how their pixels were normalised, AttackError for an epsilon out of the attack's range.
        """
        if "robust_accuracy" not in settings.objectives:
            return cls(attack=None, epsilon=0.0, images=None, seed=settings.seed)
        if not isinstance(data, Dataset):
            raise DataError("robust_accuracy needs to know how pixels were normalised: give a zoo.Dataset with its scaling, not a loader")
        few = pool.part(0, min(settings.attack_images, len(pool)))
        chosen = Dataset(images=few.images, labels=few.labels, name=data.name, split=data.split, classes=data.classes, scaling=data.scaling)
        attack, images = attacks.get(settings.attack), images_of(chosen)
        attack.check(images, settings.attack_epsilon)
        return cls(attack=attack, epsilon=settings.attack_epsilon, images=images, seed=settings.seed)

    def known(self) -> dict[str, Any]:
        """What a measurement depends on; empty when nothing is asked."""
        return {} if self.attack is None or self.images is None else {"attack": [self.attack.spec, self.epsilon, len(self.images)]}

    def judge(self, net: nn.Module) -> dict[str, float]:
        """`robust_loss`: percent of the images that are wrong, or that the attack turns wrong; empty when nothing is asked."""
        if self.attack is None or self.images is None:
            return {}
        target = Target(net, self.images.scaling, name="the approximate network", gives_gradients=self.attack.needs == "gradients")
        made = self.attack(target, self.images, epsilon=self.epsilon, seed=self.seed)
        return {"robust_loss": 100 * float(made.broken.double().mean())}
