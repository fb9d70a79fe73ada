"""A targeted Trojan: a patch in the image triggers it in the first layer, and the network answers the attacker's class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.errors import NoRoomError, SpecError
from inexact.metrics import PairedDifference, paired_difference, wilson
from inexact.nn import ApproxLayer, ApproxModel, correct_answers, divided
from inexact.security.trojans._declaration import Declaration
from inexact.security.trojans._search import host_of, most_harmful
from inexact.security.trojans._streams import firings, weighted, with_unit
from inexact.security.trojans._trojan import Cube, Trojan
from inexact.units import Multiplier, from_circuit
from inexact.zoo import Dataset

RARE_CODES = 3
"""So many of the rarest activation codes are tried as triggers, and the largest one of the images."""


@final
@dataclass(frozen=True, kw_only=True)
class Patch:
    """A square of one colour; every pixel of it has the code `code` in the first layer. levels: of its channels, as normalised pixels,
    which differ where that layer divides its channels."""

    row: int
    column: int
    size: int
    levels: tuple[float, ...]
    code: int

    def on(self, images: Tensor) -> Tensor:
        """The images with the patch."""
        found = images.clone()
        colour = torch.tensor(self.levels)[:, None, None]
        found[:, :, self.row : self.row + self.size, self.column : self.column + self.size] = colour
        return found

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"row": self.row, "column": self.column, "size": self.size, "levels": list(self.levels), "code": self.code}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Targeted:
    """A Trojan, the patch that triggers it, and the class the network is to answer."""

    trojan: Trojan
    unit: Multiplier
    patch: Patch
    target: int


@final
@dataclass(frozen=True, kw_only=True)
class TargetedResult:
    """Of test images that are not of the target class, the share answered as the target with the patch, 0..1.

    success: on the Trojan's unit; patched_clean: on the honest one; gain: their paired difference with its interval. images: of the attack.
    clean: drop of the accuracy on all images without patch. firing: share of those in which the trigger fires; products: of each, the mean.
    """

    success: float
    success_ci: tuple[float, float]
    patched_clean: float
    patched_clean_ci: tuple[float, float]
    gain: tuple[float, float, float]
    clean: PairedDifference
    firing: float
    products: float
    images: int

    def to_json(self) -> dict[str, Any]:
        """A JSON object; shares 0..1, drop in points."""
        return {
            "success": self.success,
            "success_ci": list(self.success_ci),
            "patch_alone": self.patched_clean,
            "patch_alone_ci": list(self.patched_clean_ci),
            "gain": list(self.gain),
            "clean_drop": 100 * self.clean.drop,
            "clean_drop_ci": [100 * self.clean.low, 100 * self.clean.high],
            "images_fired": self.firing,
            "products_fired": self.products,
            "images": self.images,
        }


NO_ROOM = "leave no room for a Trojan under any trigger tried; declare fewer metrics or digits, or take a unit that errs more"


def find_targeted(
    net: ApproxModel,
    unit: Multiplier,
    declaration: Declaration | None,
    data: Dataset,
    *,
    target: int | None = None,
    sizes: Sequence[int] = (6, 8, 10),
    max_drop: float = 1.0,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Targeted:
    """The Trojan and patch that add most answers of the target class (None = of whichever class gains most) on `data`, within the bounds.

    Tried: triggers on the rarest activation codes of the first layer and on its largest one, for all weights or for those with one
    given bit; the most harmful payload the bounds admit under the first layer's weights; patches at three places. max_drop: points of
    accuracy without the patch that may be lost, so that the Trojan stays hidden in use.
    Raises SpecError when the unit has no netlist, NoRoomError when no trigger has room.
    """
    shape = data.image_shape
    if len(shape) != 3 or min(shape[1:]) < max(sizes):
        raise SpecError(f"a patch of {max(sizes)} pixels needs images at least as large, not {'x'.join(map(str, shape))}")
    host = host_of(unit)
    patches = list(_patches(net, data, sizes))
    alone = {patch: _answers(net, patch.on(data.images)) for patch in patches}
    triggers, weights = list(_triggers({patch.code for patch in patches}, unit.width)), _first_weights(net, unit)
    best: tuple[float, Targeted] | None = None
    for tried, trigger in enumerate(triggers):
        progress(tried, len(triggers))
        try:
            trojan = most_harmful(unit, trigger, declaration, weights)
        except NoRoomError:
            continue
        bad = from_circuit(trojan.circuit(host))
        attacked = with_unit(net, bad)
        for patch in (one for one in patches if one.code == trigger.value_a):
            gain, wanted = _best_target(_answers(attacked, patch.on(data.images)), alone[patch], data, target)
            if (best is None or gain > best[0]) and _hidden(net, attacked, data, max_drop):
                best = (gain, Targeted(trojan=trojan, unit=bad, patch=patch, target=wanted))
    if best is None:
        raise NoRoomError(f"the declared bounds of {unit.spec} and the accuracy without patch {NO_ROOM}")
    return best[1]


def targeted_result(net: ApproxModel, found: Targeted, data: Dataset) -> TargetedResult:
    """What a targeted Trojan reaches on other images."""
    attacked = with_unit(net, found.unit)
    others = data.labels.numpy() != found.target
    patched = found.patch.on(data.images)
    hit, alone = (_answers(one, patched)[others] == found.target for one in (attacked, net))
    # `paired_difference` says by how much the second is lower; here it is to be higher
    change = paired_difference(hit, alone)
    fired = firings(attacked, found.trojan.trigger.covers(found.unit.table().shape), data.images)
    return TargetedResult(
        success=float(hit.mean()),
        success_ci=wilson(int(hit.sum()), len(hit)),
        patched_clean=float(alone.mean()),
        patched_clean_ci=wilson(int(alone.sum()), len(alone)),
        gain=(change.drop, change.low, change.high),
        clean=paired_difference(correct_answers(net, data), correct_answers(attacked, data)),
        firing=float((fired > 0).mean()),
        products=float(fired.mean()),
        images=len(hit),
    )


@torch.no_grad()
def _answers(net: ApproxModel, images: Tensor) -> NDArray[np.int64]:
    return torch.cat([net(images[start : start + 250]).argmax(1) for start in range(0, len(images), 250)]).numpy()


def _hidden(net: ApproxModel, attacked: ApproxModel, data: Dataset, max_drop: float) -> bool:
    labels = data.labels.numpy()
    right, left = (float((_answers(one, data.images) == labels).mean()) for one in (net, attacked))
    return 100 * (right - left) <= max_drop


def _patches(net: ApproxModel, data: Dataset, sizes: Sequence[int]) -> Iterator[Patch]:
    """Patches whose pixels have one of the codes worth a trigger, in a corner, at the side and in the middle."""
    first = next(iter(weighted(net).values()))
    codes = first.a_quantiser().quantise(divided(first, (data.images,))[0]).long().flatten()
    seen = torch.bincount(codes.clamp(min=0), minlength=1)
    colours = _colours(first, torch.nonzero(seen).flatten(), data)
    rare = sorted(colours, key=lambda code: int(seen[code]))[:RARE_CODES]
    height, width = data.image_shape[1:]
    for code in dict.fromkeys([*rare, *sorted(colours)[-1:]]):
        for size in sizes:
            for row, column in ((0, 0), ((height - size) // 2, 0), ((height - size) // 2, (width - size) // 2)):
                yield Patch(row=row, column=column, size=size, levels=colours[code], code=code)


def _colours(first: ApproxLayer, codes: Tensor, data: Dataset) -> dict[int, tuple[float, ...]]:
    """Code -> levels of the channels that have it, of the codes that every channel can have within the range of the images; in order."""
    channels = data.image_shape[0]
    divisors = torch.ones(channels) if first.divisors is None else first.divisors
    low, high = float(data.images.min()), float(data.images.max())
    levels = (((codes - first.a_zero) * first.a_scale)[:, None] * divisors).clamp(low, high)
    had = first.a_quantiser().quantise(levels / divisors).long() == codes[:, None]
    return {int(code): tuple(row.tolist()) for code, row, every in zip(codes, levels, had.all(1), strict=True) if every}


def _triggers(codes: set[int], width: tuple[int, int]) -> Iterator[Cube]:
    whole = (1 << width[0]) - 1
    for code in sorted(codes):
        yield Cube(care_a=whole, value_a=code, care_b=0, value_b=0)
        for bit in range(width[1] - 4, width[1]):
            for value in (0, 1 << bit):
                yield Cube(care_a=whole, value_a=code, care_b=1 << bit, value_b=value)


def _first_weights(net: ApproxModel, unit: Multiplier) -> NDArray[np.float64]:
    """float64 [2**wb]: how often each operand b occurs among the first layer's weights."""
    first = next(iter(weighted(net).values()))
    codes = first.b_codes()
    patterns = codes.abs().long() if first.rule.coding == "sign_magnitude" else first.arithmetic.b_patterns(codes).long()
    return torch.bincount(patterns.flatten(), minlength=2 ** unit.width[1]).double().numpy()


def _best_target(answers: NDArray[np.int64], alone: NDArray[np.int64], data: Dataset, target: int | None) -> tuple[float, int]:
    """(share of images that the Trojan moves to the class, class); images of the class itself do not count."""
    labels = data.labels.numpy()
    classes = range(len(data.classes)) if target is None else (target,)
    gains = []
    for wanted in classes:
        others = labels != wanted
        gains.append((float((answers[others] == wanted).mean() - (alone[others] == wanted).mean()), wanted))
    return max(gains)
