"""When each bit of a product settles: by static timing, and in transitions of the operands that a network multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits.synthesis import Surroundings, core_surroundings, timing
from inexact.nn import ApproxModel, Data, operand_histograms
from inexact.reliability._stage import Stage, latest_changes
from inexact.reliability.late_products import stages

TRANSITIONS = 8192


@final
@dataclass(frozen=True, kw_only=True)
class BitTimes:
    """One output bit of a unit. static_ns: worst path. latest_ns: the latest change in the sample, no bound. late: share of the sampled
    transitions after which the bit still changes when the clock comes, one a supply."""

    unit: str
    bit: int
    static_ns: float
    latest_ns: float
    late: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"unit": self.unit, "bit": self.bit, "static_ns": self.static_ns, "latest_ns": self.latest_ns, "late": list(self.late)}


def bit_times(net: ApproxModel, data: Data, voltages: Sequence[float], *, margin: float = 0.0, seed: int = 0) -> list[BitTimes]:
    """Every output bit of every unit of a network, lowest first, at the clock of static timing at nominal voltage.

    Transitions: 8,192 of the activation under a held weight, both drawn from what all layers of the unit meet in 16 inputs. Raises
    FaultError and HardwareError as `stage` and its voltages do.
    """
    known = stages(net, margin=margin)
    met = operand_histograms(net, data, images=16)
    found = []
    for spec, stage in {own.unit.spec: own for own in known.values()}.items():
        names = [name for name in met if known[name].unit.spec == spec]
        a, b = (sum(getattr(met[name], side).astype(np.float64) for name in names) for side in ("a", "b"))
        found += _of_unit(spec, stage, np.asarray(a), np.asarray(b), voltages, seed)
    return found


def _of_unit(
    spec: str, stage: Stage, a: NDArray[np.float64], b: NDArray[np.float64], voltages: Sequence[float], seed: int
) -> list[BitTimes]:
    generator = np.random.default_rng(seed)
    before, after = (generator.choice(len(a), TRANSITIONS, p=a / a.sum()) for _ in range(2))
    held = generator.choice(len(b), TRANSITIONS, p=b / b.sum())
    latest = latest_changes(stage, (before, held), (after, held))
    mapped = stage.sampler.mapped
    arrival, _ = timing(mapped, core_surroundings(mapped.library, Surroundings()))
    edges = [stage.edge_ns(stage.slowdown(volts)) for volts in voltages]
    return [
        BitTimes(
            unit=spec,
            bit=bit,
            static_ns=max(0.0, float(arrival[net].max())),
            latest_ns=float(latest[:, bit].max()),
            late=tuple(float((latest[:, bit] > edge).mean()) for edge in edges),
        )
        for bit, net in enumerate(mapped.output_nets)
    ]
