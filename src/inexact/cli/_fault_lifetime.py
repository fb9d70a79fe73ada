"""`inexact fault lifetime`: accuracy over a chip's life."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli import _tables
from inexact.cli._fault_voltage import numbers, plain_table
from inexact.cli._network import calibration_set, network_options, progress_bar, use_threads
from inexact.cli._options import JSON, LIMIT, PICTURE
from inexact.core.files import write_text

if TYPE_CHECKING:
    from inexact.reliability._ageing import Ageing

TEN_YEARS = 0.05


@click.command("lifetime")
@network_options
@click.option("--ages", default="0,0.5,1,2,3,5,10", show_default=True, help="Years, rising.")
@click.option(
    "--ten-years",
    type=float,
    help=f"V by which the threshold has risen after ten years (default: {TEN_YEARS}, recalled from the literature, not checked; of "
    "hot_carriers that of its constants): give your own.",
)
@click.option(
    "--model",
    type=click.Choice(["power_law", "long_term", "hot_carriers"]),
    default="power_law",
    show_default=True,
    help="Shape over time, at the level of --ten-years: a power of stress time, the long-term model of reaction and diffusion, or hot "
    "carriers, a power of switching.",
)
@click.option("--duty", type=float, default=0.5, show_default=True, help="Share of the time under stress.")
@click.option("--activity", type=float, default=0.1, show_default=True, help="hot_carriers: share of periods in which transistors switch.")
@click.option("--temperature", type=float, default=105.0, show_default=True, help="Of the junction, degrees Celsius.")
@click.option("--voltage", type=float, default=1.1, show_default=True, help="Of the array, V.")
@click.option("--coding", default="unsigned", show_default=True, help="unsigned or sign_magnitude.")
@click.option("--calibration", "calibrations", default="minmax,percentile,mse", show_default=True, help="Ranges of activations to try.")
@click.option(
    "--timing-errors/--no-timing-errors", default=True, show_default=True, help="Also all bits at the fresh clock, late as they come."
)
@click.option("--choose", type=click.IntRange(min=1), default=2000, show_default=True, help="Validation images that choose the operands.")
@LIMIT
@PICTURE
@JSON
def lifetime(
    *,
    network: str,
    data: str,
    threads: int | None,
    ages: str,
    voltage: float,
    coding: str,
    calibrations: str,
    timing_errors: bool,
    choose: int,
    limit: int,
    picture: Path | None,
    as_json: bool,
    **ageing: Any,
) -> None:
    """Fewer operand bits as the chip ages, so that its multipliers meet the clock of the fresh chip.

    At every age the widths that meet it by static timing, unused bits held at zero, are tried on validation images, the best is reported
    on test images; beside it all bits at the same clock with the products that then come too late. A clock with a guard band for the last
    age keeps the fresh accuracy and is slower from the first day.
    """
    from inexact import zoo
    from inexact.reliability._lifetime import Settings
    from inexact.reliability._lifetime import lifetime as over_life

    use_threads(threads)
    settings = Settings(
        ageing=_ageing(voltage=voltage, **ageing),
        ages=numbers(ages, "--ages"),
        voltage=voltage,
        coding=coding,
        calibrations=tuple(calibrations.split(",")),
        timing_errors=timing_errors,
    )
    original, test = zoo.network(network, data=data), zoo.data(data, "test", limit)
    zoo.check_compatible(original, test)
    calibration = calibration_set(data, None)
    with progress_bar() as bar:
        task = bar.add_task(network, total=None)
        found = over_life(
            original,
            settings,
            calibrate=calibration,
            validation=zoo.data(data, "validation", choose),
            test=test,
            progress=lambda what: bar.update(task, description=f"{network}: {what}"),
        ).to_json()
    if picture is not None:
        write_text(picture, _picture(f"{network} on {data} over a chip's life", found))
    if as_json:
        click.echo(json.dumps({"network": network, "data": data, "images": len(test), "voltage": voltage, "coding": coding} | found))
    else:
        _show(found, len(test))


def _ageing(*, model: str, ten_years: float | None, duty: float, activity: float, temperature: float, voltage: float) -> Ageing:
    from inexact.reliability._ageing import LongTerm, PowerLaw
    from inexact.reliability._hot_carriers import HotCarriers

    if model == "hot_carriers":
        return HotCarriers(scaled_to=ten_years, activity=activity, temperature=temperature, supply=voltage)
    level = TEN_YEARS if ten_years is None else ten_years
    if model == "power_law":
        return PowerLaw(ten_years=level, duty=duty, temperature=temperature)
    return LongTerm(scaled_to=level, duty=duty, temperature=temperature)


def _show(found: Mapping[str, Any], images: int) -> None:
    fresh = found["fresh"]
    titles = (
        "years",
        "drift mV",
        "slower %",
        "bits a x b",
        "ranges",
        "top-1 %",
        "drop, points [95 %]",
        "all bits, late: top-1 %",
        "late products",
    )
    table = plain_table(titles, f"{images} test images; fresh, all bits: {fresh['top1']:.2f} %")
    for age in found["ages"]:
        low, high = age["aware"]["drop_int8_ci"]
        late = age["unguarded"]
        table.add_row(
            f"{age['years']:g}",
            f"{1000 * age['drift_v']:.1f}",
            f"{100 * (age['delay_factor'] - 1):.2f}",
            f"{age['a_bits']} x {age['b_bits']}",
            age["calibration"],
            f"{age['aware']['top1']:.2f}",
            f"{age['aware']['drop_int8']:+.2f} [{low:+.2f}, {high:+.2f}]",
            "" if late is None else f"{late['top1']:.2f}",
            "" if late is None else f"{age['late_share']:.1e}",
        )
    console = _tables.console()
    console.print(table)
    console.print(
        f"clock {found['clock_ns']:.3f} ns without guard band; safe at the last age it is {100 * found['guardband']:.1f} % longer and the "
        f"accuracy stays {fresh['top1']:.2f} %",
        markup=False,
    )


def _picture(title: str, found: Mapping[str, Any]) -> str:
    from inexact.report.curves import Curve, Panel, picture

    ages = found["ages"]

    def curve(label: str, key: str) -> Curve:
        known = [age for age in ages if age[key] is not None]
        points = tuple((age["years"], age[key]["top1"]) for age in known)
        return Curve(label=label, points=points, band=tuple(tuple(age[key]["top1_ci"]) for age in known))

    fresh = found["fresh"]
    guarded = Curve(
        label=f"guard band, {100 * found['guardband']:.1f} % slower",
        points=tuple((age["years"], fresh["top1"]) for age in ages),
    )
    curves = [curve("fewer bits", "aware"), guarded]
    if any(age["unguarded"] is not None for age in ages):
        curves.append(curve("all bits, late products", "unguarded"))
    slower = Curve(label="delay", points=tuple((age["years"], 100 * (age["delay_factor"] - 1)) for age in ages))
    panels = [Panel(title="top-1, %, 95 % interval over test images", curves=tuple(curves))]
    panels.append(Panel(title="delay above that of the fresh chip, %", curves=(slower,)))
    return picture(title, "years", panels)
