"""Campaigns: the walk behind a layer equals the whole network, answers depend on nothing but the seed, bad input is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import units
from inexact.core.errors import DataError, FaultError
from inexact.nn import ApproxLayer, Plan, Product, approximate, divide_channels
from inexact.reliability import Campaign, Fault, ImageFault, Opened, Settings, Store, Struck, Subject, faults, sdc_rate
from inexact.reliability._records import Records
from inexact.reliability._walk import Golden, Walk, WholeNetwork, runner


class Branches(nn.Module):
    """A stem, a residual block with a strided shortcut, attention of sorts, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.first = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.second = nn.Conv2d(6, 6, 3, padding=1, groups=2)
        self.shortcut = nn.Conv2d(4, 6, 1, stride=2)
        self.query = nn.Linear(6, 6)
        self.product = Product()
        self.mix = Product()
        self.head = nn.Linear(6, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))
        tokens = x.flatten(2).transpose(1, 2)
        shape = (tokens.shape[0], tokens.shape[1], 2, 3)
        left, right = self.query(tokens).reshape(shape).transpose(1, 2), tokens.reshape(shape).permute(0, 2, 3, 1)
        mixed = self.mix(torch.softmax(self.product(left, right), -1).mean(1), tokens)
        scores: Tensor = self.head(mixed.mean(1))
        return scores


class Untraceable(nn.Module):
    """Looks at its numbers, which no trace can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y * 2 if bool(y.sum() > 1e6) else y


def opened(unit: str = "trunc(cut=4)", count: int = 40) -> Opened:
    torch.manual_seed(1)
    model, images = Branches(), torch.rand(count, 1, 8, 8)
    net = approximate(model, Plan(multiplier=unit), calibrate=images)
    with torch.no_grad():
        return Opened(net=net, images=images, labels=(net(images).argmax(1) + (torch.arange(count) % 5 == 0)) % 7)


def drawn(fault: ImageFault, subject: Subject, count: int) -> dict[str, tuple[list[int], list[int]]]:
    rng, found = np.random.default_rng(2), dict[str, tuple[list[int], list[int]]]()
    strata = fault.population(subject)
    for place in rng.permutation(len(strata))[:count]:
        places, numbers = found.setdefault(strata[place].layer, ([], []))
        places.append(int(place))
        numbers.append(int(fault.draw(strata[place], 1, rng)[0]))
    return found


@pytest.mark.parametrize(
    ("unit", "divides"), [pytest.param("exact", False, marks=pytest.mark.slow), ("trunc(cut=4)", False), ("exact", True)]
)
@pytest.mark.parametrize("spec", ["weight_flip", "activation_flip", "output_flip", "accumulator_flip"])
def test_the_walk_behind_a_layer_is_the_whole_network(spec: str, unit: str, divides: bool) -> None:
    found = opened(unit)
    for layer in found.net.layers().values() if divides else ():
        if isinstance(layer, ApproxLayer):
            channels = layer.weight.shape[1] * layer.contraction_groups
            divide_channels(layer, torch.logspace(-0.4, 0.4, channels))
            layer.range_weights()
    subject, fault = Subject.of(found.net, found.images[:3]), faults.get(spec)
    assert isinstance(fault, ImageFault)
    quick, whole = runner(subject), WholeNetwork(subject)
    assert isinstance(quick, Walk)
    golden = quick.golden(found.images)
    strata, changed = fault.population(subject), 0
    for name, (places, numbers) in drawn(fault, subject, 60).items():
        rows = torch.arange(len(places)) * 7 % len(found.images)
        strike = functools.partial(_strike, fault, [strata[place] for place in places], np.array(numbers))
        scores = quick.faulty(golden, name, rows, strike)
        assert torch.equal(scores, whole.faulty(Golden(images=found.images, scores=golden.scores, values={}), name, rows, strike))
        changed += int((scores != golden.scores[rows]).any(1).sum())
    assert changed > 5


def _strike(fault: ImageFault, strata: list, numbers: np.ndarray, struck: Struck) -> Tensor:  # type: ignore[type-arg]
    return fault.strike(struck, strata, numbers)


@pytest.mark.parametrize("spec", ["weight_flip", "activation_flip"])
def test_flips_where_channels_are_divided_are_those_of_loops(spec: str) -> None:
    """From the image to the scores: the stored code is that of the divided value, the stored weight that of the product."""
    torch.manual_seed(3)
    inner, unit = nn.Linear(5, 3), units.get("trunc(cut=5)")
    images, divisors = torch.rand(20, 5) - 0.3, torch.tensor([0.2, 3.0, 1.0, 0.7, 5.0])
    net = approximate(nn.Sequential(inner), Plan(multiplier=unit), calibrate=images)
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    divide_channels(layer, divisors)
    layer.range_weights()
    subject, fault, rng = Subject.of(net, images[:3]), faults.get(spec), np.random.default_rng(1)
    assert isinstance(fault, ImageFault)
    strata = [(fault.population(subject) * 3)[place] for place in range(20)]
    numbers = np.concatenate([fault.draw(stratum, 1, rng) for stratum in strata])
    strike, quick, every = functools.partial(_strike, fault, strata, numbers), runner(subject), torch.arange(20)
    assert isinstance(quick, Walk)
    golden = quick.golden(images)
    scores = quick.faulty(golden, "0", every, strike)
    assert torch.equal(scores, WholeNetwork(subject).faulty(golden, "0", every, strike))
    with torch.no_grad():
        assert torch.equal(golden.scores, net(images))
    table, a_zero, b_zero = unit.table(), int(layer.a_zero), layer.b_zero.flatten().long().numpy()
    weights = torch.clamp(torch.round(inner.weight.detach() * divisors / layer.b_scale) + layer.b_zero, 0, 255).long().numpy()
    codes = torch.clamp(torch.round(images / divisors / layer.a_scale) + layer.a_zero, 0, 255).long().numpy()
    constant = weights.sum(1) - 5 * b_zero  # made of the weights as they should be
    scale = layer.a_scale.double().numpy() * layer.b_scale.double().numpy().reshape(-1)
    for i, (stratum, number) in enumerate(zip(strata, numbers, strict=True)):
        a, b = codes[i].copy(), weights.copy()
        site = fault.site(subject, stratum, int(number))
        assert site.bit is not None
        (a if spec == "activation_flip" else b)[site.index] ^= 1 << site.bit
        sums = np.array([sum(int(table[a[k], b[o, k]]) for k in range(5)) for o in range(3)]) - b_zero * a.sum() - a_zero * constant
        assert torch.equal(scores[i], torch.from_numpy((sums * scale).astype(np.float32)) + inner.bias.detach()), site
    assert int((scores != golden.scores).any(1).sum()) > 10


def test_networks_that_cannot_be_traced_are_run_whole() -> None:
    torch.manual_seed(0)
    images = torch.rand(20, 5)
    net = approximate(Untraceable(), Plan(multiplier="exact"), calibrate=images)
    assert isinstance(runner(Subject.of(net, images)), WholeNetwork)
    settings = Settings(faults=("weight_flip",), margin=0.2)
    with Store(":memory:") as store:
        report = Campaign(settings, lambda: Opened(net=net, images=images, labels=torch.zeros(20, dtype=torch.int64)), store).run()
    (row,) = report["faults"]
    assert row["population"] == 20 * 8 * 20
    assert row["planned"] <= row["n"] <= 2 * row["planned"]


def ran(settings: Settings, path: Path | str, *, workers: int = 0, opening: Callable[[], Opened] = opened) -> dict[str, object]:
    with Store(path) as store:
        return Campaign(settings, opening, store, workers=workers).run()


def without_times(report: dict[str, object]) -> dict[str, object]:
    rows = report["faults"]
    assert isinstance(rows, list)
    return report | {"faults": [row | {"seconds": 0} for row in rows]}


def test_a_campaign_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inexact.reliability import _judge

    monkeypatch.setattr("inexact.reliability.campaign.FIRST", {"image": 40, "chip": 4})
    monkeypatch.setattr("inexact.reliability.campaign.CHUNK", {"image": 20, "chip": 2})
    settings = Settings(faults=("activation_flip(bits=7)",), margin=0.2, seed=3)
    whole = ran(settings, ":memory:")
    run, calls = _judge.Judge.run, [0]

    def interrupted(self: _judge.Judge, chunk: _judge.Chunk) -> tuple[Records, float]:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        return run(self, chunk)

    monkeypatch.setattr(_judge.Judge, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ran(settings, tmp_path / "campaign.db")
    resumed = ran(settings, tmp_path / "campaign.db")
    assert without_times(resumed) == without_times(whole)
    assert calls[0] < 2 + 1 + len(range(0, whole["faults"][0]["n"], 20))  # type: ignore[index]


def test_a_file_of_another_campaign_is_refused(tmp_path: Path) -> None:
    settings = Settings(faults=("output_flip(layers=head)",), margin=0.2)
    ran(settings, tmp_path / "campaign.db")
    with pytest.raises(FaultError, match="holds a campaign with other seed; choose another --out"):
        ran(Settings(faults=("output_flip(layers=head)",), margin=0.2, seed=1), tmp_path / "campaign.db")
    (tmp_path / "text.db").write_text("This is a text, longer than a header of SQLite would be. " * 40)
    with pytest.raises(FaultError, match="must be the file of a fault campaign: file is not a database; choose another --out"):
        ran(settings, tmp_path / "text.db")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("weight_flip(layers=nowhere)", "none is called 'nowhere'"),
        ("activation_flip(bits=8)", "bits of activations of layer stem must be 0..7, as it has 8 bits, not 8"),
        ("weight_flip(layers=product)", "must find something to break, but this network under this plan has no such place"),
        ("accumulator_flip(width=12)", "accumulators of 12 bits must hold the sums of layer stem"),
    ],
)
def test_faults_that_the_network_cannot_have_are_refused(spec: str, says: str) -> None:
    with pytest.raises(FaultError, match=says):
        ran(Settings(faults=(spec,), margin=0.2), ":memory:")


def test_budgets_out_of_reach_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(FaultError, match=r"100 faults cannot give ± 1 points at 95 % confidence: it takes at least 189 .* 9604 at worst"):
        Settings(faults=("weight_flip",), margin=0.01, budget=100)
    with pytest.raises(FaultError, match=r"± 1 points at 95 % need about \d+ faults of output_flip\(bits=\(7,\),layers=\(head,\)\) here"):
        ran(Settings(faults=("output_flip(bits=7,layers=head)",), margin=0.01, budget=400), ":memory:")


def test_the_rate_of_one_network() -> None:
    found = opened()
    data = [(found.images, found.labels)]
    rate = sdc_rate(found.net, data, "output_flip(bits=7,layers=head)", count=300)
    again = sdc_rate(found.net, data, "output_flip(bits=7,layers=head)", count=300)
    assert rate == again
    assert rate.n == 300
    assert 0.02 < rate.low < rate.value < rate.high < 0.6
    safe = sdc_rate(found.net, data, "output_flip(bits=0)", count=300)
    assert safe.value < rate.low
    with pytest.raises(DataError, match="images with labels"):
        sdc_rate(found.net, found.images, "output_flip")


def test_settings_without_faults_are_refused() -> None:
    with pytest.raises(FaultError, match="at least one fault"):
        Settings(faults=())
    with pytest.raises(FaultError, match="allocation must be one of proportional, neyman, not 'best'"):
        Settings(faults=("weight_flip",), allocation="best")


def test_specs_are_read_back() -> None:
    for name, member in faults.items():
        fault: Fault = member()
        assert faults.get(fault.spec) == fault, name
    assert faults.get("activation_flip(bits=7)") == faults.get("activation_flip(bits=(7,))")
