"""What `inexact bench forecast` measures and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inexact.cli._timing import machine
from inexact.cli.study import _progress
from inexact.explore import Settings, Store
from inexact.explore.forecast_quality import judge
from inexact.explore.stored import open_problem


def measure(
    network: str, data: str, *, plans: int, calibration_plans: int, images: int, seed: int, store: Path | None = None
) -> dict[str, Any]:
    """What `bench forecast --json` prints: the machine, the settings and the quality of the forecast. store: keeps what was simulated."""
    problem = open_problem(Settings(network=network, data=data))
    with _progress() as watch, Store(store or ":memory:") as kept:
        found = judge(problem, plans=plans, calibration_plans=calibration_plans, images=images, seed=seed, store=kept, watch=watch)
    return {"machine": machine(), "network": network, "data": data, "seed": seed, **found.to_json()}


def text(found: dict[str, Any]) -> str:
    """The same in words."""
    known = found["conformal"]
    lines = [
        f"{found['network']} on {found['data']}: {found['plans']} random plans, median drop {found['median_drop']:.2f} points on "
        f"{found['images']} test images",
        f"  {found['plans_per_second']:.0f} forecasts a second; {found['learn_ms']:.0f} ms to learn a rule in a layer ({found['pairs']})",
        f"  rank correlation with the drop, over {found['ranked']} plans that lose at most 30 points:",
    ]
    for name, one in found["spearman"].items():
        lines.append(f"    {name:16} {one['value']:.3f} [{one['ci'][0]:.3f}, {one['ci'][1]:.3f}]")
    lines.append(
        f"    {'perfect forecast':16} {found['ceiling']:.3f} (drops on every second image against the others: {found['halves']:.3f})"
    )
    lines.append(f"  {100 * known['level']:.0f} % intervals cover {100 * found['covered']:.1f} % ({known['plans']} other plans calibrate)")
    within = found["std_within_15pct"]
    lines.append(
        f"  error std of a layer within 15 % of simulation on new images: {100 * within['forecast']:.1f} % of {found['std_pairs']} pairs, "
        f"by one population {100 * within['one population']:.1f} %"
    )
    return "\n".join(lines)
