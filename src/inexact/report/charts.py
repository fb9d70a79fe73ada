"""Charts as inline SVG text: scales, ticks, stacked bars, bars with an interval. Colours come from the page's style sheet.

Every chart carries `role="img"` and an accessible name. Text sizes and colours are classes, so one drawing serves
light, dark and print. Labels passed to these functions are escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 640
"""Width of every drawing in user units; the page scales it to the column."""

SERIES = 8
"""How many series colours the style sheet defines (classes s0 to s7)."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A linear scale from data `low..high` to drawing units `start..end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Position of `value`, rounded to 0.1 drawing units; values outside are clipped to the ends."""
        clipped = min(max(value, self.low), self.high)
        span = self.high - self.low or 1.0
        return round(self.start + (clipped - self.low) / span * (self.end - self.start), 1)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: a value with its interval, and a second value (`limit`) that it cannot exceed."""

    label: str
    value: float
    shown: str
    spread: tuple[float, float] | None = None
    limit: float | None = None


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) within `low..high`."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step + 0.0 for index in range(first, last + 1)]


def tick_label(value: float, step: float) -> str:
    """A tick's number with just the decimals its `step` needs."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return f"{value:.{decimals}f}".replace("-", "\u2212")


def svg(body: str, *, height: float, label: str, extra: str = "", role: str = "img") -> str:
    """Wrap drawing commands into an `<svg>` of `WIDTH` x `height` units with an accessible name."""
    head = f'<svg viewBox="0 0 {WIDTH} {height:g}" role="{role}" aria-label="{escape(label)}" {extra}>'
    return f"{head}{body}</svg>"


def write(x: float, y: float, content: str, *, anchor: str = "start", css: str = "") -> str:
    """A text element at (x, y)."""
    kind = f' class="{css}"' if css else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{kind}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A straight line."""
    return f'<path class="{css}" d="M{x1:g} {y1:g}L{x2:g} {y2:g}"/>'


def rectangle(x: float, y: float, width: float, height: float, css: str, title: str = "") -> str:
    """A filled rectangle; `title` is its native tooltip."""
    inside = f"><title>{escape(title)}</title></rect>" if title else "/>"
    return f'<rect class="{css}" x="{x:g}" y="{y:g}" width="{max(0.0, width):g}" height="{height:g}"{inside}'


def axis_x(scale: Scale, *, top: float, bottom: float, title: str, count: int = 6) -> str:
    """Horizontal axis: grid lines from `top` to `bottom`, numbers and a title below."""
    places = ticks(scale.low, scale.high, count)
    step = places[1] - places[0] if len(places) > 1 else 1.0
    parts = [line(scale(place), top, scale(place), bottom, "grid") for place in places]
    parts += [write(scale(place), bottom + 18, tick_label(place, step), anchor="middle", css="tick") for place in places]
    parts.append(write(scale.end, bottom + 40, title, anchor="end", css="axis-title"))
    return "".join(parts)


def axis_y(scale: Scale, *, left: float, right: float, title: str, count: int = 5) -> str:
    """Vertical axis: grid lines from `left` to `right`, numbers left of them and the title written flat above."""
    places = ticks(scale.low, scale.high, count)
    step = places[1] - places[0] if len(places) > 1 else 1.0
    parts = [line(left, scale(place), right, scale(place), "grid") for place in places]
    parts += [write(left - 8, scale(place) + 4, tick_label(place, step), anchor="end", css="tick") for place in places]
    parts.append(write(0, scale.end - 16, title, css="axis-title"))
    return "".join(parts)


def stacked_bars(bars: Sequence[tuple[str, str, Mapping[str, float]]], *, label: str, unit: str) -> str:
    """Horizontal stacked bars on one scale. bars: (name, total as text, component -> value in `unit`), values >= 0.

    Colours follow the order of first appearance of a component; `legend` of the same names matches it.
    """
    order = component_order([parts for _, _, parts in bars])
    longest = max((sum(parts.values()) for _, _, parts in bars), default=0.0) or 1.0
    scale = Scale(low=0.0, high=longest, start=0.0, end=WIDTH)
    drawn: list[str] = []
    y = 18.0
    for name, total, parts in bars:
        drawn += [write(0, y, name, css="strong"), write(WIDTH, y, total, anchor="end", css="strong")]
        start, whole = 0.0, sum(parts.values()) or 1.0
        for component in order:
            value = parts.get(component, 0.0)
            if value <= 0:
                continue
            left, right = scale(start), scale(start + value)
            title = f"{component}: {value:.4g} {unit} ({100 * value / whole:.1f} % of {name})"
            drawn.append(rectangle(left, y + 10, right - left, 30, f"s{order.index(component) % SERIES} block", title))
            share = 100 * value / whole
            if right - left > 46:
                css = f"inside i{order.index(component) % SERIES}"
                drawn.append(write((left + right) / 2, y + 30, f"{share:.0f} %", anchor="middle", css=css))
            start += value
        y += 74
    return svg("".join(drawn), height=y - 30, label=label)


def component_order(parts: Sequence[Mapping[str, float]]) -> list[str]:
    """Component names in order of first appearance over all bars."""
    return list(dict.fromkeys(name for components in parts for name in components))


def legend(names: Sequence[str]) -> str:
    """An HTML list of colour keys, in the order of the series colours."""
    keys = "".join(f'<li><span class="key s{index % SERIES}"></span>{escape(name)}</li>' for index, name in enumerate(names))
    return f'<ul class="legend">{keys}</ul>'


def limit_bars(bars: Sequence[Bar], *, label: str, title: str) -> str:
    """Horizontal bars from 0 to 100 % with an interval whisker and a tick at each bar's limit (values in percent)."""
    low = min([0.0, *(bar.value for bar in bars), *(bar.spread[0] for bar in bars if bar.spread)])
    scale = Scale(low=max(-100.0, low), high=100.0, start=2.0, end=WIDTH - 14.0)
    top, height = 6.0, 64.0
    bottom = top + height * len(bars)
    drawn = [axis_x(scale, top=top, bottom=bottom, title=title)]
    for index, bar in enumerate(bars):
        y = top + height * index + 24
        zero, end = scale(0.0), scale(bar.value)
        drawn += [write(scale.start, y, bar.label), write(WIDTH - 2, y, bar.shown, anchor="end", css="strong")]
        if bar.limit is not None:
            drawn.append(rectangle(zero, y + 8, scale(bar.limit) - zero, 16, "ceiling"))
        drawn.append(rectangle(min(zero, end), y + 8, abs(end - zero), 16, "s0"))
        if bar.spread:
            drawn.append(whisker(scale(bar.spread[0]), scale(bar.spread[1]), y + 16))
        if bar.limit is not None:
            drawn.append(line(scale(bar.limit), y + 5, scale(bar.limit), y + 27, "limit"))
    return svg("".join(drawn), height=bottom + 46, label=label)


def whisker(left: float, right: float, y: float, *, cut: bool = False) -> str:
    """A horizontal interval with end caps; `cut`: it goes on beyond the axis, so its right end has no cap."""
    cap = "" if cut else f"M{right:g} {y - 4:g}v8"
    return f'<path class="whisker" d="M{left:g} {y:g}H{right:g}M{left:g} {y - 4:g}v8{cap}"/>'


def marker(shape: int, x: float, y: float, size: float) -> str:
    """Path data of a marker centred at (x, y): 0 circle, 1 diamond, 2 square, 3 triangle (area grows with `size`)."""
    if shape % 4 == 0:
        return f"M{x - size:g} {y:g}a{size:g} {size:g} 0 1 0 {2 * size:g} 0a{size:g} {size:g} 0 1 0 {-2 * size:g} 0z"
    if shape % 4 == 1:
        reach = round(size * 1.3, 1)
        return f"M{x - reach:g} {y:g}l{reach:g} {-reach:g}l{reach:g} {reach:g}l{-reach:g} {reach:g}z"
    if shape % 4 == 2:
        half = round(size * 0.9, 1)
        return f"M{x - half:g} {y - half:g}h{2 * half:g}v{2 * half:g}h{-2 * half:g}z"
    half = round(size * 1.15, 1)
    return f"M{x - half:g} {y + half * 0.8:g}h{2 * half:g}l{-half:g} {-2 * half:g}z"
