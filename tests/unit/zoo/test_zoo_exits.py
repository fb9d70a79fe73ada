"""Training the classifiers of exits, and the commands that use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from inexact import zoo
from inexact.cli import _exits, run
from inexact.core.errors import CheckpointError, DataError, OutputError
from inexact.nn import Exits, Plan, approximate, exits_of, routes, settle_exits, with_exits
from inexact.zoo.training import train_exits, train_exits_to_file, with_carded_exits, with_trained_exits

AFTER = ("pool1", "pool2")


@pytest.fixture(scope="module")
def lenet() -> nn.Module:
    return zoo.network("lenet5")


@pytest.fixture(scope="module")
def some() -> zoo.Dataset:
    return zoo.data("fashion-mnist", "validation", 600)


def state(net: nn.Module) -> dict[str, torch.Tensor]:
    return dict(net.state_dict())


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(value, state(b)[name]) for name, value in state(a).items())


def test_exits_learn_and_the_network_stays(lenet: nn.Module, some: zoo.Dataset) -> None:
    net = with_exits(lenet, AFTER)
    before = {name: value.clone() for name, value in state(net).items() if not name.startswith("exits")}
    torch.manual_seed(5)
    random = torch.random.get_rng_state()
    train_exits(net, some, epochs=6, seed=1)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in state(net).items() if name in before)
    top1 = routes(net, zoo.data("fashion-mnist", limit=500)).correct.double().mean(0)
    assert float(top1[:2].min()) > 0.3  # chance is 0.1


def test_training_is_seeded_and_resumes_to_the_same_weights(
    lenet: nn.Module, some: zoo.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, other, stopped = (with_exits(lenet, AFTER) for _ in range(3))
    train_exits(whole, some, epochs=3, seed=2)
    train_exits(other, some, epochs=3, seed=3)
    assert not same(whole.exits, other.exits)

    def stop(_what: str, done: int, total: int) -> None:
        if (done, total) == (2, 3):
            raise KeyboardInterrupt

    checkpoint = tmp_path / "exits.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train_exits(stopped, some, epochs=3, seed=2, checkpoint=checkpoint, progress=stop)
    resumed = with_exits(lenet, AFTER)
    train_exits(resumed, some, epochs=3, seed=2, checkpoint=checkpoint, resume=True)
    assert same(resumed.exits, whole.exits)
    with pytest.raises(CheckpointError, match="delete it to train from the start"):
        train_exits(with_exits(lenet, AFTER), some, epochs=4, seed=2, checkpoint=checkpoint, resume=True)
    with pytest.raises(DataError, match="epochs must be at least 1, not 0"):
        train_exits(whole, some, epochs=0)


def test_a_file_of_classifiers_with_its_card(lenet: nn.Module, some: zoo.Dataset, tmp_path: Path) -> None:
    exits, out = Exits(after=AFTER, tau=0.9, weights="heads.safetensors"), tmp_path / "heads.safetensors"
    card = train_exits_to_file(lenet, exits, out, network="lenet5", train=some, held=[some.first(100)], epochs=1)
    assert json.loads(out.with_suffix(".json").read_text())["top1"] == card.top1
    assert not list(tmp_path.glob("*.checkpoint"))
    net = with_trained_exits(lenet, exits, folder=tmp_path)
    assert [100 * value for value in routes(net, some.first(100)).correct.double().mean(0).tolist()] == card.top1["validation"]
    with pytest.raises(CheckpointError, match="must have trained classifiers: train them with inexact net train-exits"):
        with_trained_exits(lenet, Exits(after=AFTER, tau=0.9))
    with pytest.raises(CheckpointError, match=r"hold '1\.linear\.(bias|weight)' and 1 more names the network does not have"):
        with_trained_exits(lenet, Exits(after=("pool1",), tau=0.9, weights="heads.safetensors"), folder=tmp_path)
    carded = with_carded_exits(lenet, out, network="lenet5")
    assert (carded.after, carded.thresholds) == (AFTER, (1.0,) * len(AFTER))
    assert all(torch.equal(a, b) for a, b in zip(carded.parameters(), net.parameters(), strict=True))
    with pytest.raises(CheckpointError, match=r"exits must be those of the network vgg7; .*heads.safetensors was trained on lenet5"):
        with_carded_exits(lenet, out, network="vgg7")
    with pytest.raises(
        CheckpointError, match=r"other\.json must be the card of trained exits, as inexact net train-exits writes it beside"
    ):
        with_carded_exits(lenet, tmp_path / "other.safetensors", network="lenet5")
    (tmp_path / "copy.json").write_text(out.with_suffix(".json").read_text())
    (tmp_path / "copy.safetensors").write_bytes(out.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match=r"must be the file its card .*copy\.json is of; it is missing or another"):
        with_carded_exits(lenet, tmp_path / "copy.safetensors", network="lenet5")
    with pytest.raises(OutputError, match=r"the weights file must end with \.safetensors, not 'heads\.pt'"):
        train_exits_to_file(lenet, exits, tmp_path / "heads.pt", network="lenet5", train=some, held=[])
    (tmp_path / "heads.safetensors.checkpoint").write_bytes(b"")
    with pytest.raises(CheckpointError, match="continue it with --resume or delete it"):
        train_exits_to_file(lenet, exits, out, network="lenet5", train=some, held=[])


def test_an_emulated_network_with_exits_keeps_its_budget_on_validation_data(lenet: nn.Module, some: zoo.Dataset, tmp_path: Path) -> None:
    net = with_exits(lenet, AFTER)
    train_exits(net, some, epochs=6)
    exits = Exits(after=AFTER, budget=5)
    emulated = approximate(net, Plan(precision="int8", coding="signed", exits=exits), calibrate=some)
    top1 = 100 * float(routes(with_exits(lenet, AFTER), some).correct[:, -1].double().mean())
    found = settle_exits(emulated, exits, some, float_top1=top1)
    network = exits_of(emulated)
    assert network is not None
    assert found.accuracy(network.thresholds) >= top1 - 5
    assert float(network.reach[-1]) < 1


@pytest.fixture
def npz(tmp_path: Path) -> str:
    """300 training images, 60 of validation and 60 of test."""
    found = zoo.data("fashion-mnist", "validation", 420)
    arrays: dict[str, Any] = {}
    for split, part in {"train": slice(0, 300), "validation": slice(300, 360), "test": slice(360, 420)}.items():
        arrays |= {f"{split}_images": found.images[part].numpy(), f"{split}_labels": found.labels[part].numpy()}
    np.savez(tmp_path / "small.npz", **arrays)
    return str(tmp_path / "small.npz")


def test_from_training_to_the_account_by_commands(npz: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--network", "lenet5", "--data", npz, "--weights", "fashion-mnist"]
    heads, plan = tmp_path / "heads.safetensors", tmp_path / "p.toml"
    words = ["net", "train-exits", *common, "--after", "pool1", "--after", "pool2", "--epochs", "2", "--out", str(heads), "--json"]
    assert run(words) == 0
    trained = json.loads(capsys.readouterr().out)
    assert len(trained["top1"]["test"]) == 3
    rules = '[plan.rules.default]\ncoding = "signed"\n'
    plan.write_text(f'[plan]\nversion = 1\n[plan.exits]\nafter = ["pool1", "pool2"]\ntau = 0.3\nweights = "heads.safetensors"\n{rules}')
    assert run(["net", "evaluate", *common, "--plan", str(plan), "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    exits = evaluated["exits"]
    assert [row["tau"] for row in exits["leave"]] == [0.3, 0.3, None]
    assert [row["after"] for row in exits["leave"]] == ["pool1", "pool2", "end"]
    assert sum(row["share"] for row in exits["leave"]) == pytest.approx(1)
    _exits.show(evaluated)
    assert "inputs that leave %" in capsys.readouterr().out
    assert run(["net", "estimate", *common, "--plan", str(plan), "--json"]) == 0
    account = json.loads(capsys.readouterr().out)
    assert account["worst_latency_ms"]["value"] > account["latency_ms"]["value"]
    assert {layer["name"]: layer["reached"] for layer in account["layers"]}["fc3"] < 1
    plan.write_text(plan.read_text().replace('"pool2"]', '"pool9"]'))
    assert run(["net", "evaluate", *common, "--plan", str(plan)]) == 1
    assert "exits must come after modules of the network; there is no 'pool9'" in capsys.readouterr().err
    plan.write_text(plan.read_text().replace("tau = 0.3", "tau = 3"))
    assert run(["net", "estimate", *common, "--plan", str(plan)]) == 1
    assert "tau of exits must be above 0 and at most 1, not 3" in capsys.readouterr().err
