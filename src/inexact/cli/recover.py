"""`inexact recover`: accuracy back without training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._options import DATA, JSON, NETWORK, PLAN_HELP, THREADS
from inexact.cli._plans import plan_of
from inexact.core.errors import DataError, OutputError
from inexact.core.files import ensure_folder

if TYPE_CHECKING:
    from inexact.recovery.automatic import Choice


@click.command("recover")
@NETWORK
@DATA
@click.option("--plan", required=True, help=PLAN_HELP)
@click.option("--weights", type=click.Path(path_type=Path), help="Float32 weights of the network (default: those of the package).")
@click.option("--method", default="auto", show_default=True, help="Recovery or chain; auto: the cheap first; modes: those of pn and lvrm.")
@click.option("--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Points that may be lost; auto stops there.")
@click.option("--calibration", type=click.IntRange(min=1), default=512, show_default=True, help="First validation images: calibration.")
@click.option("--decide", type=click.IntRange(min=1), default=1000, show_default=True, help="Next validation images: the choice.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many test images for the report.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Weights file, .safetensors; its plan is written beside, .toml."
)
@THREADS
@JSON
def recover(
    *,
    network: str,
    data: str,
    plan: str,
    weights: Path | None,
    method: str,
    max_drop: float,
    calibration: int,
    decide: int,
    limit: int | None,
    out: Path,
    threads: int | None,
    as_json: bool,
) -> None:
    """Win accuracy back without training: validation images choose the recovery, test images report it against the exact 8-bit network.

    `--method modes` chooses the mode of every weight of reconfigurable units, whose rules must have modes = "per_weight": as cheap as the
    budget allows. Writes the recovered weights and the plan that names the recovery. Stopped, the same command goes on after the last
    finished trial (with `--method modes` it begins anew).
    """
    from torch.utils.data import Subset

    from inexact import nn, zoo
    from inexact.cli import _network
    from inexact.recovery import automatic
    from inexact.recovery.mode_search import choose_modes

    if out.suffix != ".safetensors":
        raise OutputError(f"the weights file must end with .safetensors, not {out.name!r}")
    ensure_folder(out.parent)
    _network.use_threads(threads)
    held = zoo.data(data, "validation", calibration + decide)
    if len(held) <= calibration:
        raise DataError(f"--calibration must leave validation images to decide: {data} has {len(held)}, not more than {calibration}")
    seen, deciding = Subset(held, range(calibration)), Subset(held, range(calibration, len(held)))
    original = zoo.network(network, data=data, weights=weights)
    zoo.check_compatible(original, held)
    emulated = nn.approximate(original, plan_of(plan), calibrate=seen)
    exact = nn.approximate(original, nn.Plan(precision="int(granularity=per_channel)", coding="signed"), calibrate=seen)
    record = out.with_suffix(".trials.json")
    with _network.progress_bar() as bar:
        task = bar.add_task("exact 8-bit network", total=None)

        def progress(trial: str) -> None:
            bar.update(task, description=trial)

        reference = nn.evaluate(exact, deciding)
        if method == "modes":
            choice = choose_modes(emulated, reference, calibration=seen, decide=deciding, max_drop=max_drop, progress=progress)
        else:
            choice = automatic.choose(
                emulated,
                reference,
                calibration=seen,
                decide=deciding,
                max_drop=max_drop,
                ladder=automatic.LADDER if method == "auto" else (method,),
                record=record,
                progress=progress,
            )
        bar.update(task, description="test images")
        images = zoo.data(data, "test", limit)
        report = nn.evaluate(choice.net, images, reference=original, reference_int8=exact).to_json()
    zoo.write_weights(out, choice.net)
    choice.net.plan.save(out.with_suffix(".toml"))
    record.unlink(missing_ok=True)
    _show(choice, {"weights": str(out), "plan": str(out.with_suffix(".toml"))} | report, as_json=as_json)


def _show(choice: Choice, report: dict[str, Any], *, as_json: bool) -> None:
    kept = choice.trials[choice.kept]
    if as_json:
        trials = [{"recovery": t.recovery, "drop": t.drop, "drop_ci": [t.low, t.high]} for t in choice.trials]
        click.echo(json.dumps({"recovery": kept.recovery, "met": choice.met, "trials": trials} | report))
        return
    for trial in choice.trials:
        click.echo(f"{trial.drop:+.2f} points [{trial.low:+.2f}, {trial.high:+.2f}]  {trial.recovery}")
    click.echo(f"kept {kept.recovery}" + ("" if choice.met else ": none met the budget, this one lost least"))
    low, high = report["drop_int8_ci"]
    click.echo(f"test: {report['top1']:.2f} % top-1, drop {report['drop_int8']:+.2f} points [{low:+.2f}, {high:+.2f}] against exact 8 bit")
    click.echo(f"weights in {report['weights']}, plan in {report['plan']}")
