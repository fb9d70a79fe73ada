"""What all commands share: near names for misspelt commands, whole sentences in lists, plans by file or by unit."""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path

import click
import pytest

from inexact import cli
from inexact.cli import run
from inexact.cli._plans import plan_of
from inexact.core.errors import PlanError, SpecError
from inexact.nn import Plan


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fautl"], "no command of inexact is called 'fautl'; did you mean 'fault' or 'atlas'?"),
        (["unit", "shw"], "no command of inexact unit is called 'shw'; did you mean 'show'?"),
        (["fault", "protekt"], "no command of inexact fault is called 'protekt'; did you mean 'protect'?"),
        (["attack", "trojan", "zzz"], "no command of inexact attack trojan is called 'zzz'."),
        (["--hepl"], "No such option"),
    ],
)
def test_misspelt_commands(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert message in capsys.readouterr().err


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(_: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "write", full)
        assert run(["data", "list"]) == 1
    assert capsys.readouterr().err == "error: standard output could not be written: No space left on device\n"


def test_lists_of_commands_are_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ("accelerator", "fault"):
        assert run([group, "--help"]) == 0
        assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_a_unit_in_place_of_a_plan_is_told(tmp_path: Path) -> None:
    for name, content in (("m.v", b"module m;"), ("m.npy", b"\x93NUMPY")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            PlanError, match=rf"{name} is no plan: .*; if it holds a unit, `inexact unit import .*{name}` makes a spec of it"
        ):
            plan_of(str(tmp_path / name))


def test_a_plan_is_a_file_or_a_unit(tmp_path: Path) -> None:
    file = tmp_path / "plan"
    Plan(multiplier="drum(k=4)", coding="sign_magnitude").save(file)
    assert plan_of(str(file)) == Plan(multiplier="drum(k=4)", coding="sign_magnitude")
    assert plan_of("drum(k=4)") == Plan(multiplier="drum(k=4)", coding="unsigned")
    assert plan_of("trunc(cut=4,signed=true)") == Plan(multiplier="trunc(cut=4,signed=true)", coding="signed")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("absent.toml", PlanError, "plan file absent.toml cannot be read: No such file or directory"),
        (
            "dumr",
            PlanError,
            "a plan must be a TOML file or the spec of a multiplier, and 'dumr' is no file: no multiplier is called 'dumr'; did",
        ),
        ("plan.tml", PlanError, "a plan must be a TOML file or the spec of a multiplier, and 'plan.tml' is no file: a spec must look like"),
        ("drum(q=4)", SpecError, "drum has no parameter 'q'. Parameters: k"),
    ],
)
def test_neither_a_file_nor_a_unit(given: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as refused:
        plan_of(given)
    assert str(refused.value).startswith(message)


def test_a_unit_is_cited_like_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cite", "--plan", "drum(k=4)"]) == 0
    assert "@inproceedings{drum2015," in capsys.readouterr().out
    assert run(["cite", "--plan", "dumr"]) == 1
    assert "no multiplier is called 'dumr'; did you mean 'drum'?" in capsys.readouterr().err


def test_plans_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match=r"plan\.toml must be text in UTF-8"):
        plan_of(str(file))


def test_an_interrupt_in_an_import_is_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def import_that_breaks(argv: list[str]) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise RecursionError from error
        return 0

    def broken(argv: list[str]) -> int:
        raise RecursionError

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(cli, "run", import_that_breaks)
        with pytest.raises(SystemExit, match="130"):
            cli.main([])
        assert capsys.readouterr().err == f"{cli.INTERRUPTED}\n"
        monkeypatch.setattr(cli, "run", broken)
        with pytest.raises(RecursionError):
            cli.main([])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize("words", [["fault", "compare", "--out", "x"], ["fault", "map"], ["net", "train"], ["unit", "evolve"]])
def test_seeds_are_not_negative_wherever_they_are_taken(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--seed", "-1"]) == 2
    assert "-1 is not in the range x>=0" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["unit", "show", "mitchell"], ["atlas", "clusters"], ["net", "estimate", "--network", "lenet5"]])
def test_pictures_are_svg_wherever_they_are_drawn(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--picture", "error.png"]) == 2
    assert "must end with .svg, which pictures are written as, not 'error.png'" in capsys.readouterr().err


WITH_SEED = {
    "unit": ("show", "synth", "evolve"),
    "net": ("train", "finetune", "train-exits"),
    "fault": ("run", "compare", "map", "protect", "voltage"),
    "attack": ("run", "paper", "bitflip", "extract", "sidechannel"),
    "bench": ("forecast",),
    "study": ("run",),
    "atlas": ("clusters",),
}
"""Commands that draw random numbers, but for `forecast` and `attack trojan detect`."""


def test_commands_that_draw_random_numbers_take_a_seed() -> None:
    commands = [(group, name) for group, names in WITH_SEED.items() for name in names]
    for words in [*commands, ("forecast",), ("attack", "trojan", "detect")]:
        command: click.Command = cli.app
        for word in words:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), word)
            assert found is not None
            command = found
        options = {option.name: option for option in command.params}
        assert "seed" in options, words
        assert options["seed"].opts == ["--seed"]
