"""Ranking candidates on few images, layer by layer, without running the approximate network.

Inputs of every layer are recorded once from the exact 8-bit network; each candidate computes that layer alone, corrects itself for free,
and is judged by the error left (noise), by what that error does to the logits (impact) and by the layer's energy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inexact.explore.accounts import Accounting
from inexact.explore.exits import head
from inexact.explore.pareto import non_dominated, spread
from inexact.explore.space import LayerChoices, Option, Space
from inexact.explore.watch import Watch
from inexact.nn import ApproxModel, Emulated, Plan, Rule, approximate, exits_of
from inexact.recovery import recoveries
from inexact.reduction import Work

PROBES = 4
"""Random projections of the logits per image in the sensitivity estimate; each is unbiased, their mean has a quarter of the variance."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One layer as the exact 8-bit network drives it: its input, its float32 output [as the layer gives it], sensitivity [O].

    sensitivity: expected logit power caused by unit error power in every output of a channel, per image, over the logits' own power. The
    logits are the network's own, but those of its exit for the classifier of an early exit.
    """

    received: tuple[Tensor, ...]
    target: Tensor
    sensitivity: Tensor


def rank(
    model: nn.Module,
    candidates: Mapping[str, list[Rule]],
    images: Tensor,
    accounting: Accounting,
    *,
    seed: int,
    watch: Watch,
    keep: int = 8,
    shared: int = 8,
) -> Space:
    """The space of the options worth trying, with noise, impact and energy.

    candidates: rules of each layer, the exact one first. images: float32 [N, C, H, W]. keep: non-dominated (impact, energy) options a
    layer; shared: rules kept in every layer that offers them because they are non-dominated network-wide (hardware with few distinct units
    is smaller). Deterministic given `seed`. Cost: one layer-wise pass over `images` per distinct rule.
    """
    exact = approximate(model, Plan(dict.fromkeys(candidates, accounting.exact)), calibrate=images)
    watch.stage("rank candidates", len({rule for rules in candidates.values() for rule in rules}))
    recordings = _record(exact, images, seed)
    options: dict[str, dict[Rule, Option]] = {name: {} for name in candidates}
    for rule in dict.fromkeys(rule for rules in candidates.values() for rule in rules):
        names = [name for name, rules in candidates.items() if rule in rules]
        net = approximate(model, Plan(dict.fromkeys(names, rule)), calibrate=images)
        works = dict.fromkeys(net.layers(), Work()) | net.works()
        energies = accounting.layer_energies(dict.fromkeys(names, rule), works)
        for name, layer in net.layers().items():
            noise, impact = _judge(layer, recordings[name])
            options[name][rule] = Option(rule=rule, noise=noise, impact=impact, energy_pj=energies[name], work=works[name])
        watch.step(note=str(rule.multiplier))
    return _pruned(options, accounting, keep, shared)


@torch.no_grad()
def _judge(layer: Emulated, recording: Recording) -> tuple[float, float]:
    """(noise, impact) of a layer after its own free correction."""
    layer.recoverer = recoveries.get(layer.rule.recovery).correct
    error = layer.channels_first(layer(*recording.received) - recording.target).double()
    signal = recording.target.double().var(correction=0)
    noise = float(error.square().mean() / signal.clamp(min=1e-30))
    return noise, float((error.square().mean(1) * recording.sensitivity).sum())


def _record(net: ApproxModel, images: Tensor, seed: int) -> dict[str, Recording]:
    """Inputs, float32 outputs and sensitivities of every layer in one forward and a few backward passes of the exact 8-bit network."""
    received: dict[str, tuple[Tensor, ...]] = {}
    produced: dict[str, Tensor] = {}

    def watch(name: str, layer: Emulated) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            received[name], produced[name] = tuple(x.detach() for x in inputs), output
            return output.clone()  # layers that follow may write in place

        return layer.register_forward_hook(hook)

    handles = [watch(name, layer) for name, layer in net.layers().items()]
    exits = exits_of(net)
    try:
        with torch.enable_grad():
            logits = [net(images)] if exits is None else exits.scores(images)
    finally:
        for handle in handles:
            handle.remove()
    gradients = _sensitivities(logits, produced, seed)
    found, layers = {}, net.layers()
    with torch.no_grad():
        for name in produced:  # in the order they ran, which modules need not be listed in
            layer, (gradient, power) = layers[name], gradients[name]
            sensitivity = layer.channels_first(gradient).double().sum(1) / len(images) / power
            found[name] = Recording(received=received[name], target=layer.float_output(*received[name]).detach(), sensitivity=sensitivity)
    return found


def _sensitivities(logits: list[Tensor], produced: Mapping[str, Tensor], seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Squared gradients of every output, and the power of the logits it leads to; logits: of every classifier, the network's own last."""
    heads = [head(place) for place in range(len(logits) - 1)]
    groups = [[name] for name in heads] + [[name for name in produced if name not in heads]]
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for scores, names in zip(logits, groups, strict=True):
        power = (scores - scores.mean(1, keepdim=True)).detach().double().square().sum(1).mean().clamp(min=1e-30)
        gradients = _gradient_power(scores, [produced[name] for name in names], seed)
        found |= {name: (gradient, power) for name, gradient in zip(names, gradients, strict=True)}
    return found


def _gradient_power(logits: Tensor, outputs: list[Tensor], seed: int) -> list[Tensor]:
    """Expected squared gradient of the centred logits with respect to each output: Hutchinson's estimator with Gaussian probes.

    Reference: M. F. Hutchinson, Communications in Statistics 19(2), 1990, doi:10.1080/03610919008812866
    """
    generator = torch.Generator().manual_seed(seed)
    totals = [torch.zeros_like(output) for output in outputs]
    for probe in range(PROBES):
        direction = torch.randn(logits.shape, generator=generator).to(logits.device)
        direction = direction - direction.mean(1, keepdim=True)
        gradients = torch.autograd.grad(logits, outputs, direction, retain_graph=probe < PROBES - 1)
        for total, gradient in zip(totals, gradients, strict=True):
            total.add_(gradient.square(), alpha=1 / PROBES)
    return totals


def _pruned(options: dict[str, dict[Rule, Option]], accounting: Accounting, keep: int, shared: int) -> Space:
    common = _shared_rules(options, accounting, shared)
    layers = []
    for name, found in options.items():
        listed = list(found.values())
        front = [o for o, good in zip(listed, non_dominated([(o.impact, o.energy_pj) for o in listed]), strict=True) if good]
        chosen = {front[i].rule for i in spread([o.energy_pj for o in front], keep)} | common | _precisions(listed, keep)
        exact = accounting.exact
        kept = [found[exact], *(o for o in listed if o.rule in chosen and o.rule != exact)]
        layers.append(LayerChoices(layer=name, options=tuple(kept)))
    return Space(layers=tuple(layers))


def _precisions(listed: list[Option], count: int) -> set[Rule]:
    """Rules of exact units no other of the same coding beats: one multiplier serves all of them, so that they cost less in company."""
    found: set[Rule] = set()
    for coding in dict.fromkeys(option.rule.coding for option in listed):
        plain = [option for option in listed if option.rule.exact and option.rule.coding == coding]
        good = [o for o, keep in zip(plain, non_dominated([(o.impact, o.energy_pj) for o in plain]), strict=True) if keep]
        found |= {good[i].rule for i in spread([o.energy_pj for o in good], count)}
    return found


def _shared_rules(options: dict[str, dict[Rule, Option]], accounting: Accounting, count: int) -> set[Rule]:
    """Rules every layer offers whose network-wide use is non-dominated in (impact, energy, area)."""
    everywhere = [rule for rule in next(iter(options.values())) if all(rule in found for found in options.values())]
    rows = []
    for rule in everywhere:
        total = accounting.predict(dict.fromkeys(options, rule), {name: found[rule].work for name, found in options.items()})
        rows.append((sum(found[rule].impact for found in options.values()), total.energy_pj, total.area_um2))
    good = [rule for rule, keep in zip(everywhere, non_dominated(rows), strict=True) if keep]
    energies = [row[1] for row, keep in zip(rows, non_dominated(rows), strict=True) if keep]
    return {good[i] for i in spread(energies, count)}
