"""A register bit of one processing element that holds a constant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast, final

from torch import nn

from inexact import hardware
from inexact.core.errors import FaultError, SpecError, near
from inexact.reliability._array import REGISTERS
from inexact.reliability._base import ChipFault, Site, Stratum, Where, as_bits, as_layers, chosen_bits, chosen_places, faults
from inexact.reliability._broken import ElementFault, check_element_range, check_layer, placements, with_broken_element
from inexact.reliability._stuck_tables import register_bits
from inexact.reliability._subject import Subject

TENSOR: dict[str, Where] = {"product": "product", "sum": "accumulator", "activation": "register", "weight": "register"}
"""Register -> what a site of it is called."""


@faults.register("pe_stuck_at")
@final
@dataclass(frozen=True, kw_only=True)
class ElementStuckAt(ChipFault):
    """One bit of one register of one element of the array is stuck, in every layer that the array computes.

    register: "product", "sum" (of partial sums, forced at each pass), "activation" or "weight". bits: which; () all that the register
    has. values: 0, 1 or both. element: (row, column); () all of the array. layers: those that run on the array, names or globs; () all.
    accelerator: preset or TOML file; it gives the array and, for every layer, the mapping. dataflow: in place of the mapping's choice.

    Conv2d and Linear layers of integers of one scale, with any unit and accumulator; which element meets what: docs/derivations/
    array_faults.md.

    Reference: A. Siddique, K. Basu, K. A. Hoque, "Exploring fault-energy trade-offs in approximate DNN hardware accelerators",
    ISQED 2021, arXiv:2101.02860
    """

    register: str = field(default="product", metadata={"written": True})
    bits: int | tuple[int, ...] = ()
    values: int | tuple[int, ...] = (0, 1)
    element: tuple[int, ...] = ()
    layers: str | tuple[str, ...] = ()
    accelerator: str = "edge-16x16"
    dataflow: str = ""

    def __post_init__(self) -> None:
        if self.register not in REGISTERS:
            raise SpecError(f"register must be one of {', '.join(REGISTERS)}, not {self.register!r}{near(str(self.register), REGISTERS)}")
        object.__setattr__(self, "bits", as_bits(self.bits))
        object.__setattr__(self, "layers", as_layers(self.layers))
        object.__setattr__(self, "values", stuck_values(self.values))
        object.__setattr__(self, "element", one_element(self.element))

    def strata(self, subject: Subject) -> Iterable[Stratum]:
        """One a bit and value: all elements of the array."""
        machine = hardware.load(self.accelerator)
        check_element_range(self.element, machine.rows, machine.columns)
        placements(subject.net, machine, self._names(subject), dataflow=self.dataflow)
        size = 1 if self.element else machine.rows * machine.columns
        for bit in self._chosen_bits(subject):
            for value in self.values:  # type: ignore[union-attr]
                yield Stratum(layer="", tensor=TENSOR[self.register], bit=bit, size=size, part=f"{self.register} stuck at {value}")

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """Elements are numbered row by row."""
        columns = hardware.load(self.accelerator).columns
        index = cast("tuple[int, int]", self.element or divmod(number, columns))
        return Site(
            layer="", tensor=stratum.tensor, index=index, bit=stratum.bit, kind=kind_of(int(stratum.part[-1])), persistence="permanent"
        )

    def faulty(self, subject: Subject, site: Site) -> nn.Module:
        """See `reliability.with_broken_element`."""
        where = placements(subject.net, self.accelerator, self._names(subject), dataflow=self.dataflow)
        assert site.bit is not None
        fault = ElementFault(
            row=site.index[0], column=site.index[1], value=int(site.kind == "stuck1"), register=cast("Any", self.register), bit=site.bit
        )
        return with_broken_element(subject.net, where, fault)

    def _names(self, subject: Subject) -> list[str]:
        return [place.name for place in chosen_places(subject, as_layers(self.layers))]

    def _chosen_bits(self, subject: Subject) -> tuple[int, ...]:
        """Of the narrowest register that the chosen layers use."""
        rules = [check_layer(subject.places[name].layer).rule for name in self._names(subject)]
        return chosen_bits(as_bits(self.bits), min(register_bits(rule, self.register) for rule in rules), f"a {self.register} register")


def stuck_values(values: int | tuple[int, ...]) -> tuple[int, ...]:
    """Values of a spec, where one may stand alone. Raises SpecError for others than 0 and 1."""
    found = (values,) if isinstance(values, int) else values
    if not isinstance(found, tuple) or not found or not set(found) <= {0, 1} or any(isinstance(value, bool) for value in found):
        raise SpecError(f"values must be 0, 1 or both, as in (0,1), not {values!r}")
    return tuple(dict.fromkeys(found))


def one_element(element: int | tuple[int, ...]) -> tuple[int, ...]:
    """An element of a spec: (row, column), one number for both, () for all. SpecError for others."""
    found = (element, element) if isinstance(element, int) else element  # specs write equal pairs as one number
    whole = isinstance(found, tuple) and all(isinstance(place, int) and not isinstance(place, bool) and place >= 0 for place in found)
    if not whole or len(found) not in {0, 2}:
        raise SpecError(f"element must be a row and a column, as in (0,3), not {element!r}")
    return found


def kind_of(value: int) -> Any:
    """The kind of a stuck-at site."""
    if value not in {0, 1}:
        raise FaultError(f"a bit can be stuck at 0 or 1, not at {value!r}")
    return "stuck1" if value else "stuck0"
