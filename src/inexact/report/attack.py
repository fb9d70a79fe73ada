"""The page of an attack campaign, one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import Any

from inexact.report._asset import asset
from inexact.report._values import fixed, fold, head, interval, mapping, rows, table, text, with_interval
from inexact.report.charts import WIDTH, Scale, axis_x, axis_y, legend, marker, svg

Json = Mapping[str, Any]
NAMES = ("float32", "exact", "approximate")
MEASURES = {"linf": "largest change of a pixel (0..1)", "l2": "root of the sum of squared changes"}
TOP, BOTTOM, LEFT, RIGHT = 40.0, 300.0, 46.0, WIDTH - 20.0


def render(result: Json) -> str:
    """The page as text. result: what `inexact attack run --json` prints; parts that are missing are left out."""
    about = " \u00b7 ".join(f"{name} <b>{text(result.get(name))}</b>" for name in ("network", "data", "images") if result.get(name))
    return Template(asset("attack.html")).substitute(
        title=f"Adversarial robustness of {text(result.get('network'), 'a network')}",
        about=about,
        style=asset("style.css"),
        answer=answer(result),
        curves=curves(result),
        threats=threats(result),
        alarms=alarms(result),
        attacks=_attacks(result),
        provenance=_provenance(result),
    )


def answer(result: Json) -> str:
    """The verdict in sentences, and what the networks get right without attack."""
    sentences = [str(sentence) for sentence in result.get("verdict", [])]
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    clean = "".join(
        f"<div><dt>right without attack, {name}</dt><dd><span class='value'>{fixed(found.get('robust'), 1)}<small>%</small></span>"
        f"<span class='detail'>{interval(found.get('ci'), 1)} 95 %</span></dd></div>"
        for name, found in ((name, mapping(mapping(result.get("clean")).get(name))) for name in NAMES)
    )
    return f'<ul class="verdict">{items}</ul><dl class="figures">{clean}</dl>'


def curves(result: Json) -> str:
    """Worst of all attacks against epsilon, one drawing a measure, and the same as a table; epsilon 0 is the clean accuracy."""
    lines = rows(result.get("worst"))
    drawn = []
    for measure in dict.fromkeys(line["measure"] for line in lines):
        chosen = [line for line in lines if line["measure"] == measure]
        drawn.append(f"<figure>{_curve(chosen, mapping(result.get('clean')), MEASURES.get(measure, measure))}</figure>")
    heading = head(
        "measure",
        "#epsilon",
        "#attacks",
        *(f"#{name}, %" for name in NAMES),
        "#exact \u2212 approximate, points",
        "strongest on approximate",
    )
    body = "".join(_worst_row(line) for line in lines)
    note = "<p>An image counts as robust when every attack under every threat failed on it. Whiskers and brackets: 95 % intervals.</p>"
    return (
        note + legend(NAMES) + f'<div class="maps">{"".join(drawn)}</div>' + table(heading, body, "Worst of all attacks") + _pictures(lines)
    )


def _pictures(lines: Sequence[Json]) -> str:
    """Images that the strongest attack turned wrong in the approximate network: before, after, change."""
    body = ""
    for line in lines:
        cells = "".join(f"<td>{_picture(found)}</td>" for found in rows(line.get("pictures")))
        if cells:
            body += f"<tr><td>{text(line['measure'])} {line['epsilon']:g}, {text(line['approximate'].get('strongest'))}</td>{cells}</tr>"
    said = "<p>Before, after, and the change, stretched to the whole range of grey.</p>"
    return f"<h3>What it takes</h3>{said}{table('', body, 'Adversarial images', css='pictures')}" if body else ""


def _picture(found: Json) -> str:
    images = "".join(f'<img src="data:image/png;base64,{escape(str(found[name]))}" alt="{name}">' for name in ("before", "after", "change"))
    return f"{images}<small>image {found['image']}, largest change {found['largest']:.3f}</small>"


def _curve(lines: Sequence[Json], clean: Json, title: str) -> str:
    top = max(line["epsilon"] for line in lines)
    x = Scale(low=0.0, high=top * 1.04, start=LEFT, end=RIGHT)
    y = Scale(low=0.0, high=100.0, start=BOTTOM, end=TOP)
    parts = [axis_x(x, top=TOP, bottom=BOTTOM, title=f"epsilon, {title}"), axis_y(y, left=LEFT, right=RIGHT, title="robust accuracy, %")]
    for index, name in enumerate(NAMES):
        points = [(0.0, mapping(clean.get(name))), *((line["epsilon"], line[name]) for line in lines)]
        known = [(x(at) + 4 * (index - 1), found) for at, found in points if found]
        path = "L".join(f"{at:g} {y(found['robust']):g}" for at, found in known)
        parts.append(f'<path class="curve l{index}" d="M{path}"/>')
        for at, found in known:
            low, high = y(found["ci"][0]), y(found["ci"][1])
            said = f"{name}: {fixed(found['robust'], 1)} % {interval(found['ci'], 1)}"
            parts.append(f'<path class="curve l{index}" d="M{at:g} {low:g}V{high:g}"/>')
            parts.append(f'<path class="s{index}" d="{marker(index, at, y(found["robust"]), 5)}"><title>{escape(said)}</title></path>')
    return svg("".join(parts), height=BOTTOM + 46, label=f"Robust accuracy against epsilon, {title}")


def _worst_row(line: Json) -> str:
    values = "".join(f"<td class=n>{with_interval(line[name]['robust'], line[name]['ci'], 1)}</td>" for name in NAMES)
    return (
        f"<tr><td>{text(line['measure'])}</td><td class=n>{line['epsilon']:g}</td><td class=n>{line['attacks']}</td>{values}"
        f"<td class=n>{_difference(line)}</td><td>{text(line['approximate'].get('strongest'))}</td></tr>"
    )


def _difference(line: Json) -> str:
    found = mapping(line.get("difference"))
    return with_interval(found.get("points"), found.get("ci"), 1)


def threats(result: Json) -> str:
    """One table for each threat: attack and epsilon against the three networks."""
    parts = []
    for name, knows in mapping(result.get("threats")).items():
        heading = head(
            "attack", "#epsilon", *(f"#{network}, %" for network in NAMES), "#exact \u2212 approximate, points", "#queries", "#gradients"
        )
        body = "".join(_row(row) for row in rows(result.get("rows")) if row["threat"] == name)
        parts.append(f"<h3>{escape(name)}</h3><p>The attacker knows {escape(str(knows))}.</p>{table(heading, body, name)}")
    return "".join(parts)


def _row(row: Json) -> str:
    values = "".join(f"<td class=n>{with_interval(row[name]['robust'], row[name]['ci'], 1)}</td>" for name in NAMES)
    effort = row["approximate"]
    return (
        f"<tr><td class=spec>{text(row['attack'])}</td><td class=n>{text(row['measure'])} {row['epsilon']:g}</td>{values}"
        f"<td class=n>{_difference(row)}</td><td class=n>{fixed(effort.get('queries'), 0)}</td>"
        f"<td class=n>{fixed(effort.get('backward_passes'), 0)}</td></tr>"
    )


def alarms(result: Json) -> str:
    """Signs of masked gradients by network and gradient, and what the gradients are worth."""
    found = rows(result.get("alarms"))
    kinds = list(dict.fromkeys((alarm["network"], alarm["gradient"]) for alarm in found))
    heading = head("sign", *(f"{escape(network)}, {escape(gradient)}" for network, gradient in kinds))
    body = ""
    for title in dict.fromkeys(alarm["title"] for alarm in found):
        cells = "".join(
            _alarm(alarm) for kind in kinds for alarm in found if (alarm["network"], alarm["gradient"]) == kind and alarm["title"] == title
        )
        body += f"<tr><td>{escape(title)}</td>{cells}</tr>"
    return table(heading, body, "Alarms") + _audit(mapping(result.get("audit")))


def _alarm(alarm: Json) -> str:
    state, css = {True: ("ALARM", "unverified"), False: ("clear", "verified")}.get(alarm["raised"], ("not told", ""))
    return f'<td><span class="badge {css}">{state}</span><small class="wrap">{text(alarm["found"])}</small></td>'


def _audit(audit: Json) -> str:
    heading = head("network", "gradient", "#zero, %", "#no number, %", "#agreement")
    body = ""
    for network, found in audit.items():
        for source, facts in mapping(mapping(found).get("sources")).items():
            shares = "".join(f"<td class=n>{fixed(100 * facts[key], 0)}</td>" for key in ("zero", "not_finite"))
            body += f"<tr><td>{text(network)}</td><td>{text(source)}</td>{shares}<td class=n>{fixed(facts.get('agreement'), 2)}</td></tr>"
    said = (
        "Agreement: correlation between what a gradient says of a random step and what the margin does (finite difference over the step)."
    )
    return f"<h3>Gradients</h3><p>{said}</p>{table(heading, body, 'Gradients')}"


def _attacks(result: Json) -> str:
    """What an adaptive attacker's sources of gradients left, one after the other."""
    heading = head("attack", "#epsilon", "left after each source of gradients, %")
    body = ""
    for row in rows(result.get("rows")):
        if row["threat"] == "adaptive":
            left = ", ".join(f"{escape(source)} {fixed(share, 1)}" for source, share in row["approximate"]["sources"])
            body += f"<tr><td class=spec>{text(row['attack'])}</td><td class=n>{row['epsilon']:g}</td><td>{left}</td></tr>"
    return table(heading, body, "Sources of gradients") if body else "<p>No adaptive attacker was run.</p>"


def _provenance(result: Json) -> str:
    known = ("command", "date", "seconds", "settings", "versions")
    items = "".join(f"<div><dt>{name}</dt><dd>{escape(str(result[name]))}</dd></div>" for name in known if name in result)
    plans = "".join(fold(f"Plan {index + 1}", f"<pre>{escape(str(plan))}</pre>") for index, plan in enumerate(result.get("plan_toml", [])))
    return f'<dl class="settings">{items}</dl>{plans}'
