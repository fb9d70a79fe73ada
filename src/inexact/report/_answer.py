"""First section: the answer in one sentence, what it rests on, and the key figures."""

from __future__ import annotations

from html import escape

from inexact.core.estimate import Estimate
from inexact.report._accounts import BOUNDARIES, origin, savings
from inexact.report._values import Json, estimate, finite, fixed, interval, mapping, number, percent, points, text, with_interval
from inexact.report._view import Trial, View


def answer(view: View) -> str:
    """HTML of the section."""
    if not view.best:
        return _nothing(view)
    notes = "".join(f"<li>{note}</li>" for note in _notes(view))
    return f'<p class="answer">{sentence(view)}</p><ul class="notes">{notes}</ul>{_figures(view)}'


def sentence(view: View) -> str:
    """The answer as one sentence of HTML: saving under each account, drop with its interval, number of images."""
    report, saved = view.report, savings(view.best)
    subject = f"the chosen {text(report.get('accelerator'), 'accelerator')} design"
    place = " on ".join(text(report[key]) for key in ("network", "data") if report.get(key))
    widest = "with_dram" if "with_dram" in saved else next(reversed(saved), None)
    said = f"For {place}, {subject}" if place else subject.capitalize()
    if widest:
        said += f" saves <strong>{fixed(saved[widest].value, 1)} % of {_account(widest)}</strong>"
        others = [f"{BOUNDARIES[name]}: {fixed(saved[name].value, 1)} %" for name in reversed(saved) if name != widest]
        said += f" ({'; '.join(others)})" if others else ""
    else:
        said += " has no recorded saving"
    measured, images, split = _measured(view)
    drop, bounds = finite(measured.get("drop")), interval(measured.get("drop_ci"))
    if drop is not None:
        uncertainty = f" {bounds} (95 % interval)" if bounds else ""
        said += f" at <strong>{_points(drop)}</strong>{uncertainty} against float32"
        said += f", on {images} {split} images" if images else ""
    return f"{said}."


def _account(boundary: str) -> str:
    names = {"multiplier": "the multipliers\u2019 energy", "array": "the MAC array\u2019s energy", "on_chip": "the chip\u2019s energy"}
    return names.get(boundary, "the accelerator\u2019s energy")


def _points(drop: float) -> str:
    if drop < 0:
        return f"a gain of {fixed(-drop, 2)} points"
    return f"a drop of {fixed(drop, 2)} points"


def _measured(view: View) -> tuple[Json, str, str]:
    """(figures, number of images, split) of the test measurement, else of the validation one."""
    for split in ("test", "validation"):
        found = mapping(view.best.get(split))
        if finite(found.get("drop")) is not None:
            count = finite(found.get("n"))
            return found, fixed(count, 0) if count else "", split
    return {}, "", ""


def _notes(view: View) -> list[str]:
    notes = []
    validation, test, limit = mapping(view.best.get("validation")), mapping(view.best.get("test")), view.max_drop
    if limit is not None and finite(validation.get("drop")) is not None:
        count = finite(validation.get("n"))
        images = f" on {fixed(count, 0)} images" if count else ""
        drop = with_interval(validation.get("drop"), validation.get("drop_ci"))
        notes.append(f"Chosen on the validation split: drop {drop} points{images}, limit {points(limit)}. The test images only report.")
    notes += _limit_notes(test, limit)
    notes += [escape(origin(view.report))] if origin(view.report) else []
    doubtful = {saving.source for saving in savings(view.best).values() if not saving.verified}
    if doubtful:
        sources = "; ".join(sorted(escape(source) for source in doubtful if source)) or "a declared model"
        notes.append(f'<span class="badge unverified">unverified</span> The savings rest on a declared model: {sources}.')
    return notes


def _limit_notes(test: Json, limit: float | None) -> list[str]:
    drop, bounds = finite(test.get("drop")), test.get("drop_ci")
    if limit is None or drop is None:
        return []
    if drop > limit:
        return [f"<strong>On the test images the drop lies above the limit of {number(limit)}.</strong>"]
    upper = finite(bounds[1]) if isinstance(bounds, (list, tuple)) and len(bounds) == 2 else None
    if upper is not None and upper > limit:
        return [f"The interval\u2019s upper end, {fixed(upper, 2)}, lies above the limit of {number(limit)}."]
    return []


def _nothing(view: View) -> str:
    limit = f"a drop of at most {points(view.max_drop)}" if view.max_drop is not None else "the limit"
    reached = [trial for trial in view.trials if trial.drop is not None]
    if not reached:
        return f'<p class="answer">No design was measured, so none satisfies {limit}.</p>{_figures(view)}'
    nearest = min(reached, key=lambda trial: trial.drop or 0.0)
    said = f'<p class="answer">No design found satisfies {limit}: {_closest(nearest)}</p>'
    message = text(view.report.get("message"), "")
    return said + (f'<ul class="notes"><li>{message}</li></ul>' if message else "") + _figures(view)


def _closest(trial: Trial) -> str:
    saving = f" and saves {fixed(trial.energy, 1)} % energy" if trial.energy is not None else ""
    drop = with_interval(trial.drop, trial.drop_ci)
    return f"the smallest drop, of trial {escape(trial.id)}, is <strong>{drop} points</strong>{saving} ({escape(trial.measured)})."


def _figures(view: View) -> str:
    measured, _, split = _measured(view)
    prefix = "test_" if split == "test" and view.report.get("test_float32") else ""
    report, figures = view.report, []
    references = (("float32", report.get(f"{prefix}float32")), ("exact 8-bit", report.get(f"{prefix}int8")), ("chosen design", measured))
    for name, values in references:
        found = mapping(values)
        if finite(found.get("top1")) is not None:
            figures.append(_figure(f"top-1, {name}", fixed(finite(found["top1"]), 2), "%", _detail(found, "ci", "top1_ci")))
    for name, key in (("float32", "drop"), ("exact 8-bit", "drop_int8")):
        if finite(measured.get(key)) is not None:
            figures.append(_figure(f"drop against {name}", fixed(finite(measured[key]), 2), "points", _detail(measured, f"{key}_ci")))
    chance = finite(measured.get("p_value"))
    if chance is not None:
        figures.append(_figure("p-value against exact 8-bit", number(chance, 2), "", "exact McNemar test"))
    area = percent(view.best.get("area_saving"))
    if area:
        figures.append(_figure("area saved", fixed(area.value, 1), "%", _spread(area)))
    for name, key in (("exact 8-bit", "baseline_latency_ms"), ("chosen design", "latency_ms")):
        time = estimate(view.best.get(key))
        if time:
            figures.append(_figure(f"latency, {name}", number(time.value), "ms", escape(time.source)))
    for name, saving in savings(view.best).items():
        figures.append(_figure(f"energy saved, {BOUNDARIES[name]}", fixed(saving.value, 1), "%", _spread(saving)))
    return f'<dl class="figures">{"".join(figures)}</dl>' if figures else ""


def _spread(saving: Estimate) -> str:
    return f"spread {interval(saving.spread, 1)}" if saving.spread else escape(saving.source)


def _detail(found: Json, *keys: str) -> str:
    bounds = next((interval(found[key]) for key in keys if found.get(key)), "")
    count = finite(found.get("n"))
    return ", ".join(part for part in (bounds, f"n = {fixed(count, 0)}" if count else "") if part)


def _figure(name: str, value: str, unit: str, detail: str) -> str:
    mark = f"<small>{unit}</small>" if unit else ""
    return f'<div><dt>{name}</dt><dd><span class="value">{value}{mark}</span><span class="detail">{detail}</span></dd></div>'
