"""A made-up study result: test data only, its numbers mean nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from inexact.explore.result import (
    Accuracy,
    DesignReport,
    LayerReport,
    PairedAccuracy,
    StudyReport,
    TrialReport,
    UnitReport,
)

UNITS = ("mitchell()", "exact", "trunc(cut=5)", "drum(keep=4)")
LAYERS = ("stem", "stage1.conv1", "stage1.conv2", "stage2.conv1", "stage2.conv2", "stage2.shortcut", "stage3.conv1", "stage3.conv2", "head")
MODEL = "gate-count model"


def amount(value: float, *, unit: str = "%", verified: bool = False, spread: tuple[float, float] | None = None) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": MODEL, "node": "45 nm", "spread": spread, "verified": verified}


def plan_toml(choices: list[str]) -> str:
    tables = [
        f'["{name}"]\nmultiplier = "{unit}"\ncoding = "sign_magnitude"\nrecovery = "bias_correction"\n'
        for name, unit in zip(LAYERS, choices, strict=True)
    ]
    return "\n".join(tables)


def paired(drop: float, n: int, split: str) -> PairedAccuracy:
    half = 60 / n**0.5 * 0.6
    ci = (92.4 - drop - 0.5, 92.4 - drop + 0.5)
    bounds = (drop - half, drop + half)
    return PairedAccuracy(
        top1=92.4 - drop, ci=ci, drop=drop, drop_ci=bounds, drop_int8=drop - 0.05, drop_int8_ci=bounds, p_value=0.0312, n=n, split=split
    )


def trial(index: int, rng: random.Random) -> TrialReport:
    if index % 17 == 5:
        return TrialReport(
            id=index,
            drop=None,
            drop_ci=None,
            n_images=0,
            split="validation",
            energy_saving=None,
            area_saving=None,
            plan_toml="",
            status="failed",
            on_front=False,
            error='Traceback (most recent call last):\n  File "x.py", line 1\nFormatError: width must be 8, not <9> & "more"',
        )
    saving = rng.uniform(2, 26)
    drop = round(max(-0.2, (saving / 13) ** 2.4 * rng.uniform(0.25, 1.0) + rng.choice((0, 0, 0, 1, 5, 40))), 2)
    n = rng.choice((512, 512, 512, 2000, 10000))
    half = 60 / n**0.5 * 0.6
    return TrialReport(
        id=index,
        drop=drop,
        drop_ci=(drop - half, drop + half),
        n_images=n,
        split="validation",
        energy_saving=saving,
        area_saving=saving * rng.uniform(0.5, 1.1) - 2,
        plan_toml=plan_toml([rng.choice(UNITS) for _ in LAYERS]),
        status="done",
        on_front=False,
    )


def mark_front(trials: list[TrialReport]) -> list[TrialReport]:
    done = [t for t in trials if t.drop is not None]

    def beaten(one: TrialReport) -> bool:
        return any((o.drop or 0) <= (one.drop or 0) and (o.energy_saving or 0) > (one.energy_saving or 0) for o in done)

    return [TrialReport(**{**t.__dict__, "on_front": t.drop is not None and not beaten(t)}) for t in trials]


def heat(kind: int) -> list[list[float]]:
    if kind == 1:
        return [[0.0] * 32 for _ in range(32)]
    return [[-(a * b * 8 * 8 / 40) * ((a * 7 + b * 3) % 5 - kind / 3) for b in range(32)] for a in range(32)]


def unit(kind: int, spec: str) -> UnitReport:
    metrics = {
        "error_probability": 0.92,
        "mean_error": -312.4 * kind,
        "mae": 312.4,
        "mse": 2.1e5,
        "rmse": 458.0,
        "wce": 4096,
        "mred": 0.0376,
        "wcre": 0.111,
        "nmed": 0.0048,
        "mae_range": 0.0047,
        "error_variance": 1.1e5,
        "error_rank": 7,
        "zero_exact": True,
        "commutative": False,
    }
    cost = {"energy": amount(0.41, unit="1", spread=(0.35, 0.5)), "area": amount(0.47, unit="1"), "delay": amount(0.8, unit="1")}
    return UnitReport(spec=spec, sha256="ab" * 32, metrics=metrics, cost=cost, error_heatmap=heat(kind))


def design(best: TrialReport) -> DesignReport:
    layers = tuple(
        LayerReport(
            name=name,
            kind="Conv2d" if name != "head" else "Linear",
            macs=(index % 4 + 1) * 1179648,
            multiplier=UNITS[index % 4] if index else None,
            precision="int8",
            coding="sign_magnitude",
            recovery="bias_correction",
            noise=0.0031 * index if index else None,
            energy_pj=1.1e6 * (index % 4 + 1),
            energy_share=0.1,
            baseline_energy_pj=1.5e6 * (index % 4 + 1),
        )
        for index, name in enumerate(LAYERS)
    )
    accounts = ("multiplier", "array", "on_chip", "with_dram")
    savings = {
        name: amount(value, spread=(value * 0.8, value * 1.15)) for name, value in zip(accounts, (58.3, 31.2, 17.9, 11.4), strict=True)
    }
    limits = {name: amount(value) for name, value in zip(accounts, (100.0, 53.0, 30.7, 19.6), strict=True)}
    return DesignReport(
        trial=best.id,
        plan_toml=best.plan_toml,
        layers=layers,
        validation=paired(0.61, 10000, "validation"),
        test=paired(0.72, 10000, "test"),
        savings=savings,
        area_saving=amount(12.2),
        ceiling=limits,
    )


def make(count: int, *, satisfied: bool = True, seed: int = 0) -> dict[str, Any]:
    rng = random.Random(seed)
    trials = mark_front([trial(index, rng) for index in range(count)])
    if not satisfied:
        trials = [TrialReport(**{**t.__dict__, "on_front": False}) for t in trials]
    front = [t for t in trials if t.on_front]
    best = max((t for t in front if (t.drop or 0) <= 1.0), key=lambda t: t.energy_saving or 0.0, default=None)
    names = ("multiplier", "adder", "registers", "scratchpad", "activation_buffer", "weight_buffer", "dram", "leakage")
    baseline = dict(zip(names, (4.1e6, 1.2e6, 1.9e6, 2.2e6, 3.1e6, 1.4e6, 7.7e6, 0.4e6), strict=True))
    sources = [
        {
            "quantity": f"energy of {name} <per access>",
            "value": value / 1e6,
            "unit": "pJ",
            "source": "Horowitz, ISSCC 2014, doi:10.1109/ISSCC.2014.6757323",
            "node": "45 nm",
            "verified": index % 3 > 0,
            "spread": None,
        }
        for index, (name, value) in enumerate(baseline.items())
    ]
    return StudyReport(
        title="Study of resnet8 on fashion-mnist",
        command="inexact study run --network resnet8 --data fashion-mnist --max-drop 1.0 --seed 0",
        network="resnet8",
        data="fashion-mnist",
        accelerator="edge-16x16",
        max_drop=1.0,
        seed=0,
        seconds=184.2,
        versions={"inexact": "0.1.0", "torch": "2.13.0"},
        settings={"trials": count, "sampler": "nsga2", "codings": ["unsigned", "sign_magnitude"]},
        float32=Accuracy(top1=92.41, ci=(91.87, 92.91), n=10000),
        int8=paired(0.05, 10000, "validation"),
        test_float32=Accuracy(top1=92.1, ci=(91.6, 92.6), n=10000),
        test_int8=paired(0.04, 10000, "test"),
        trials=tuple(trials),
        finalists=(
            {
                "trial": best.id,
                "energy_saving": 11.4,
                "validation": {"drop": 0.61, "drop_ci": [0.2, 1.0], "n": 10000},
                "test": {"drop": 0.7, "n": 10000},
            },
        )
        if best
        else (),
        best=design(best) if best else None,
        message="" if best else "no design drops at most 1 point; the best reached 3.2 points",
        energy={"unit": "pJ", "baseline": baseline, "best": {**baseline, "multiplier": 1.7e6}},
        units=tuple(unit(kind, spec) for kind, spec in enumerate(UNITS)),
        provenance=tuple(sources),
    ).to_json()


@pytest.fixture
def make_report() -> Callable[..., dict[str, Any]]:
    """Builds a result with a number of trials; `satisfied=False`: nothing meets the limit."""
    return make


@pytest.fixture
def report() -> dict[str, Any]:
    return make(60)
