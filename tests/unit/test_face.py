"""The face of the library: what `inexact` names, and what a wrong type is told."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import inexact as ix
from inexact.core.errors import DataError, FormatError, InexactError, PlanError, SpecError, UnknownNameError
from inexact.core.estimate import Estimate

UNTYPED: Any = ix
"""The same names without their types, as a caller without a type checker has them."""
MODEL = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 26 * 26, 10)).eval()
IMAGES = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_every_name_is_there_and_listed() -> None:
    assert ix.__all__ == sorted(ix.__all__)
    assert set(ix.__all__) < set(dir(ix))
    assert all(getattr(ix, name).__name__.endswith(name) for name in ix.__all__)
    assert resources.files("inexact").joinpath("py.typed").is_file()


def test_the_citation_names_this_version() -> None:
    root = Path(__file__).parents[2]
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"] == ix.__version__
    assert f"\nversion: {ix.__version__}\n" in (root / "CITATION.cff").read_text()


def test_importing_is_cheap() -> None:
    heavy = "import sys, inexact, inexact.cli; print([m for m in ('torch', 'numpy', 'scipy', 'rich') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_misspelt_names_are_told_near_ones() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'aproximate'; did you mean 'approximate'\?"):
        UNTYPED.aproximate  # noqa: B018


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: UNTYPED.units.get(3), SpecError, r"a multiplier must be given as an object or as a spec such as .*, not 3"),
        (lambda: UNTYPED.units.get(None), SpecError, r"a multiplier must be given as an object or as a spec .*, not None"),
        (lambda: UNTYPED.units.get(type(ix.units.get("mitchell"))), SpecError, r"a multiplier must be given .*, not Mitchell"),
        (
            lambda: UNTYPED.Plan("mitchell"),
            PlanError,
            r"rules must map layers to rules, .*, not str; one unit for all: multiplier=",
        ),
        (lambda: UNTYPED.Plan(multiplier=3), PlanError, r"a multiplier must be a unit or its spec such as 'trunc\(cut=4\)', not 3"),
        (lambda: UNTYPED.Plan(precision=8), SpecError, r"a format must be given as an object or as a spec .*, not 8"),
        (
            lambda: UNTYPED.approximate(MODEL, 3),
            PlanError,
            r"plan must be a Plan or the spec of a unit, not int; a file is read by Plan.load",
        ),
        (lambda: UNTYPED.approximate("lenet5", "exact"), PlanError, r"model must be an nn.Module, such as zoo.network.*, not 'lenet5'"),
        (lambda: UNTYPED.approximate(MODEL, "exact", calibrate=3), DataError, r"data must be a tensor of inputs, .*, not 3"),
        (lambda: UNTYPED.evaluate(MODEL, "mnist"), DataError, r"data must be .*, not 'mnist'; data sets by name: zoo.data"),
        (lambda: UNTYPED.evaluate(MODEL, IMAGES), DataError, r"accuracy needs labels: give .*, a pair \(inputs, labels\) or batches"),
        (lambda: ix.zoo.network("a.onnx"), UnknownNameError, r"of a.onnx only shapes are read, for costs; .* torch network, as module:fun"),
        (lambda: UNTYPED.zoo.network(8), UnknownNameError, r"a network is asked for by name, such as 'resnet8' .*, not by 8"),
        (lambda: UNTYPED.zoo.data("fashion-mnist", limit="3"), DataError, r"limit must be at least 1 image, not '3'"),
        (lambda: UNTYPED.metrics.profile(3), SpecError, r"a multiplier must be given as an object .*, not 3"),
    ],
)
def test_wrong_types_are_told_what_is_wanted(call: Callable[[], object], error: type[InexactError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_wrong_recovery_is_told_what_is_wanted() -> None:
    net = ix.approximate(MODEL, "exact", calibrate=IMAGES)
    with pytest.raises(SpecError, match=r"a recovery must be given as an object or as a spec such as .*, not 3"):
        UNTYPED.recover(net, 3, data=IMAGES)


def test_profiles_are_made_of_specs_too() -> None:
    assert ix.metrics.profile("trunc(cut=4)") == ix.metrics.profile(ix.units.get("trunc(cut=4)"))


def test_results_are_shown_with_units_and_sources() -> None:
    cost = ix.estimate(ix.approximate(MODEL, "exact", calibrate=IMAGES), accelerator="edge-16x16")
    lines = str(cost).splitlines()
    assert lines[0] == "Sequential on edge-16x16"
    assert lines[1] == f"  cycles  {cost.cycles.value:.4g} cycles (accelerator model edge-16x16: closed forms; 45 nm)"
    assert [line.split()[0] for line in lines[1:]] == ["cycles", "latency", "energy", "area"]
    assert repr(cost) == "Cost(accelerator='edge-16x16', node='45 nm', network='Sequential', period_ns=2.5)"
    accuracy = ix.evaluate(MODEL, [(IMAGES, torch.zeros(4, dtype=torch.long))])
    assert "array" not in repr(accuracy)
    figure = Estimate(value=5445418.5, unit="pJ", source="a model", node="45 nm", spread=(4e6, 1.8e7), verified=False)
    assert str(figure) == "5.445e+06 pJ [4e+06, 1.8e+07] (a model; 45 nm; unverified)"


class Named(nn.Module):
    """A network that returns a dictionary."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": x.flatten(1)[:, :10]}


LABELS = torch.zeros(4, dtype=torch.long)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ix.approximate(nn.Linear(2, 2).half(), "exact"), FormatError, r"must be float32, and weight is float16: call model.float"),
        (lambda: ix.approximate(nn.Sequential(nn.LazyLinear(3)), "exact"), FormatError, r"parameter 0.weight must have its shape; run a b"),
        (lambda: ix.evaluate(Named(), [(IMAGES, LABELS)]), DataError, r"must return scores \[n, classes\] as one tensor, not dict: wrap"),
        (lambda: ix.evaluate(nn.Identity(), [(IMAGES, LABELS)]), DataError, r"not a tensor of shape \(4, 1, 28, 28\)"),
        (lambda: ix.evaluate(MODEL, [(IMAGES, LABELS + 0.5)]), DataError, r"labels must be integers, .*, not float32"),
        (lambda: UNTYPED.evaluate(MODEL, [(IMAGES, LABELS)], reference=3), DataError, r"a reference must be a network or its Ev"),
    ],
)
def test_networks_and_data_that_do_not_serve(call: Callable[[], object], error: type[InexactError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:.*TorchScript.*")
def test_script_modules_are_refused() -> None:
    with pytest.raises(PlanError, match=r"a ScriptModule hides them: give what it was made from"):
        ix.approximate(torch.jit.script(nn.Sequential(nn.Linear(2, 2))), "exact")
