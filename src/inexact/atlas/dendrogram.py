"""The tree of clusters as a picture: leaves are works, coloured by family; branches within a cluster share a colour."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import dendrogram, leaves_list

from inexact.atlas.clusters import Clusters
from inexact.atlas.pictures import COLOURS, WIDTH, legend
from inexact.report.picture import FAINT, document, dot, text

ROW, LEFT, RIGHT, TOP = 11, 60, 190, 100


def picture(found: Clusters) -> str:
    """SVG document; distances grow to the left."""
    drawn = dendrogram(found.tree, no_plot=True)
    order = leaves_list(found.tree).tolist()
    highest = float(np.max(found.tree[:, 2]))
    height = TOP + ROW * len(order) + 30
    count = len(set(found.labels.tolist()))
    rand, (low, high) = found.with_families.rand, found.with_families.rand_ci
    said = f"{len(order)} works, {count} clusters; adjusted Rand index with the families {rand:.2f} [{low:.2f}, {high:.2f}]"
    parts = [text(16, 28, "Works clustered by what they do", size=16), text(16, 50, said), *legend(24, 78)]

    def at(depth: float, place: float) -> str:
        return f"{WIDTH - RIGHT - depth / highest * (WIDTH - LEFT - RIGHT):.1f} {TOP + place / 10 * ROW:.1f}"

    for places, depths in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        path = " L".join(at(depth, place) for depth, place in zip(depths, places, strict=True))
        parts.append(f'<path d="M{path}" fill="none" stroke="{FAINT}"/>')
    for place, leaf in enumerate(order):
        y = TOP + (place + 0.5) * ROW
        parts.append(dot(WIDTH - RIGHT + 8, y, 4, colour=COLOURS[found.works[leaf].family]))
        parts.append(text(WIDTH - RIGHT + 18, y + 3.5, f"{found.works[leaf].key}  ({found.labels[leaf]})", size=9))
    return document(parts, width=WIDTH, height=height, label=f"Tree of works: {said}")
