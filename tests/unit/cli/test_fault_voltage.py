"""`inexact fault voltage` and `inexact fault lifetime` on a small network: output, pictures, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner

from inexact.cli._fault_lifetime import lifetime
from inexact.cli._fault_voltage import voltage
from inexact.core.errors import DataError, FaultError, HardwareError, InexactError, UnknownNameError
from inexact.nn import Plan

NETWORK = ["--network", "lenet5"]


def refused(command: click.Command, *options: str) -> InexactError:
    result = CliRunner().invoke(command, [*NETWORK, "--limit", "5", *options])
    assert isinstance(result.exception, InexactError)
    return result.exception


def test_memories_over_chips_as_one_object_and_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "memory.svg"
    options = ["--voltages", "0.8", "--chips", "2", "--limit", "40", "--json", "--picture", str(picture)]
    result = CliRunner().invoke(voltage, [*NETWORK, *options])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["network"], found["of"], found["images"]) == ("lenet5", "weight", 40)
    (point,) = found["points"]
    assert point["bit_error_rate"] == pytest.approx(0.0437, abs=1e-4)
    assert point["drop"]["mean"] > 20
    assert point["energy_pj"]["lowered"]["unit"] == "pJ"
    assert set(point["saved"]) == {"multiplier", "array", "on_chip", "with_dram"}
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


@pytest.mark.slow
def test_the_array_as_tables(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    Plan(precision="int(a_bits=4,b_bits=4)", multiplier="exact(width=4)").save(plan)
    options = [
        "--of",
        "array",
        "--voltages",
        "1.1,0.75",
        "--limit",
        "20",
        "--plan",
        str(plan),
        "--policy",
        "te_drop",
        "--layer-voltage",
        "conv1=1.1",
    ]
    result = CliRunner().invoke(voltage, [*NETWORK, *options])
    assert result.exit_code == 0
    assert "policy te_drop, 20 test images" in result.stdout
    assert "unverified" in result.stdout
    assert "held weights" in result.stdout


@pytest.mark.slow
def test_a_life_as_one_object_and_as_a_table(tmp_path: Path) -> None:
    options = ["--ages", "0,10", "--limit", "50", "--choose", "50", "--no-timing-errors", "--calibration", "minmax"]
    picture = tmp_path / "life.svg"
    result = CliRunner().invoke(lifetime, [*NETWORK, *options, "--json", "--picture", str(picture)])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["guardband"] == pytest.approx(0.0875, abs=1e-3)
    assert [age["years"] for age in found["ages"]] == [0, 10]
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    assert "at the last age it is 8.8 % longer" in CliRunner().invoke(lifetime, [*NETWORK, *options]).stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--voltages", "low"], DataError, r"--voltages must be numbers with commas between them, as 0.9,0.8, not 'low'"),
        (["--voltages", "0.5"], FaultError, r"a memory's voltage must be 0.75..1 times its lowest error-free one"),
        (["--of", "array", "--voltages", "0.39"], HardwareError, r"a voltage must be above 0.4 V"),
        (["--of", "array", "--policy", "retry"], FaultError, r"a policy must be one of none, te_drop, boost, not 'retry'"),
        (["--of", "array", "--layer-voltage", "conv1"], DataError, r"--layer-voltage must be a layer and volts, as conv1=1.0, not 'conv1'"),
        (["--of", "array", "--layer-voltage", "convx=1"], FaultError, r"must be one of conv1, conv2, .*, not 'convx'"),
        (["--network", "lenet6"], UnknownNameError, r"lenet6"),
    ],
)
def test_bad_supplies_are_refused(options: list[str], error: type[InexactError], message: str) -> None:
    with pytest.raises(error, match=message):
        raise refused(voltage, *options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--ages", "young"], DataError, r"--ages must be numbers with commas between them, as 0.9,0.8, not 'young'"),
        (["--ages=-1,3"], FaultError, r"an age must be 0..100 years, not -1.0"),
        (["--temperature", "300"], FaultError, r"a temperature must be -55..175 C"),
        (["--ten-years", "2"], FaultError, r"the drift after ten years must be 0..0.5 V, not 2.0"),
        (["--voltage", "0.42"], HardwareError, r"a voltage must be above 0.4"),
        (["--coding", "signed"], FaultError, r"coding must be one of unsigned, sign_magnitude"),
        (["--calibration", "kl"], FaultError, r"calibrations must be some of minmax, percentile, mse, not kl"),
    ],
)
def test_lives_no_chip_has_are_refused(options: list[str], error: type[InexactError], message: str) -> None:
    with pytest.raises(error, match=message):
        raise refused(lifetime, *options)
