"""Picture of a unit's error: heat map over both operands and histogram, one self-contained SVG."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inexact.report._values import MINUS, number

Integers = NDArray[np.int64]

SIZE, GAP, TOP, LEFT = 360, 130, 70, 60
BINS = 61
BLUE, RED, INK, FAINT = (33, 102, 172), (178, 24, 43), "#222", "#888"
SKEW = 100
"""The histogram's axis is logarithmic when its largest bin is so many times the median one."""


def picture(name: str, error: Integers, *, signed: bool) -> str:
    """SVG document for an error table approx - exact [2**wa, 2**wb], index = bit pattern; signed: axes run from the most negative operand.

    Left the error over activation a (upwards) and weight b, white = exact, red above, blue below; right how often each error occurs over
    all operand pairs. Opens by itself in a browser.
    """
    cells = np.roll(error, (error.shape[0] // 2, error.shape[1] // 2), (0, 1)) if signed else error
    width, height = LEFT + 2 * SIZE + GAP + 40, TOP + SIZE + 70
    label = f"Error of {escape(name, quote=True)} over both operands, and how often each error occurs"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
    parts = [
        f'{head} aria-label="{label}" font-family="system-ui, sans-serif" font-size="13" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(LEFT, 28, name, size=17),
        _text(LEFT, 50, "error = approx \u2212 exact, output units; uniform operands, all pairs", colour=FAINT),
        *_map(cells, signed=signed),
        *_histogram(error.ravel(), LEFT + SIZE + GAP),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _map(cells: Integers, *, signed: bool) -> list[str]:
    largest = int(np.abs(cells).max())
    strip = np.linspace(-1, 1, 101)[None, :] * max(largest, 1)
    bottom = TOP + SIZE
    first = [-size // 2 if signed else 0 for size in cells.shape]
    ends = [(str(low), str(low + size - 1)) for low, size in zip(first, cells.shape, strict=True)]
    (a_low, a_high), (b_low, b_high) = [tuple(end.replace("-", MINUS) for end in pair) for pair in ends]
    return [
        _image(cells[::-1], largest, (LEFT, TOP, SIZE, SIZE)),
        f'<rect x="{LEFT}" y="{TOP}" width="{SIZE}" height="{SIZE}" fill="none" stroke="{FAINT}"/>',
        _text(LEFT - 6, bottom, a_low, anchor="end"),
        _text(LEFT - 6, TOP + 12, a_high, anchor="end"),
        f'<text transform="translate({LEFT - 38} {TOP + SIZE / 2}) rotate(-90)" text-anchor="middle">a, activation</text>',
        _text(LEFT, bottom + 17, b_low),
        _text(LEFT + SIZE, bottom + 17, b_high, anchor="end"),
        _text(LEFT + SIZE / 2, bottom + 17, "b, weight", anchor="middle"),
        _image(strip, largest, (LEFT + 90, bottom + 34, SIZE - 180, 12)),
        _text(LEFT + 84, bottom + 45, number(-largest) if largest else "0", anchor="end"),
        _text(LEFT + SIZE - 84, bottom + 45, number(largest)),
    ]


def _image(values: NDArray[np.generic], largest: int, box: tuple[int, int, int, int]) -> str:
    """The values as coloured pixels; 0 is white and only 0 is."""
    share = np.asarray(values, dtype=np.float64) / max(largest, 1)
    depth = np.where(share == 0, 0.0, 0.12 + 0.88 * np.abs(share))[..., None]
    ends = np.where(share[..., None] > 0, RED, BLUE)
    pixels = np.rint(255 + (ends - 255) * depth).astype(np.uint8)
    found = io.BytesIO()
    Image.fromarray(pixels).quantize(255).save(found, "PNG", optimize=True)
    data = base64.b64encode(found.getvalue()).decode()
    x, y, width, height = box
    place = f'x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none" style="image-rendering:pixelated"'
    return f'<image {place} href="data:image/png;base64,{data}"/>'


def _histogram(errors: Integers, left: int) -> list[str]:
    bottom, middle = TOP + SIZE, left + SIZE / 2
    if not errors.any():
        return [_text(middle, TOP + SIZE / 2, "no error: every product is exact", anchor="middle", size=15)]
    low, high = int(errors.min()), int(errors.max())
    step = max(1, -(-(high - low + 1) // BINS))
    counts = np.bincount((errors - low) // step)
    share = counts / errors.size
    filled = share[share > 0]
    logarithmic = bool(filled.max() > SKEW * np.median(filled))
    floor = 0.5 / errors.size
    heights = np.log(np.maximum(share, floor) / floor) / np.log(filled.max() / floor) if logarithmic else share / filled.max()
    bar = SIZE / len(counts)
    parts = [
        f'<rect x="{left + i * bar:.1f}" y="{bottom - SIZE * h:.1f}" width="{bar - 1:.1f}" height="{SIZE * h:.1f}" fill="#7a8ba6"/>'
        for i, h in enumerate(heights.tolist())
        if h > 0
    ]
    scale = SIZE / (len(counts) * step)
    for value, dash, text, row in ((0.0, "", "0", 0), (float(errors.mean()), ' stroke-dasharray="5 3"', "mean", 1)):
        x = left + (value - low + 0.5) * scale
        if left <= x <= left + SIZE:
            parts.append(f'<path d="M{x:.1f} {TOP - 6 - 14 * row}V{bottom}" stroke="{INK}"{dash}/>')
            shown = text if text == "0" else f"mean {number(value)}"
            anchor = "end" if x > middle else "start"
            parts.append(_text(x + (-4 if anchor == "end" else 4), TOP - 6 - 14 * row + 4, shown, anchor=anchor))
    axis = "share of operand pairs" + (", logarithmic" if logarithmic else "")
    return [
        *parts,
        f'<path d="M{left} {bottom}h{SIZE}" stroke="{FAINT}"/>',
        _text(left, bottom + 17, number(low)),
        _text(left + SIZE, bottom + 17, number(high), anchor="end"),
        _text(middle, bottom + 34, f"error, output units (bins of {step})", anchor="middle"),
        _text(left - 6, TOP + 12, f"{100 * filled.max():.3g} %", anchor="end"),
        f'<text transform="translate({left - 30} {TOP + SIZE / 2}) rotate(-90)" text-anchor="middle">{axis}</text>',
    ]


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
