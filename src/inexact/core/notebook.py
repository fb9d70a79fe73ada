"""What notebooks show of a result: the text that `print` gives, in lines that stay lines."""

from __future__ import annotations

from html import escape


def as_html(result: object) -> str:
    """The text of a result as preformatted HTML, for its `_repr_html_`."""
    return f"<pre>{escape(str(result))}</pre>"
