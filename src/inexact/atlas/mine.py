"""One's own evaluation on the map: a finished study, its place among the works, and what a reviewer would ask for, with reasons."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inexact.atlas import datasets, networks
from inexact.atlas.complexity import Field, Weights, score
from inexact.atlas.datasets import Described
from inexact.core.errors import StudyError
from inexact.explore.stored import open_store, stored_report
from inexact.explore.study import STORE

MULTIPLYING = ("conv", "conv_transpose", "linear", "product")
"""Kinds of layers whose multiply-accumulates count; "product" is of two activations, as in attention."""

DEPTHWISE = ("mobilenetv2s", "efficientnet_lite0")
"""Networks of the zoo with depthwise convolutions; reports do not say which layers are."""

ENOUGH = 1000
"""Test images below which a difference of a point cannot be told: its 95 % interval is a point wide and more."""


@dataclass(frozen=True, kw_only=True)
class Mine:
    """A study as an evaluation. macs: of its multiplying layers, one inference; None when no design was chosen, so that none are listed.

    data: None for a data set that is not described here. depthwise, attention: whether the network has such layers, None: not known.
    images, drop_end: test images of the chosen design and the upper end of its drop's interval, points; None without one. limit: points
    that may be lost. seed: of the search. narrow: whether some trial was exact on narrower operands, None when no trial ended.
    """

    network: str
    data_name: str
    data: Described | None
    macs: int | None
    depthwise: bool | None
    attention: bool
    images: int | None
    drop_end: float | None
    limit: float
    seed: int
    narrow: bool | None

    @property
    def cell(self) -> tuple[int, int] | None:
        """(data-set tier, network tier), None without both."""
        return None if self.data is None or self.macs is None else (self.data.tier, networks.tier(self.macs))


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a reviewer would ask for. rule: its name. reason: why, with a source or a count."""

    rule: str
    text: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """Plain JSON."""
        return {"rule": self.rule, "text": self.text, "reason": self.reason}


def read_study(path: str | Path) -> Mapping[str, Any]:
    """The report of a finished study, from its file or folder.

    Raises StudyError for a file that is no study, a study of another version, or one that has not ended.
    """
    place = Path(path)
    if place.is_file() and place.name != STORE:
        raise StudyError(f"{place} must be the {STORE} of a study, or its folder; it is called {place.name}")
    with open_store(place.parent if place.name == STORE else place) as store:
        return stored_report(store)


def evaluation_of(report: Mapping[str, Any]) -> Mine:
    """A study's report as an evaluation. Raises StudyError for one that another version wrote."""
    try:
        return _evaluation(report)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        known = report.get("versions")
        writer = known.get("inexact", "unknown") if isinstance(known, Mapping) else "unknown"
        what = f"it lacks {error}" if isinstance(error, KeyError) else f"it cannot be read: {error}"
        raise StudyError(
            f"the study's report must be as this version writes it ({version('inexact')}); {what}, and was written by version {writer}: "
            "run the study again in another folder"
        ) from error


def _evaluation(report: Mapping[str, Any]) -> Mine:
    network, data, best = str(report["network"]), str(report["data"]), report["best"]
    layers = [] if best is None else [layer for layer in best["layers"] if layer["kind"] in MULTIPLYING]
    plans = [str(trial["plan_toml"]) for trial in report["trials"] if trial["status"] == "done"]
    return Mine(
        network=network,
        data_name=data,
        data=datasets.described(data),
        macs=sum(int(layer["macs"]) for layer in layers) or None,
        depthwise=None if ":" in network else network in DEPTHWISE,
        attention=any(layer["kind"] == "product" for layer in layers),
        images=None if best is None else int(best["test"]["n"]),
        drop_end=None if best is None else float(best["test"]["drop_ci"][1]),
        limit=float(report["max_drop"]),
        seed=int(report["seed"]),
        narrow=any(_exact_and_narrow(plan) for plan in plans) if plans else None,
    )


def place(mine: Mine, field: Field, weights: Weights | None = None) -> dict[str, Any]:
    """Where a study lies: cell, score, works of the same cell, share of placed works that evaluate harder; and the requests."""
    own = score(mine.data, mine.macs, weights)
    scores = [found.score for found in field.evaluations if found.score is not None]
    return {
        "network": mine.network,
        "data": mine.data_name,
        "data_tier": None if mine.data is None else mine.data.tier,
        "macs": mine.macs,
        "network_tier": None if mine.macs is None else networks.tier(mine.macs),
        "score": own,
        "harder": None if own is None else sum(other > own for other in scores),
        "scored": len(scores),
        "same_cell": [found.work for found in field.placed if found.cell == mine.cell],
        "requests": [request.to_json() for request in requests(mine, field)],
    }


def requests(mine: Mine, field: Field) -> list[Request]:
    """What a reviewer would ask for, by the rules below, in their order."""
    return [found for rule in _RULES if (found := rule(mine, field)) is not None]


def _harder_data(mine: Mine, field: Field) -> Request | None:
    if mine.data is None:
        text = f"describe {mine.data_name}: classes, image size, training images, and how hard it is for a network without approximation"
        return Request(rule="data", text=text, reason="it is none of the field's data sets, so that losses cannot be compared")
    if mine.data.tier >= 3:
        return None
    known = [found.data.tier for found in field.evaluations if found.data is not None]
    harder = sum(tier > mine.data.tier for tier in known)
    reason = (
        f"{harder} of the {len(known)} works with a known data set use harder ones; small problems flatter approximation: the same "
        "multipliers cost 0.36 points on MNIST and 1.89 on SVHN (mrazek2016)"
    )
    return Request(rule="data", text=f"evaluate on data harder than {mine.data.title}: 100 classes or ImageNet (tiers 3, 4)", reason=reason)


def _larger_network(mine: Mine, field: Field) -> Request | None:
    if mine.macs is None or networks.tier(mine.macs) >= 3:
        return None
    known = [found.network_tier for found in field.evaluations if found.network_tier is not None]
    larger = sum(tier > networks.tier(mine.macs) for tier in known)
    reason = (
        f"{larger} of the {len(known)} works with a known network use larger ones; retraining and search that are cheap here may not be "
        "there"
    )
    return Request(
        rule="network", text=f"evaluate a network of 100 M MACs or more beside {mine.network} ({mine.macs:,} MACs)", reason=reason
    )


def _other_layers(mine: Mine, field: Field) -> Request | None:
    lacking = [name for name, held in (("depthwise convolutions", mine.depthwise), ("attention", mine.attention)) if held is False]
    if mine.macs is None or not lacking:
        return None
    reason = (
        "errors of many products average out, those of short sums do not, and a depthwise 3 x 3 convolution adds 9; attention multiplies "
        "activations by each other"
    )
    return Request(rule="layers", text=f"evaluate a network with {' and one with '.join(lacking)}", reason=reason)


def _enough_images(mine: Mine, field: Field) -> Request | None:
    if mine.images is None or mine.images >= ENOUGH:
        return None
    return Request(
        rule="images", text=f"measure on {ENOUGH} test images or more, not on {mine.images}", reason="the interval of the drop is wide"
    )


def _within_limit(mine: Mine, field: Field) -> Request | None:
    if mine.drop_end is None or mine.drop_end <= mine.limit:
        return None
    text = f"say that the drop may be {mine.drop_end:.2f} points, or measure on more images"
    return Request(rule="interval", text=text, reason=f"the upper end of its 95 % interval lies above the limit of {mine.limit:g} points")


def _narrow_rival(mine: Mine, field: Field) -> Request | None:
    if mine.narrow is not False:
        return None
    reason = "fewer bits save multiplier, memory and traffic together; an approximate unit must beat them, not only the 8-bit multiplier"
    return Request(rule="rival", text="compare with exact multipliers on narrower operands at the same loss", reason=reason)


def _exact_and_narrow(plan: str) -> bool:
    rules = [rule for rule in tomllib.loads(plan)["plan"]["rules"].values() if rule.get("keep") is not True]
    exact = all(str(rule.get("multiplier", "exact")).startswith("exact") for rule in rules)
    return exact and any("bits=" in str(rule.get("precision", "")) for rule in rules)


def _several_seeds(mine: Mine, field: Field) -> Request | None:
    reason = f"the search is random and was run once, with seed {mine.seed}: another seed may choose another design"
    return Request(rule="seeds", text="repeat the search with other seeds and report the spread", reason=reason)


_RULES: Sequence[Callable[[Mine, Field], Request | None]] = (
    _harder_data,
    _larger_network,
    _other_layers,
    _narrow_rival,
    _enough_images,
    _within_limit,
    _several_seeds,
)
