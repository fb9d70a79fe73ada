"""Sixth section: fault campaigns on the exact network and on designs of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from inexact.report._fault_map import Frame, heat_map, rate_bars
from inexact.report._values import Json, fixed, fold, head, mapping, number, rows, table, text, with_interval
from inexact.report._view import View
from inexact.report.charts import legend
from inexact.report.faults import HEADS, MEANING, cells

TIPS = 2000
"""Cells of all maps together that may have tooltips, to keep the file small."""


def reliability(view: View) -> str:
    """HTML of the section."""
    found = mapping(view.report.get("reliability"))
    campaigns = rows(found.get("campaigns"))
    left = "".join(
        f"<p>The campaign in {text(folder)} is not finished: give its command again.</p>" for folder in found.get("unfinished", ())
    )
    if not campaigns:
        return f"<p>No fault campaign was run on this study. <code>inexact fault run --study</code> adds one.</p>{left}"
    by_fault = _by_fault(campaigns)
    sentences = "".join(_sentences(comparison) for comparison in rows(found.get("comparisons")))
    shown = (_explanation(campaigns), sentences, _bars(campaigns, by_fault), _table(found, by_fault), _maps(by_fault), _settings(campaigns))
    return "".join(shown) + left


def _by_fault(campaigns: Sequence[Json]) -> dict[str, list[tuple[int, Json, Json]]]:
    """Kind of fault -> (place, campaign, what it found), in the order of campaigns."""
    found: dict[str, list[tuple[int, Json, Json]]] = {}
    for place, campaign in enumerate(campaigns):
        for one in campaign["report"]["faults"]:
            found.setdefault(one["fault"], []).append((place, campaign, one))
    return found


def _name(campaign: Json) -> str:
    """The design, and what protects it."""
    protect = campaign["report"]["settings"]["about"].get("protect", "none")
    return str(campaign["design"]) + ("" if protect == "none" else f", {protect}")


def _explanation(campaigns: Sequence[Json]) -> str:
    confidences = sorted({campaign["report"]["settings"]["confidence"] for campaign in campaigns})
    shown = ", ".join(f"{100 * confidence:g} %" for confidence in confidences)
    tops = "; ".join(
        f"{_name(campaign)}: {fixed(campaign['report']['top1'], 2)} % of {fixed(campaign['report']['images'], 0)} test images right"
        for campaign in campaigns
    )
    return f"<p>{MEANING} Brackets and whiskers: {shown} intervals. Without a fault: {escape(tops)}.</p>"


def _sentences(comparison: Json) -> str:
    items = "".join(f"<li>{escape(row['sentence'])}</li>" for row in rows(comparison.get("rows")))
    return f'<ul class="verdict">{items}</ul>' if items else ""


def _bars(campaigns: Sequence[Json], by_fault: Mapping[str, Sequence[tuple[int, Json, Json]]]) -> str:
    groups = [(fault, [(place, one["sdc1"]) for place, _, one in members]) for fault, members in by_fault.items()]
    keys = legend([_name(campaign) for campaign in campaigns])
    return f"{keys}<figure>{rate_bars(groups, title='SDC-1 rate by kind of fault, % of faults')}</figure>"


def _table(found: Json, by_fault: Mapping[str, Sequence[tuple[int, Json, Json]]]) -> str:
    known = {(comparison["design"], row["fault"]): row for comparison in rows(found.get("comparisons")) for row in comparison["rows"]}
    body = ""
    for fault, members in by_fault.items():
        for index, (_, campaign, one) in enumerate(members):
            title = f"<th scope=row rowspan={len(members)}>{escape(fault)}</th>" if index == 0 else ""
            body += (
                f"<tr>{title}<td class=w>{escape(_name(campaign))}</td>{cells(one)}{_against(known.get((campaign['design'], fault)))}</tr>"
            )
    heading = head("fault", "design", *HEADS, "#SDC-1 against exact, points")
    return table(heading, body, "Rates of wrong answers under faults")


def _against(row: Json | None) -> str:
    if row is None:
        return f"<td class=n>{text(None)}</td>"
    difference = row["difference"]
    css = {"more": "unverified", "fewer": "verified"}.get(row["verdict"], "")
    shown = with_interval(difference["points"], difference["ci"])
    return f'<td class=n>{shown}<small><span class="badge {css}">{text(row["verdict"])}</span></small></td>'


def _maps(by_fault: Mapping[str, Sequence[tuple[int, Json, Json]]]) -> str:
    """Maps of one kind of fault beside each other, on one scale of colours."""
    tips = sum(len(one["cells"]) for members in by_fault.values() for _, _, one in members) <= TIPS
    drawn = ""
    for fault, members in by_fault.items():
        frame = Frame.of(*(one for _, _, one in members))
        figures = "".join(
            f"<figure><figcaption>{escape(_name(campaign))}</figcaption>{heat_map(one, frame, tips=tips)}</figure>"
            for _, campaign, one in members
        )
        drawn += f'<h3>{escape(fault)}</h3><div class="maps">{figures}</div>'
    said = "SDC-1 by layer and bit; maps of one kind of fault share their colours. A cell without colour saw no failure in the sample."
    return f"<h3>Where faults matter</h3><p>{said}</p>{drawn}"


def _settings(campaigns: Sequence[Json]) -> str:
    items = "".join(_setting(campaign) for campaign in campaigns)
    return fold("How the faults were drawn", f'<dl class="settings">{items}</dl>')


def _setting(campaign: Json) -> str:
    asked: Mapping[str, Any] = campaign["report"]["settings"]
    said = f"margin {number(100 * asked['margin'])} points, allocation {asked['allocation']}, seed {asked['seed']}; {campaign['folder']}"
    return f"<div><dt>{escape(_name(campaign))}</dt><dd>{escape(said)}</dd></div>"
