"""Model extraction by ART: seeds, figures, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inexact import zoo
from inexact.core.errors import DataError, UnknownNameError
from inexact.security.extraction import Extraction, ExtractionSettings, Stolen, extraction, surrogate_of
from inexact.security.record import Record


def test_figures_are_paired_over_repetitions() -> None:
    def rows(*fidelities: float) -> dict[int, tuple[Stolen, ...]]:
        return {100: tuple(Stolen(fidelity=value, accuracy=0.5, to_first=0.5) for value in fidelities)}

    found = Extraction(victims={"exact": rows(0.80, 0.82, 0.81), "a": rows(0.90, 0.92, 0.91), "b": rows(0.81, 0.81, 0.81)})
    first, second, third = found.sentences()
    assert first == "exact, 100 queries: the surrogate agrees on 81.0 [78.5, 83.5] % of test images."
    assert "easier to copy: +10.0 [+10.0, +10.0] points against exact" in second
    assert "no difference is shown: +0.0" in third
    assert found.to_json()["victims"]["a"]["100"]["fidelity"]["mean"] == pytest.approx(91.0)


def test_few_queries_are_passed_over_more_often() -> None:
    settings = ExtractionSettings(epochs=10)
    assert (settings.passes(250), settings.passes(10_000)) == (103, 10)


@pytest.mark.slow
def test_a_copy_follows_its_victim_and_its_seed_only() -> None:
    pytest.importorskip("art")
    data = zoo.data("fashion-mnist", "test", 300)
    victim = zoo.network("lenet5")
    settings = ExtractionSettings(attack="knockoff", budgets=(200,), runs=2, epochs=1)
    before = (np.random.get_state()[1].copy(), torch.get_rng_state())  # type: ignore[index]
    copies = [surrogate_of(victim, zoo.architecture_of("lenet5"), data, settings, budget=100, seed=seed)(data.images) for seed in (0, 0, 1)]
    assert torch.equal(copies[0], copies[1])
    assert not torch.equal(copies[0], copies[2])
    assert np.array_equal(before[0], np.random.get_state()[1])  # type: ignore[index]
    assert torch.equal(before[1], torch.get_rng_state())
    found = extraction(
        {"net": victim}, zoo.architecture_of("lenet5"), data, data, settings, record=Record(None, {}), progress=lambda *_: None
    )
    assert found.mean("net", 200, "fidelity").mean > 50


def test_refusals() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no extraction attack is called 'knockof'; did you mean 'knockoff'\? Known: copycat, knockoff"
    ):
        ExtractionSettings(attack="knockof")
    with pytest.raises(DataError, match="query budgets must be at least 1, not 0"):
        ExtractionSettings(budgets=(0,))
    data = zoo.data("fashion-mnist", "test", 20)
    with pytest.raises(DataError, match="queries must be at most 20, the images of 'fashion-mnist', not 250"):
        extraction(
            {"net": torch.nn.Identity()},
            zoo.architecture_of("lenet5"),
            data,
            data,
            ExtractionSettings(budgets=(250,)),
            record=Record(None, {}),
            progress=lambda *_: None,
        )
