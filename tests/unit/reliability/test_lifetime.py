"""Operands of fewer bits over a chip's life: timing with zeros held, the choice, what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from inexact.core.errors import FaultError, HardwareError
from inexact.reliability._ageing import PowerLaw
from inexact.reliability._fewer_bits import Width, feasible, sensitised_ns, widths
from inexact.reliability._lifetime import Settings, lifetime
from inexact.reliability._stage import latest_changes, stage


@pytest.fixture(scope="module")
def known() -> Sequence[Width]:
    return widths(stage("exact(width=4)"))


def width(known: Sequence[Width], a_bits: int, b_bits: int) -> Width:
    return next(found for found in known if (found.a_bits, found.b_bits) == (a_bits, b_bits))


def test_every_pair_of_widths_is_timed_and_none_is_slower_than_a_wider_one(known: Sequence[Width]) -> None:
    assert [(found.a_bits, found.b_bits) for found in known] == [(a, b) for a in (4, 3, 2) for b in (4, 3, 2)]
    assert known[0].static_ns == pytest.approx(stage("exact(width=4)").path_ns)
    for found in known:
        for other in known:
            if other.a_bits <= found.a_bits and other.b_bits <= found.b_bits:
                assert other.static_ns <= found.static_ns + 1e-12
    assert width(known, 2, 2).static_ns < 0.7 * known[0].static_ns


@pytest.mark.parametrize("bits", [(4, 3), (3, 3), (2, 4)])
def test_no_transition_of_padded_operands_takes_longer_than_its_static_path(known: Sequence[Width], bits: tuple[int, int]) -> None:
    found, own = stage("exact(width=4)"), width(known, *bits)
    shifts = [4 - used if side == "low" else 0 for used, side in zip(bits, own.padding, strict=True)]
    a, b = (np.arange(1 << used) << shift for used, shift in zip(bits, shifts, strict=True))
    a0, b0, a1, b1 = (grid.ravel() for grid in np.meshgrid(a, b, a, b, indexing="ij"))
    longest = latest_changes(found, (a0, b0), (a1, b1)).max()
    assert longest <= own.static_ns + 12 * found.sampler.tick
    assert 0.9 * longest <= sensitised_ns(found, own) <= longest


def test_feasible_widths_meet_the_clock_and_none_exceeds_another() -> None:
    def made(a_bits: int, b_bits: int, cycle: float) -> Width:
        return Width(a_bits=a_bits, b_bits=b_bits, padding=("high", "high"), static_ns=cycle, cycle_ns=cycle)

    known = [made(8, 8, 1.0), made(8, 7, 0.95), made(7, 8, 0.9), made(7, 7, 0.88), made(6, 8, 0.85)]
    found = {factor: [(w.a_bits, w.b_bits) for w in feasible(known, 1.0, factor)] for factor in (1.0, 1.06, 1.12, 1.15)}
    assert found == {1.0: [(8, 8)], 1.06: [(7, 8)], 1.12: [(7, 7), (6, 8)], 1.15: [(6, 8)]}
    with pytest.raises(FaultError, match=r"must meet the clock of 1 ns, but take 1.7 ns when everything is 2 times as slow"):
        feasible(known, 1.0, 2.0)


def data(count: int, seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, 1, 4, 4, generator=generator)
    return [(x, (x.mean((1, 2, 3)) * 3 % 3).long())]


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()


def test_a_fresh_chip_keeps_all_bits_and_an_old_one_meets_the_fresh_clock() -> None:
    settings = Settings(ageing=PowerLaw(ten_years=0.06), ages=(0.0, 10.0), timing_errors=False, calibrations=("minmax",))
    spoken: list[str] = []
    found = lifetime(network(), settings, calibrate=data(30, 1), validation=data(40, 2), test=data(50, 3), progress=spoken.append)
    fresh, old = found.moments
    assert (fresh.width.a_bits, fresh.width.b_bits, fresh.drift_v, fresh.factor) == (8, 8, 0.0, 1.0)
    assert fresh.aware.drop_int8 == 0.0
    assert old.factor == pytest.approx((0.8 / 0.74) ** 1.3)
    assert found.guardband == pytest.approx(old.factor - 1)
    assert old.width.cycle_ns * old.factor <= found.clock_ns
    assert old.width.a_bits + old.width.b_bits < 16
    assert old.unguarded is None
    assert old.to_json()["aware"]["n"] == 50
    assert any("on test images" in what for what in spoken)


@pytest.mark.slow
def test_without_guard_band_late_products_are_counted_at_every_age() -> None:
    settings = Settings(ageing=PowerLaw(ten_years=0.1), ages=(0.0, 10.0), voltage=0.75, calibrations=("minmax",))
    found = lifetime(network(), settings, calibrate=data(30, 1), validation=data(40, 2), test=data(50, 3))
    shares = [moment.late_share for moment in found.moments]
    assert shares[0] == 0.0
    assert shares[1] is not None
    assert shares[1] > 0.0
    assert found.moments[1].unguarded is not None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"coding": "signed"}, r"coding must be one of unsigned, sign_magnitude for operands of fewer bits, not 'signed'"),
        ({"ages": (3.0, 1.0)}, r"ages must be different years in rising order, not 3.0, 1.0"),
        ({"ages": ()}, r"ages must be different years in rising order, not none"),
        ({"calibrations": ("kl",)}, r"calibrations must be some of minmax, percentile, mse, not kl"),
    ],
)
def test_bad_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(FaultError, match=message):
        Settings(ageing=PowerLaw(), **values)  # type: ignore[arg-type]


def test_negative_ages_and_thresholds_above_the_supply_are_refused() -> None:
    for settings, error, message in (
        (Settings(ageing=PowerLaw(), ages=(-1.0,)), FaultError, r"an age must be 0..100 years, not -1.0"),
        (
            Settings(ageing=PowerLaw(ten_years=0.1), ages=(10.0,), voltage=0.45),
            HardwareError,
            r"above 0.5 V \(threshold of 0.3 V, risen by",
        ),
    ):
        with pytest.raises(error, match=message):
            lifetime(network(), settings, calibrate=data(3, 1), validation=data(4, 2), test=data(5, 3))
