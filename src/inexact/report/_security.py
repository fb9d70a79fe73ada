"""Seventh section: attacks on designs of the study."""

from __future__ import annotations

from html import escape

from inexact.report._values import Json, fixed, fold, mapping, number, rows, text
from inexact.report._view import View
from inexact.report.attack import alarms, answer, curves, threats


def security(view: View) -> str:
    """HTML of the section."""
    found = rows(mapping(view.report.get("security")).get("attacks"))
    if not found:
        return "<p>No design of this study was attacked. <code>inexact attack run --study</code> adds one.</p>"
    return "".join(_attacked(entry) for entry in found)


def _attacked(entry: Json) -> str:
    result = mapping(entry.get("result"))
    title = f"<h3>{text(entry.get('design'))}</h3>"
    said = "The exact network is this design with exact products and sums in the same formats: what is compared is the unit."
    raised = sum(alarm.get("raised") is True for alarm in rows(result.get("alarms")))
    sign = f"Alarms for masked gradients ({raised} raised)"
    return (
        f"{title}<p>{said}</p>{answer(result)}{curves(result)}"
        f"{fold('By threat model', threats(result))}<h3>{sign}</h3>{alarms(result)}{_settings(entry, result)}"
    )


def _settings(entry: Json, result: Json) -> str:
    asked = mapping(result.get("settings"))
    attacks = ", ".join(map(str, asked.get("attacks") or ())) or "default list of attacks"
    strengths = "; ".join(
        f"{name} {', '.join(number(epsilon) for epsilon in asked[key])}"
        for name, key in (("largest change", "epsilons"), ("L2", "epsilons_l2"))
        if asked.get(key)
    )
    said = f"{attacks}; {strengths}; seed {asked.get('seed')}; {fixed(result.get('images'), 0)} test images; {entry.get('folder')}"
    return f"<p><small>{escape(said)}</small></p>"
