"""Third section: the chosen plan, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from inexact.report._exits import exits
from inexact.report._values import Json, energy, estimate, fixed, head, number, rows, table, text
from inexact.report._view import View

_BITS = re.compile(r"a_bits=(\d+),b_bits=(\d+),?")


def layers(view: View) -> str:
    """HTML of the section."""
    found = rows(view.best.get("layers"))
    if not found:
        return "<p>No plan was chosen.</p>" if not view.best else "<p>The result carries no list of layers.</p>"
    before, after = _column(found, "baseline_energy_pj"), _column(found, "energy_pj")
    macs = _column(found, "macs")
    noise = any(estimate(layer.get("noise")) for layer in found)
    reduced = any(layer.get("reduction") not in {None, "", "none"} for layer in found)
    body = "".join(_row(layer, index, (macs, before, after), noise=noise, reduced=reduced) for index, layer in enumerate(found))
    keys = '<br><span class="swatch s-before"></span>\u00a0exact <span class="swatch s0"></span>\u00a0chosen'
    words = ["multiplier", "precision, coding", "recovery", *(["reduction"] if reduced else [])]
    columns = ["layer", "MACs", *words, *(["#noise"] if noise else []), f"energy {keys}", "#saved"]
    foot = _totals(macs, before, after, columns=len(columns))
    return (
        _explanation(noise, reduced) + table(head(*columns), body, "Layers of the chosen plan", css="layers", foot=foot) + exits(view.best)
    )


def _explanation(noise: bool, reduced: bool) -> str:
    said = "Energy of one inference, whole accelerator, against the same accelerator with exact 8-bit multipliers."
    if noise:
        said += (
            " Noise: power of the layer\u2019s output error over the power of its output, after the correction, as the search ranked it."
        )
    if reduced:
        said += " Reduction: products that are left out; in small print the share that is formed, counted on calibration images."
    return f"<p>{said}</p>"


def _column(layers: Sequence[Json], key: str) -> list[float | None]:
    found = [estimate(layer.get(key)) for layer in layers]
    return [value.value if value else None for value in found]


def _row(layer: Json, index: int, columns: tuple[list[float | None], ...], *, noise: bool, reduced: bool) -> str:
    macs, before, after = columns
    largest = max((value for value in (*before, *after) if value is not None), default=0.0)
    cells = f"<th scope=row>{text(layer.get('name'))}<small>{text(layer.get('kind'), '')}</small></th>"
    cells += f"<td class=macs>{_bar(macs[index], max(value or 0.0 for value in macs), 'mac')}{fixed(macs[index], 0)}</td>"
    outside = "float32, outside the array" if layer.get("macs") else "–"
    cells += f"<td class=spec>{text(layer.get('multiplier'), outside).replace(',', ',<wbr>')}</td>"
    coding = layer.get("coding")
    cells += f"<td>{short(layer.get('precision'))}{f'<small>{short(coding)}</small>' if coding else ''}</td>"
    cells += f"<td>{short(layer.get('recovery'))}</td>"
    if reduced:
        cells += f"<td>{_reduction(layer)}</td>"
    if noise:
        cells += f"<td class=n>{_noise(layer.get('noise'))}</td>"
    pair = _bar(before[index], largest, "s-before") + _bar(after[index], largest, "s0")
    cells += f"<td class=energy>{pair}<small>{energy(before[index])} \u2192 {energy(after[index])}</small></td>"
    return f"<tr>{cells}<td class=n>{_saved(before[index], after[index])}</td></tr>"


def short(raw: object) -> str:
    """A spec for a narrow column: its name, or the bits of a format (activation, weight), and its other arguments in small print."""
    name, _, arguments = str(raw or "").removesuffix(")").partition("(")
    bits = _BITS.match(arguments)
    if bits:
        name, arguments = f"a {bits[1]}, w {bits[2]} bits", arguments[bits.end() :]
    detail = escape(arguments.replace(",", ", ").replace("=", " = ").replace("_", " "))
    return text(name.replace("sign_magnitude", "sign-magnitude").replace("_", " ")) + (
        f"<small class=wrap>{detail}</small>" if detail else ""
    )


def _reduction(layer: Json) -> str:
    """The reduction's spec, and the share of products it leaves."""
    raw, share = layer.get("reduction"), estimate(layer.get("products"))
    if raw in {None, "", "none"}:
        return text(None)
    return short(raw) + (f"<small>{fixed(100 * share.value, 0)} % of the products</small>" if share else "")


def _noise(raw: object) -> str:
    found = estimate(raw)
    return f"{number(found.value, 2)} {found.unit}".strip() if found else text(None)


def _saved(before: float | None, after: float | None) -> str:
    return f"{fixed(100 * (1 - after / before), 1)} %" if before and after is not None else text(None)


def _bar(value: float | None, largest: float, css: str) -> str:
    share = 100 * value / largest if value and largest > 0 else 0.0
    return f'<span class="bar {css}" style="width:{min(100.0, share):.1f}%"></span>'


def _totals(macs: Sequence[float | None], before: Sequence[float | None], after: Sequence[float | None], *, columns: int) -> str:
    """Sum over the layers; left out where a layer has no figure."""
    if any(value is None for value in (*before, *after)):
        return ""
    first, second = sum(value or 0.0 for value in before), sum(value or 0.0 for value in after)
    count = fixed(sum(value or 0.0 for value in macs), 0)
    cells = f"<th scope=row>all layers</th><td>{count}</td><td colspan={columns - 4}></td>"
    cells += f"<td><small>{energy(first)} \u2192 {energy(second)}</small></td><td class=n>{_saved(first, second)}</td>"
    return f"<tfoot><tr>{cells}</tr></tfoot>"
