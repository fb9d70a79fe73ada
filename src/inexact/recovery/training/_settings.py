"""How an emulated network is fine-tuned, as a spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, final

from inexact.core.errors import SpecError, near, require_range
from inexact.core.registry import Family, spec_of
from inexact.nn.gradients import gradients
from inexact.recovery.training.losses import losses

OPTIMISERS = ("sgd", "adam")
SCHEDULES = ("cosine", "constant")
TRAINED = ("all", "affine", "bias")
FORWARDS = ("emulated", "noise")
RANGES = ("kept", "each_epoch", "learned")
PROJECTIONS = ("none", "end", "step")


class Training:
    """Base of the family of trainings; its members are frozen dataclasses of settings."""

    family_name: ClassVar[str]

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)


trainings: Family[Training] = Family("training", "inexact.recovery.training")


@trainings.register("finetune")
@final
@dataclass(frozen=True, kw_only=True)
class Settings(Training):
    """Settings of a fine-tuning.

    epochs: passes over the training images, 1..1000. exact_epochs: so many of them, the first, with exact products of the same codes:
    training in two stages, float32 to quantised to approximate. batch: images a step.
    rate: of the optimiser, at its start. optimizer: "sgd" (momentum, weight_decay) or "adam" (weight_decay decoupled). schedule: "cosine"
    (to zero over all steps) or "constant". clip: largest norm of the gradient of all parameters together, above 0.
    loss: spec of what is made small. gradient: spec of the unit's derivative; "" follows each layer's rule.
    trained: "all" parameters, "affine" (one factor and one constant an output channel of an emulated layer: what is left of batch
    norms folded into it; stored in the requantisation scale and the bias) or "bias" (the constants alone).
    forward: "emulated", or "noise": exact products, and an error drawn from the mean and variance that the layer's own error has in each
    channel, measured anew at the start of each epoch; no table in the loop.
    ranges: of activations: "kept", or "each_epoch": observed anew in the emulated network, from the second epoch on; "learned": scales of
    activations and weights are trained like weights (learned step sizes). Otherwise ranges of weights follow the weights in every step
    where they are their minimum and maximum, else in every epoch; those that a recovery chose stay.
    projection: "none", or weights move to the nearest code on which the unit is exact for every activation: after the last step
    ("end"; during training the unit alone rounds) or after every one ("step"; scales of weights are then kept).
    shift: random translation of training images in pixels; mirror: flip half of them.
    patience: epochs without a better validation accuracy before training stops, 0: never.

    Reference: forward "noise": X. He et al., AxTrain, ISLPED 2018, doi:10.1145/3218603.3218643 (the passive method); projection:
    S. S. Sarwar et al., Energy-efficient neural computing with approximate multipliers, ACM JETC 14(2), 2018; "affine":
    E. Trommer, B. Waschneck, A. Kumar, QoS-Nets, 2024
    """

    epochs: int = 1
    exact_epochs: int = 0
    batch: int = 64
    rate: float = 0.01
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "cosine"
    clip: float = 1.0
    loss: str = field(default="cross_entropy", metadata={"foreign": True})
    gradient: str = field(default="", metadata={"foreign": True})
    trained: str = "all"
    forward: str = "emulated"
    ranges: str = "kept"
    projection: str = "none"
    shift: int = 0
    mirror: bool = False
    patience: int = 0

    def __post_init__(self) -> None:
        require_range("epochs", self.epochs, 1, 1000)
        require_range("exact_epochs", self.exact_epochs, 0, self.epochs, bound="0..epochs")
        require_range("batch", self.batch, 1, 2**16)
        require_range("shift", self.shift, 0, 64)
        require_range("patience", self.patience, 0, 1000)
        for name in ("rate", "clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise SpecError(f"{name} must be a finite number above 0, not {getattr(self, name)!r}")
        for name, end in (("momentum", 1.0), ("weight_decay", float("inf"))):
            if not 0 <= getattr(self, name) < end:
                raise SpecError(f"{name} must be at least 0 and below {end:g}, not {getattr(self, name)!r}")
        choices = {"optimizer": OPTIMISERS, "schedule": SCHEDULES, "trained": TRAINED, "forward": FORWARDS, "ranges": RANGES}
        for name, known in (choices | {"projection": PROJECTIONS}).items():
            value = getattr(self, name)
            if value not in known:
                raise SpecError(f"{name} must be one of {', '.join(known)}, not {value!r}{near(str(value), known)}")
        object.__setattr__(self, "loss", losses.get(self.loss).spec)
        if self.gradient:
            object.__setattr__(self, "gradient", gradients.get(self.gradient).spec)
        self._check_combination()

    def _check_combination(self) -> None:
        if self.projection != "none" and self.trained != "all":
            raise SpecError(f"projection={self.projection} moves weights, so trained must be 'all', not {self.trained!r}")
        if self.trained != "all" and (self.forward == "noise" or self.exact_epochs):
            raise SpecError(
                f"trained={self.trained} fits factors and constants to the unit itself: it needs forward=emulated and exact_epochs=0, "
                f"not {self.forward} and {self.exact_epochs}"
            )
        if self.trained != "all" and self.ranges == "learned":
            raise SpecError(f"ranges=learned goes with trained weights, so trained must be 'all', not {self.trained!r}")
        if losses.get(self.loss).differentiates_twice and self.trained != "all":
            raise SpecError(f"{self.loss} looks at trained weights, so trained must be 'all', not {self.trained!r}")
        if losses.get(self.loss).differentiates_twice and self.ranges == "learned":
            raise SpecError(f"{self.loss} is differentiated twice, which scales are not: ranges must be kept or each_epoch, not learned")


def settings_of(spec: str | Training) -> Settings:
    """The settings a spec describes. Raises SpecError for another kind of training."""
    found = trainings.get(spec)
    if not isinstance(found, Settings):
        raise SpecError(f"fine-tuning needs a spec 'finetune(...)', not {found.spec!r}")
    return found
