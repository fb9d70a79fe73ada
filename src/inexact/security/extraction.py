"""Model extraction: a surrogate trained on a network's answers, by the attacks of the Adversarial Robustness Toolbox (ART)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inexact.core.errors import DataError, MissingDependencyError, UnknownNameError, near
from inexact.metrics import Mean, mean_of
from inexact.security._seeds import part_seed
from inexact.security.record import Record
from inexact.zoo import Architecture, Dataset

ATTACKS = {
    "copycat": "CopycatCNN: the victim's class for every query (J. R. Correia-Silva et al., IJCNN 2018, arXiv:1806.05476)",
    "knockoff": "KnockoffNets, random queries: the victim's probabilities (T. Orekondy, B. Schiele, M. Fritz, CVPR 2019, arXiv:1812.02766)",
}
"""What each attack learns from."""

LEARNING_RATE = 1e-3
BATCH = 64
STEPS = 400
"""Least number of steps of a training: small budgets are passed over more often."""


@final
@dataclass(frozen=True, kw_only=True)
class ExtractionSettings:
    """attack: a name of `ATTACKS`. budgets: queries. runs: repetitions, each with queries and a surrogate of its own.

    epochs: passes over the queries, more where these are few. seed: of queries and surrogates.
    """

    attack: str = "copycat"
    budgets: tuple[int, ...] = (250, 1000, 4000)
    runs: int = 5
    epochs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.attack not in ATTACKS:
            raise UnknownNameError(
                f"no extraction attack is called {self.attack!r}{near(self.attack, ATTACKS)} Known: {', '.join(ATTACKS)}"
            )
        if not self.budgets or min(self.budgets) < 1:
            raise DataError(f"query budgets must be at least 1, not {', '.join(map(str, self.budgets)) or 'none'}")

    def passes(self, budget: int) -> int:
        """Passes over so many queries."""
        return max(self.epochs, -(-STEPS * BATCH // budget))


@final
@dataclass(frozen=True, kw_only=True)
class Stolen:
    """Shares of test images, 0..1. fidelity: the surrogate answers as its victim. accuracy: it is right. to_first: it answers as the first
    victim, whichever it was trained on."""

    fidelity: float
    accuracy: float
    to_first: float


@final
@dataclass(frozen=True, kw_only=True)
class Extraction:
    """victims: name -> budget -> the repetitions, in order; the first victim is the reference."""

    victims: Mapping[str, Mapping[int, tuple[Stolen, ...]]]

    def mean(self, name: str, budget: int, figure: str) -> Mean:
        """A figure in percent over the repetitions."""
        return mean_of([100 * float(getattr(one, figure)) for one in self.victims[name][budget]])

    def to_json(self) -> dict[str, Any]:
        """A JSON object, in percent."""
        figures = ("fidelity", "accuracy", "to_first")
        found = {
            name: {str(budget): {figure: self.mean(name, budget, figure).to_json() for figure in figures} for budget in rows}
            for name, rows in self.victims.items()
        }
        return {"victims": found, "conclusion": self.sentences()}

    def sentences(self) -> list[str]:
        """One for every victim and budget; those after the first against it, by paired differences over the repetitions."""
        first, *_ = self.victims
        lines = []
        for name, rows in self.victims.items():
            for budget, found in rows.items():
                text = f"{name}, {budget} queries: the surrogate agrees on {self.mean(name, budget, 'fidelity').shown()} % of test images"
                if name == first:
                    lines.append(text + ".")
                    continue
                pairs = zip(found, self.victims[first][budget], strict=True)
                lines.append(f"{text}; {_judged(mean_of([100 * (a.fidelity - b.fidelity) for a, b in pairs]), first)}.")
        return lines


def _judged(gap: Mean, first: str) -> str:
    shown = f"{gap.mean:+.1f} [{gap.low:+.1f}, {gap.high:+.1f}] points against {first}"
    verdict = "easier to copy" if gap.low > 0 else "harder to copy" if gap.high < 0 else "no difference is shown"
    return f"{verdict}: {shown}"


def extraction(
    victims: Mapping[str, nn.Module],
    surrogate: Architecture,
    queries: Dataset,
    test: Dataset,
    settings: ExtractionSettings,
    *,
    record: Record,
    progress: Callable[[int, int], None],
) -> Extraction:
    """Train surrogates on the answers of every victim to the same images, and compare answers on `test`. record: keeps finished ones.

    Adam, learning rate 0.001, batches of 64. Raises DataError for more queries than images, MissingDependencyError without ART.
    """
    if max(settings.budgets) > len(queries):
        raise DataError(f"queries must be at most {len(queries)}, the images of {queries.name!r}, not {max(settings.budgets)}")
    first = next(iter(victims.values()))
    found: dict[str, dict[int, tuple[Stolen, ...]]] = {}
    done, total = 0, len(victims) * len(settings.budgets) * settings.runs
    for name, victim in victims.items():
        for budget in settings.budgets:
            rows = []
            for run in range(settings.runs):
                seed = part_seed(settings.seed, run)

                def steal(victim: nn.Module = victim, budget: int = budget, seed: int = seed) -> dict[str, float]:
                    copied = surrogate_of(victim, surrogate, queries, settings, budget=budget, seed=seed)
                    return _judgement(copied, victim, first, test)

                rows.append(Stolen(**record.part(f"{name} {budget} {run}", steal)))
                done += 1
                progress(done, total)
            found.setdefault(name, {})[budget] = tuple(rows)
    return Extraction(victims=found)


def surrogate_of(
    victim: nn.Module, architecture: Architecture, queries: Dataset, settings: ExtractionSettings, *, budget: int, seed: int
) -> nn.Module:
    """A network of the architecture trained on the victim's answers to `budget` images, drawn by `seed`; global random states stay."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages ART looks for
            from art.attacks.extraction import CopycatCNN, KnockoffNets
            from art.estimators.classification import BlackBoxClassifierNeuralNetwork, PyTorchClassifier
    except ImportError as error:
        raise MissingDependencyError("model extraction needs ART: pip install 'inexact[security]'") from error
    shape, classes, passes = queries.image_shape, len(queries.classes), settings.passes(budget)
    with _seeded(seed):
        model = architecture.build()
        thief = PyTorchClassifier(
            model=model,
            loss=nn.CrossEntropyLoss(),
            optimizer=torch.optim.Adam(model.parameters(), lr=LEARNING_RATE),
            input_shape=shape,
            nb_classes=classes,
            device_type="cpu",
        )
        asked = BlackBoxClassifierNeuralNetwork(lambda x: _probabilities(victim, torch.from_numpy(x)), shape, classes)
        sizes = {"batch_size_fit": BATCH, "batch_size_query": 250, "nb_epochs": passes, "nb_stolen": budget}
        if settings.attack == "copycat":
            attack = CopycatCNN(asked, **sizes)
        else:
            attack = KnockoffNets(asked, **sizes, sampling_strategy="random", use_probability=True, verbose=False)
        attack.extract(queries.images.numpy(), thieved_classifier=thief)
    return model.eval()


@torch.no_grad()
def _probabilities(model: nn.Module, images: Tensor) -> NDArray[np.float32]:
    parts = [functional.softmax(model(images[start : start + 250]), dim=1) for start in range(0, len(images), 250)]
    return torch.cat(parts).numpy()


def _judgement(copied: nn.Module, victim: nn.Module, first: nn.Module, test: Dataset) -> dict[str, float]:
    own, theirs, reference = (_probabilities(model, test.images).argmax(axis=1) for model in (copied, victim, first))
    return {
        "fidelity": float((own == theirs).mean()),
        "accuracy": float((own == test.labels.numpy()).mean()),
        "to_first": float((own == reference).mean()),
    }


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Global random states set to a seed, which ART draws from, and restored after."""
    kept = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(kept)
