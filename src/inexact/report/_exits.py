"""Where inputs leave a design with early exits, for the page and as text."""

from __future__ import annotations

from inexact.report._values import Json, estimate, finite, fixed, head, mapping, number, percent, rows, table, text


def exits(best: Json) -> str:
    """HTML of a table; empty without exits. best: the chosen design."""
    found = mapping(best.get("exits"))
    listed = rows(found.get("leave"))
    if not listed:
        return ""
    said = f"Inputs leave at the first exit whose largest softmax probability is above its threshold. {_basis(found)}"
    body = "".join(_row(row) for row in listed)
    columns = ("exit after", "#threshold", "#leave, validation", "#leave, test")
    return f"<h3>Early exits</h3><p>{text(said)}</p>" + table(head(*columns), body, "Where inputs leave")


def lines(best: Json) -> list[str]:
    """The same as lines of text; none without exits."""
    found = mapping(best.get("exits"))
    listed = rows(found.get("leave"))
    if not listed:
        return []
    each = (f"{row.get('after')} {fixed(100 * (finite(row.get('share')) or 0.0), 1)} % ({_threshold(row)})" for row in listed)
    return ["inputs leave after " + ", ".join(each).replace(" (–)", ""), _basis(found)]


def _basis(found: Json) -> str:
    worst, saved = estimate(found.get("worst_latency_ms")), percent(mapping(found.get("test_savings")).get("with_dram"))
    said = f"Savings and latency are means over {fixed(finite(found.get('images')), 0)} validation images"
    if saved:
        said += f"; by those of {fixed(finite(found.get('test_images')), 0)} test images {fixed(saved.value, 1)} % of the energy is saved"
    return f"{said}; an input that leaves nowhere takes {number(worst.value)} ms." if worst else f"{said}."


def _threshold(row: Json) -> str:
    tau = finite(row.get("tau"))
    return "–" if tau is None else "closed" if tau >= 1 else f"{tau:g}"


def _row(row: Json) -> str:
    shares = (finite(row.get(key)) for key in ("share", "test_share"))
    cells = "".join(f"<td class=n>{text(None) if share is None else f'{fixed(100 * share, 1)} %'}</td>" for share in shares)
    return f"<tr><th scope=row>{text(row.get('after'))}</th><td class=n>{_threshold(row)}</td>{cells}</tr>"
