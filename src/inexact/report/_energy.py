"""Fourth section: where the energy goes, before and after, and how much any multiplier could ever save."""

from __future__ import annotations

from html import escape

from inexact.core.estimate import Estimate
from inexact.report._accounts import BOUNDARIES, ceilings, components, contributions, origin, savings
from inexact.report._values import energy, energy_scale, fixed, fold, head, interval, number, table, text
from inexact.report._view import View
from inexact.report.charts import SERIES, Bar, component_order, legend, limit_bars, stacked_bars

_NAMES = {"baseline": "exact 8-bit", "best": "chosen design"}


def energies(view: View) -> str:
    """HTML of the section."""
    parts = {name: components(view.report, name) for name in _NAMES}
    parts = {name: found for name, found in parts.items() if found}
    split = _split(parts, view) if parts else "<p>The result carries no energy by component.</p>"
    return f"{split}{_ceilings(view)}"


def _split(parts: dict[str, dict[str, float]], view: View) -> str:
    largest = max(sum(found.values()) for found in parts.values())
    scale, unit = energy_scale(largest)
    small = _small(parts)
    bars = []
    for name, found in parts.items():
        shown = {component: value / scale for component, value in found.items() if component not in small and value > 0}
        rest = sum(value for component, value in found.items() if component in small) / scale
        bars.append((_NAMES[name], energy(sum(found.values()), largest), shown | ({f"{len(small)} smaller ones": rest} if rest else {})))
    order = component_order([found for _, _, found in bars])
    label = f"Energy of one inference by component, {' and '.join(_NAMES[name] for name in parts)}, in {unit}"
    chart = f"<figure>{stacked_bars(bars, label=label, unit=unit)}{legend(order)}</figure>"
    listed = _table(parts, component_order(list(parts.values())), contributions(view.report))
    return f"<p>Energy of one inference, whole accelerator, in {unit}. {escape(origin(view.report, listed=6))}</p>{chart}{listed}"


def _small(parts: dict[str, dict[str, float]]) -> set[str]:
    """Components drawn together because there are more than colours: all but the largest, by their larger share in the two designs."""
    largest = {name: max(found.get(name, 0.0) for found in parts.values()) for found in parts.values() for name in found}
    known = sorted((name for name, value in largest.items() if value > 0), key=lambda name: -largest[name])
    return set(known[SERIES - 1 :]) if len(known) > SERIES else set()


def _table(parts: dict[str, dict[str, float]], order: list[str], saved: dict[str, float]) -> str:
    scale, unit = energy_scale(max(sum(found.values()) for found in parts.values()))
    columns = [column for name in parts for column in (f"#{_NAMES[name]}, {unit}", "#share, %")]
    columns += ["#saved, % of the whole"] if saved else []
    body = ""
    for component in order:
        cells = f"<th scope=row>{text(component)}</th>"
        for found in parts.values():
            value, whole = found.get(component), sum(found.values())
            share = 100 * value / whole if value is not None and whole else None
            cells += f"<td class=n>{number(value / scale if value is not None else None, 4)}</td><td class=n>{fixed(share, 1)}</td>"
        cells += f"<td class=n>{fixed(saved.get(component), 2)}</td>" if saved else ""
        body += f"<tr>{cells}</tr>"
    return fold("The same as a table", table(head("component", *columns), body, "Energy by component"))


def _ceilings(view: View) -> str:
    saved, limits = savings(view.best), ceilings(view.best)
    if not saved and not limits:
        return ""
    bars = []
    for name, title in BOUNDARIES.items():
        saving, limit = saved.get(name), limits.get(name)
        if saving is None:
            continue
        ceiling = f" (ceiling {fixed(limit.value, 1)} %)" if limit and name != "multiplier" else ""
        shown = f"{fixed(saving.value, 1)} %{ceiling}"
        bars.append(Bar(label=title, value=saving.value, shown=shown, spread=saving.spread, limit=limit.value if limit else None))
    chart = limit_bars(
        bars, label=f"Energy saving and its ceiling: {'; '.join(f'{bar.label} {bar.shown}' for bar in bars)}", title="Energy saved, %"
    )
    said = (
        "How large a saving looks depends on what it is a share of. The dashed mark is the ceiling that multipliers alone can reach: "
        "the saving if every multiplication were free. Whiskers span the published sources or the model constants."
    )
    if any(name in limits and saving.value > limits[name].value for name, saving in saved.items()):
        said += " A saving beyond its ceiling comes from elsewhere too: narrower operands are cheaper to store and to move."
    return f"<h3>Savings and their ceilings</h3><p>{said}</p><figure>{chart}</figure>{_spreads(saved)}"


def _spreads(saved: dict[str, Estimate]) -> str:
    body = ""
    for name, saving in saved.items():
        spread = interval(saving.spread, 1) or text(None)
        cells = f"<td class=n>{fixed(saving.value, 1)}</td><td class=n>{spread}</td><td>{text(saving.source)}</td>"
        body += f"<tr><th scope=row>{BOUNDARIES[name]}</th>{cells}</tr>"
    return fold("Savings with spread and source", table(head("account", "#saving, %", "#spread, %", "source"), body, "Savings"))
