"""Multipliers with a stuck net: ports by arithmetic, nets by the edited netlist, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from inexact import circuits, units
from inexact.circuits import stuck_at
from inexact.core.errors import CircuitError, SpecError
from inexact.units.stuck_at import netlist_of, product_word


@pytest.mark.parametrize("value", [0, 1])
def test_ports_of_a_signed_unit(value: int) -> None:
    a = np.arange(-128, 128)[:, None]
    b = np.arange(-128, 128)[None, :]

    def bits(words: np.typing.NDArray[np.int64], bit: int, width: int) -> np.typing.NDArray[np.int64]:
        pattern = words % (1 << width)
        cleared = pattern - (pattern >> bit & 1) * (1 << bit) + value * (1 << bit)
        return np.where(cleared >= 1 << (width - 1), cleared - (1 << width), cleared)

    for net, expected in (("y[14]", bits(a * b, 14, 16)), ("y[15]", bits(a * b, 15, 16)), ("a[7]", bits(a, 7, 8) * b)):
        unit = units.get(f"stuck_at(multiplier=exact(signed=true),net='{net}',value={value})")
        np.testing.assert_array_equal(unit(a, b), expected)
        circuit = unit.circuit()
        assert circuit is not None
        np.testing.assert_array_equal(circuits.table(circuit), unit.table())


def test_nets_are_those_of_the_netlist_with_adders_as_gates() -> None:
    inner = units.get("trunc(cut=3)")
    circuit = netlist_of(inner)
    assert circuit is not None
    for fault in stuck_at.faults(circuit)[::97]:
        net = stuck_at.name_of(circuit, fault)
        unit = units.get(f"stuck_at(multiplier=trunc(cut=3),net='{net}',value={fault.value})")
        np.testing.assert_array_equal(unit.table(), circuits.table(stuck_at.faulty(circuit, fault)))


def test_the_product_register_of_a_table() -> None:
    table = np.array([[-9, 3], [4, 200]]).repeat(2, 0).repeat(2, 1)
    assert product_word(units.from_table(table, signed=False, width=(2, 2))) == (9, True)
    assert product_word(units.from_table(np.abs(table), signed=False, width=(2, 2))) == (8, False)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("stuck_at(net='n9999')", CircuitError, r"has no net 'n9999'.*its branches|branches of net n57"),
        ("stuck_at(net='y[16]')", SpecError, r"bit of y must be 0\.\.15 in exact, not 16"),
        ("stuck_at(net='a[8]')", SpecError, r"bit of a must be 0\.\.7 in exact, not 8"),
        ("stuck_at(value=2)", SpecError, "value of stuck_at must be 0 or 1, not 2"),
        ("stuck_at(net=5)", SpecError, "net of stuck_at must be a name"),
        ("stuck_at(multiplier=exact(width=4),width=5)", SpecError, r"width must be the multiplier's \(4x4\)"),
    ],
)
def test_refusals(spec: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        units.get(spec)


def test_a_table_has_no_nets() -> None:
    table = units.from_table(np.zeros((256, 256), np.int32), signed=False)
    with pytest.raises(SpecError, match="has no netlist whose nets could be stuck; take a bit of an operand"):
        units.get(f"stuck_at(multiplier={table.spec},net=n57,value=1)")
