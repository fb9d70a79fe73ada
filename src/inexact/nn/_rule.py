"""What is planned for one layer."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from inexact import precision as precision_formats
from inexact.core.errors import FormatError, PlanError, near
from inexact.core.families import FAMILIES
from inexact.core.numbers import SYSTEMS
from inexact.core.registry import parse_call
from inexact.core.workload import CODINGS
from inexact.nn._modes import GRANULARITIES
from inexact.nn._numbers import factors
from inexact.nn._tables import coded_table
from inexact.nn.gradients import gradients
from inexact.precision import Format, Int, MixedFormat
from inexact.reduction import reductions
from inexact.units import Accumulator, FloatMultiplier, Multiplier, float_multipliers, multipliers

LONGEST_CORRECTED = 53
"""Bits of a product from which on corrections, which are integers of 64 bits, cannot hold sums."""

WIDEST_TABLE = 8
"""Bits of an operand up to which layers run on a unit's table."""

PADDINGS = ("multiplied", "skipped")


@dataclass(frozen=True, kw_only=True, repr=False)
class Rule:
    """How one layer computes.

    multiplier: spec or unit; "exact" takes the width and sign format and coding need; numbers that are no integers have units of theirs.
    precision: format spec such as "int8", "w4a8", "int(a_bits=8,b_bits=4,granularity=per_channel)" or "e4m3".
    coding: "unsigned" (affine codes), "signed" (two's complement) or "sign_magnitude" (unsigned unit on (a, |b|), sign restored).
    padding: "multiplied" (the code of zero goes through the unit) or "skipped" (the PE is gated).
    recovery: spec of the correction applied after calibration, such as "bias_correction"; "none".
    accumulator: "exact", or a `units.Accumulator` or its spec: the raw products of codes are summed by it, in its order; the corrections by
    zero points stay exact and are added after.
    reduction: spec of what products are left out, such as "structured_sparsity(n=2,m=4)" or "sign_termination"; "none".
    modes: "uniform", the mode the spec names; or "per_weight", "per_filter": a mode of the unit's circuit for each, which is stored with
        the weights (a recovery chooses them, or `set_modes` of the layer).
    gradient: spec of the unit's derivative in training: "straight_through", "smoothed_difference(half_window=16)", "linear_fit",
        "low_rank(rank=2)".

    Raises PlanError when unit, precision and coding do not fit each other.
    """

    multiplier: str | Multiplier = "exact"
    precision: str | Format = "int8"
    coding: str = "unsigned"
    padding: str = "multiplied"
    recovery: str = "none"
    accumulator: str | Accumulator = "exact"
    gradient: str = "straight_through"
    reduction: str = "none"
    modes: str = "uniform"

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", precision_formats.get(self.precision).spec)
        object.__setattr__(self, "multiplier", self._canonical_multiplier())
        _one_of("coding", self.coding, CODINGS)
        _one_of("padding", self.padding, PADDINGS)
        _one_of("modes", self.modes, GRANULARITIES)
        if self.accumulator != "exact":
            object.__setattr__(self, "accumulator", Accumulator.get(self.accumulator).spec)
        object.__setattr__(self, "reduction", reductions.get(self.reduction).spec)
        if self.modes != "uniform":
            self._check_modes()
        if self.format.block is not None:
            self._check_blocks()
        if self.format.system is not None:
            self._check_numbers()
            return
        self._check_unit()
        self._check_wide()
        self._check_mixed()
        self._check_accumulator()
        self._check_gradient()

    @cached_property
    def format(self) -> Format:
        """The number format."""
        return precision_formats.get(self.precision)

    def _canonical_multiplier(self) -> str:
        """The spec; a unit of another kind of operands than the format's is refused."""
        if not isinstance(self.multiplier, str):
            if not isinstance(self.multiplier, Multiplier | FloatMultiplier):
                raise PlanError(f"a multiplier must be a unit or its spec such as 'trunc(cut=4)', not {self.multiplier!r}")
            return self.multiplier.spec
        name = getattr(parse_call(self.multiplier).func, "id", "")
        system = self.format.system
        if name == "exact" and system is not None and self.multiplier.strip() == "exact":
            return "exact"
        if (name in float_multipliers) != (system is not None):
            wanted = "a unit of integers" if system is None else f"a unit of {system}, such as {_exact_unit(system)}"
            raise PlanError(f"{self.precision} needs {wanted}, not {self.multiplier}: change the unit or the precision")
        return multipliers.get(self.multiplier).spec if system is None else float_multipliers.get(self.multiplier).spec

    @property
    def exact_unit(self) -> str:
        """Spec of the exact multiplier of the format's number system. FormatError for integers."""
        if self.format.system is None:
            raise FormatError(f"{self.precision} is a format of integers")
        return _exact_unit(self.format.system)

    @cached_property
    def unit(self) -> Multiplier | FloatMultiplier:
        """The multiplier, with the width and sign of the format and coding when it is the exact one."""
        if self.format.system is not None:
            return float_multipliers.get(self.exact_unit if self.multiplier == "exact" else str(self.multiplier))
        unit = multipliers.get(self.multiplier)
        if unit.spec == "exact":
            b_bits = self.format.b_bits
            return multipliers["exact"](width=(self.format.a_bits, b_bits), signed=self.coding == "signed")  # type: ignore[call-arg]
        return unit

    @property
    def exact(self) -> bool:
        """Whether every product and every sum is exact: of logarithms, as the system's own table of powers rounds them."""
        if self.format.system is not None:
            return self.unit.spec == self.exact_unit
        return self.unit.family_name == "exact" and self.accumulator == "exact"

    @cached_property
    def families(self) -> frozenset[str]:
        """The families of approximation it uses, of `core.families.FAMILIES`; none: exact 8-bit integers."""
        form = self.format
        scaled = not isinstance(form, Int) or (form.a_bits, form.b_bits) != (8, 8)
        return frozenset(itertools.compress(FAMILIES, (self.reduction != "none", not self.exact, scaled)))

    @cached_property
    def wide(self) -> bool:
        """Whether integer operands are too wide for a table of the unit: its products are then formed one by one."""
        return self.format.system is None and self.unit.family_name != "exact" and max(self.unit.width) > WIDEST_TABLE

    @cached_property
    def sums(self) -> Accumulator | None:
        """The accumulator; None when sums are exact."""
        return None if self.accumulator == "exact" else Accumulator.get(self.accumulator)

    def __repr__(self) -> str:
        """Only what differs from the defaults."""
        return f"Rule({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"

    def to_dict(self) -> dict[str, str]:
        """Only what differs from the defaults, as strings, for TOML."""
        return {f.name: str(getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != _DEFAULTS[f.name]}

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, key: str = "default") -> Rule:
        """A rule from a TOML table. Raises PlanError for unknown entries."""
        for name in values:
            if name not in _DEFAULTS:
                raise PlanError(f"rule {key!r} has no entry {name!r}{near(name, _DEFAULTS)} Entries: {', '.join(_DEFAULTS)}")
        return cls(**values)

    def but(self, **changes: Any) -> Rule:
        """A copy with some entries changed."""
        return dataclasses.replace(self, **changes)

    def _check_blocks(self) -> None:
        """Elements carry their sign; sums are those of blocks, in float32."""
        if self.coding == "sign_magnitude":
            raise PlanError(f"elements of {self.precision} have a sign, activations too: leave coding 'sign_magnitude' away")
        object.__setattr__(self, "coding", "signed")
        if self.accumulator != "exact":
            raise PlanError(f"sums of {self.precision} are formed block by block: leave the accumulator {self.accumulator} away")
        if self.recovery != "none":
            raise PlanError(f"sums of {self.precision} are float32, which {self.recovery} cannot correct: leave the recovery away")
        if self.gradient != "straight_through":
            raise PlanError(f"the gradient of {self.precision} must be straight_through, not {self.gradient}")

    def _check_numbers(self) -> None:
        """Numbers carry their sign, so that they have one coding; they have no tables of integers."""
        assert isinstance(self.unit, FloatMultiplier)
        if self.unit.format != self.format.system:
            raise PlanError(f"unit and format must agree: {self.precision} needs a unit of {self.format.system}, {self.unit.spec} is not")
        if self.coding == "sign_magnitude":
            raise PlanError(f"{self.precision} has its own coding: leave coding 'sign_magnitude' away")
        object.__setattr__(self, "coding", "signed")
        if self.accumulator != "exact":
            raise PlanError(f"sums of {self.precision} are exact: leave the accumulator {self.accumulator} away")
        if self.recovery != "none" and factors(self.unit.spec).product_bits >= LONGEST_CORRECTED:
            raise PlanError(f"sums of {self.precision} are too long for the integers of {self.recovery}: leave the recovery away")
        if self.gradient != "straight_through":
            raise PlanError(f"the gradient of {self.precision} must be straight_through, not {self.gradient}")

    def _check_unit(self) -> None:
        unit, a_bits, b_bits = self.unit, self.format.a_bits, self.format.b_bits
        if self.format.b_grid is not None and not isinstance(self.format, MixedFormat) and self.coding != "sign_magnitude":
            raise PlanError(f"{self.precision} codes weights in sign and magnitude: use coding 'sign_magnitude', not {self.coding!r}")
        if unit.signed != (self.coding == "signed"):
            if unit.signed:
                raise PlanError(f"coding {self.coding!r} needs a unit for unsigned operands; {unit.spec} is signed: use coding 'signed'")
            raise PlanError(
                f"coding 'signed' needs a unit for signed operands; {unit.spec} is unsigned: use coding 'sign_magnitude' or 'unsigned', or "
                "make the unit signed by sign_magnitude(multiplier=…)"
            )
        fitting = {(a_bits, b_bits)}
        if self.coding == "sign_magnitude":
            fitting.add((a_bits, b_bits - 1))
        if unit.width not in fitting:
            wanted = " or ".join(f"{a}x{b}" for a, b in sorted(fitting, reverse=True))
            raise PlanError(
                f"unit and format must agree in width: {self.precision} under {self.coding} coding needs a {wanted} unit, "
                f"{unit.spec} is {unit.width[0]}x{unit.width[1]}; give the unit width=({a_bits},{b_bits}) or change the precision"
            )

    def _check_wide(self) -> None:
        if self.wide and self.accumulator != "exact":
            raise PlanError(f"sums of {self.unit.spec}, wider than {WIDEST_TABLE} bits, are exact: leave the accumulator away")
        if self.wide and self.gradient != "straight_through":
            raise PlanError(
                f"the gradient of {self.unit.spec}, wider than {WIDEST_TABLE} bits, must be straight_through, not {self.gradient}"
            )

    def _check_mixed(self) -> None:
        form = self.format
        if not isinstance(form, MixedFormat):
            return
        if self.coding not in form.codings:
            raise PlanError(f"{self.precision} has no {self.coding} codes: use coding {' or '.join(map(repr, form.codings))}")
        if not self.exact:
            raise PlanError(
                f"{self.precision} has operands of several widths or scales, which {self.multiplier} and {self.accumulator} sums of one "
                "width do not fit: leave multiplier and accumulator exact"
            )
        if self.reduction != "none":
            raise PlanError(f"{self.precision} and {self.reduction} do not go together in one layer: leave one of them away")

    def _check_modes(self) -> None:
        unit = self.unit
        if not isinstance(unit, Multiplier) or not unit.modes():
            raise PlanError(
                f"modes {self.modes!r} need a reconfigurable unit, such as pn or lvrm, but {unit.spec} has one mode: leave modes away"
            )
        if self.wide:
            raise PlanError(f"modes are for operands of at most {WIDEST_TABLE} bits, which {unit.spec} is wider than: leave modes away")
        for entry, plain in (("accumulator", "exact"), ("reduction", "none"), ("gradient", "straight_through")):
            if getattr(self, entry) != plain:
                raise PlanError(f"{entry} must be {plain} where weights have modes, not {getattr(self, entry)}: leave one of them away")

    def _check_accumulator(self) -> None:
        if self.sums is None:
            return
        if self.padding == "skipped":
            raise PlanError("padding must be 'multiplied' with an accumulator: which additions a gated PE leaves out is not modelled")
        table = coded_table(self.unit.spec, self.coding, self.format.b_bits)
        (low, high), (least, most) = (int(table.min()), int(table.max())), self.sums.value_range
        if low < least or high > most:
            needed = max(-low - 1, high, 1).bit_length() + 1
            raise PlanError(
                f"an accumulator must hold every product of {self.unit.spec} ({low}..{high}), "
                f"but {self.sums.width} bits hold {least}..{most}: give it at least {needed} bits"
            )

    def _check_gradient(self) -> None:
        gradient = gradients.get(self.gradient)
        object.__setattr__(self, "gradient", gradient.spec)
        if self.exact:
            return
        for bits, signed in ((self.format.a_bits, self.coding == "signed"), (self.format.b_bits, self.coding != "unsigned")):
            gradient.check(2**bits - signed)


_DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(Rule)}


def _exact_unit(system: str) -> str:
    name = f"float_mantissa(format={system},multiplier=exact)" if SYSTEMS[system].linear else f"log_addition(format={system})"
    return float_multipliers.get(name).spec


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise PlanError(f"{name} must be one of {', '.join(known)}, not {value!r}{near(value, known)}")
