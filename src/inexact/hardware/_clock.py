"""Whether the exact processing element of an accelerator fits its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inexact.core.errors import HardwareError
from inexact.hardware._pe import element_cost
from inexact.hardware._rates import slowdown
from inexact.hardware._subword import WIDTH, overhead

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator


def exact_delay(machine: Accelerator) -> float:
    """Clock to clock in ns of the machine's exact processing element."""
    own = {"passes": f"exact(width={machine.narrow_bits})", "subword": f"exact(width={WIDTH})"}.get(machine.style, "exact(signed=true)")
    exact = element_cost(machine.multiplier or own)
    slow = slowdown(machine.technology, machine.voltage)
    if machine.style.startswith("serial"):  # a row of gates in front of an adder
        return machine.technology["adder_delay"].value * slow
    return exact.delay * machine.rates.scale.delay * overhead(machine, "delay")


def check_clock(machine: Accelerator) -> None:
    """Raise HardwareError when the exact processing element does not fit a cycle."""
    path = exact_delay(machine)
    if path > machine.period_ns:
        raise HardwareError(
            f"array.clock_mhz of {machine.name} must be at most {1000 / path:.0f} MHz (the exact processing element takes {path:.3g} ns), "
            f"not {machine.numbers['array.clock_mhz'].value:g}; lower it"
        )
