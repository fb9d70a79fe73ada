"""Units as gates at other widths than the samples', and how their cells compare with the declared counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from inexact import circuits, units
from inexact.core.errors import SpecError
from inexact.units import adders, multipliers

WITH_CIRCUIT = {
    *("exact", "trunc", "operand_trunc", "bam", "perforation", "kulkarni", "drum", "dsm", "ssm", "mitchell", "mbm", "ilm", "roba"),
    *("tosam", "mitchw", "realm", "scaletrim", "pr", "asm", "recursive", "compressor", "powers", "csd", "pn", "lvrm", "axbxp"),
    *("sign_magnitude", "stochastic"),
    *("exact_adder", "trunc_adder", "loa", "copy_adder", "eta1", "eta2", "aca", "gear"),
}
WIDE = [
    *("exact", "trunc(cut=9,correction=constant)", "trunc(cut=5,signed=true)", "operand_trunc(cut_a=3,cut_b=5,signed=true)"),
    *("bam(hbl=3,vbl=9)", "perforation(start=2,count=5,signed=true)", "kulkarni", "drum(k=5)", "dsm(m=6)", "mitchell", "mbm"),
    *("ilm(blocks=2)", "roba", "exact(signed=true)", "tosam(h=3,t=7)", "mitchw(w=5)", "realm(segments=8,drop=3)", "realm(segments=16)"),
    *("scaletrim(h=4,segments=8)", "scaletrim(h=1,segments=0)", "recursive(blocks=p)", "compressor(compressor=yang1,columns=14)"),
    *(
        "compressor(compressor=venkatachalam,columns=15)",
        "pn(mode=positive,bits=4)",
        "lvrm(mode=2)",
        "sign_magnitude(multiplier=drum(k=5))",
    ),
    *("sign_magnitude(multiplier=mitchw(w=6),complement=one)", "pr(k=2,m=4)", "pr(k=0,m=5)", "axbxp(kept=9)"),
    *("axbxp(mode=dynamic,block=2,kept=2)", "axbxp(mode=dynamic,block=3,kept=2)", "sign_magnitude(multiplier=axbxp(block=4,kept=3))"),
]
WIDEST = [(32, 28), (30, 30), (17, 32)]
CELL_OF = {
    "inv": "not",
    "and2": "and",
    "nand2": "nand",
    "or2": "or",
    "xor2": "xor",
    "xnor2": "xnor",
    "half_adder": "half",
    "full_adder": "full",
}


@pytest.mark.parametrize("name", [*multipliers, *adders])
def test_no_unit_loses_its_circuit(name: str) -> None:
    family = multipliers if name in multipliers else adders
    for unit in family[name].samples():
        circuit = unit.circuit()
        if name in WITH_CIRCUIT:
            assert circuit is not None
            assert circuit is unit.circuit()
            assert circuit.name.isidentifier()
        if name == "table":
            assert circuit is None


def with_width(unit: Any, width: tuple[int, int]) -> Any:
    return dataclasses.replace(unit, width=width)


@pytest.mark.parametrize("width", [(12, 12), (16, 16), (9, 13), (16, 10), *(pytest.param(pair, marks=pytest.mark.slow) for pair in WIDEST)])
@pytest.mark.parametrize("spec", WIDE)
def test_wide_multipliers(spec: str, width: tuple[int, int]) -> None:
    if spec.startswith(("pr(", "recursive(")):
        width = (width[0] + width[0] % 2, width[1] + width[1] % 2)  # whole digits
    unit = with_width(units.get(spec), width)
    rng = np.random.default_rng(0)
    low, high = zip(*(unit.operand_range(side) for side in (0, 1)), strict=True)
    a, b = (rng.integers(low[side], high[side], 20000, endpoint=True) >> rng.integers(0, bits, 20000) for side, bits in enumerate(width))
    for side, operand in enumerate((a, b)):
        operand[:3] = 0, low[side], high[side]
    circuit = unit.circuit()
    assert circuit is not None
    np.testing.assert_array_equal(circuits.evaluate(circuit, a, b), unit(a, b))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(WITH_CIRCUIT & {*multipliers}))
def test_all_pairs_of_six_bits(name: str) -> None:
    proven = 0
    for sample in multipliers[name].samples():
        try:
            unit = with_width(sample, (6, 6))
        except SpecError:
            continue  # this setting does not exist at six bits
        circuit = unit.circuit()
        assert circuit is not None
        np.testing.assert_array_equal(circuits.table(circuit), unit.table(), err_msg=unit.spec)
        proven += 1
    assert proven or name == "sign_magnitude"  # whose width is that of the unit inside


@pytest.mark.slow
@pytest.mark.parametrize("spec", WIDE)
def test_all_pairs_of_twelve_bits(spec: str) -> None:
    unit = with_width(units.get(spec), (12, 12))
    circuit, b = unit.circuit(), unit.operand_values(1)
    assert circuit is not None
    rows = 256
    for start in range(0, 4096, rows):
        _, found = next(circuits.stream(circuit, block=rows << 12, start=start << 12, stop=(start + rows) << 12))
        a = unit.operand_values(0)[start : start + rows]
        np.testing.assert_array_equal(found.reshape(rows, 4096), unit(a[:, None], b[None, :]))


@pytest.mark.parametrize(
    "spec",
    [
        "exact(width=(32,28))",
        "realm(segments=8,width=30)",
        "drum(k=6,width=(17,32))",
        "csd(digits=3,width=(4,9))",
        "csd(digits=6,width=(4,11))",
        "csd(digits=4,width=16)",
        "powers(terms=3,width=(4,10))",
        "powers(terms=2,width=(12,16))",
        "ssm(m=8,width=12)",
        "ssm(m=9,width=(16,12))",
        "drum(k=3,width=6)",
        "mbm(width=6)",
        "roba(width=(3,6))",
    ],
)
def test_other_widths(spec: str) -> None:
    unit = units.get(spec)
    circuit = unit.circuit()
    assert circuit is not None
    if sum(unit.width) <= 20:
        np.testing.assert_array_equal(circuits.table(circuit), unit.table())
    else:
        rng = np.random.default_rng(1)
        a, b = (rng.integers(0, 1 << bits, 50000) for bits in unit.width)
        np.testing.assert_array_equal(circuits.evaluate(circuit, a, b), unit(a, b))


@pytest.mark.parametrize("spec", ["csd(digits=2,signed=true,width=(4,9))", "powers(terms=3,signed=true,width=(3,10))"])
def test_signed_weights_of_more_than_eight_bits(spec: str) -> None:
    unit = units.get(spec)
    circuit = unit.circuit()
    assert circuit is not None
    np.testing.assert_array_equal(circuits.table(circuit), unit.table())


@pytest.mark.parametrize("width", [16, 31])
@pytest.mark.parametrize("name", ["exact_adder", "loa", "trunc_adder", "copy_adder", "eta1", "eta2", "aca", "gear"])
def test_wide_adders(name: str, width: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 1 << width, (2, 20000))
    for sample in adders[name].samples():
        unit = with_width(sample, (width, width))
        circuit = unit.circuit()
        assert circuit is not None
        np.testing.assert_array_equal(circuits.evaluate(circuit, a, b), unit(a, b))


@pytest.mark.parametrize("name", ["exact", "trunc", "bam", "perforation", "operand_trunc", "exact_adder", "trunc_adder"])
def test_arrays_have_the_counted_cells(name: str) -> None:
    """The counted cells of a carry-save array; a tree, or a constant folded into another adder of its column, moves a few."""
    family = multipliers if name in multipliers else adders
    for unit in family[name].samples():
        gates, circuit = unit.gates(), unit.circuit()
        assert gates is not None
        assert circuit is not None
        counted, found = {CELL_OF[gate]: count for gate, count in gates.counts().items()}, circuit.counts()
        if unit.signed or "correction" in unit.spec:
            assert found.get("and") == counted.get("and")
            assert found.get("nand") == counted.get("nand")
            assert abs(found["full"] - counted["full"]) <= 1
            assert abs(sum(found.values()) - sum(counted.values())) <= 12
        elif name in {"exact_adder", "trunc_adder", "bam"}:
            assert found == counted, unit.spec
        else:
            assert found.get("and") == counted.get("and"), unit.spec
            assert abs(sum(found.values()) - sum(counted.values())) <= 12, unit.spec
