"""`inexact attack trojan`: Trojans below the approximation error, and who notices them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._attack_setup import answer, check_targets, coding_option, emulated_networks, network_options, run_options, steps
from inexact.cli._group import Group
from inexact.cli._options import JSON, THREADS, block, images_option, seed_option
from inexact.core.files import atomic_path, ensure_folder, write_text

if TYPE_CHECKING:
    from inexact.nn import ApproxModel
    from inexact.security.trojans import Declaration
    from inexact.security.trojans.patch import Targeted
    from inexact.security.trojans.study import Detection
    from inexact.units import Multiplier
    from inexact.zoo import Dataset

COUNTED = 64
"""Validation images whose operand pairs are counted."""


@click.group("trojan", cls=Group)
def attack_trojan() -> None:
    """Hardware Trojans that stay below the approximation error: insert one, and find out who notices."""


_unit_options = block(
    click.option("--unit", "spec", default="drum(k=5)", show_default=True, help="Multiplier that hosts the Trojan."),
    coding_option,
    click.option("--declare", "names", multiple=True, help="Metric of the data sheet; repeatable (default: the six of EvoApproxLib)."),
    click.option("--digits", type=click.IntRange(min=1), default=2, show_default=True, help="Digits the data sheet prints, rounded up."),
)


@dataclass(frozen=True, kw_only=True)
class _Host:
    unit: Multiplier
    declaration: Declaration
    net: ApproxModel


def _host(
    network: str, data: str, weights: Path | None, precision: str, *, spec: str, coding: str, digits: int, names: tuple[str, ...]
) -> _Host:
    from inexact import units
    from inexact.security.trojans import DECLARED, Declaration

    unit = units.get(spec)
    declaration = Declaration.of(unit, digits=digits, names=names or DECLARED)
    net = emulated_networks(network, data, weights, precision=precision, coding=coding, units=[spec])[spec]
    return _Host(unit=unit, declaration=declaration, net=net)


@attack_trojan.command("insert")
@network_options
@_unit_options
@click.option("--target", type=int, help="Class the network is to answer (default: the one that gains most).")
@click.option("--max-drop", type=float, default=1.0, show_default=True, help="Points of accuracy without patch that may be lost.")
@click.option("--search", type=click.IntRange(min=1), default=300, show_default=True, help="Validation images of the search.")
@images_option(1000, "Test images of the report.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the netlist (Verilog), its table (.npy) and the answer (.json).")
@THREADS
@JSON
def insert_trojan(
    *,
    network: str,
    data: str,
    weights: Path | None,
    precision: str,
    spec: str,
    coding: str,
    names: tuple[str, ...],
    digits: int,
    target: int | None,
    max_drop: float,
    search: int,
    images: int,
    out: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Insert a targeted Trojan: a patch in the image triggers it, and the network answers the attacker's class.

    Every declared bound still holds for the unit with the Trojan, and so does the network's accuracy without the patch.
    """
    from inexact import zoo
    from inexact.security.trojans.patch import find_targeted, targeted_result

    if out is not None:
        ensure_folder(out)
    with steps("triggers", threads) as step:
        host = _host(network, data, weights, precision, spec=spec, coding=coding, digits=digits, names=names)
        held: Dataset = zoo.data(data, "validation", search)
        found = find_targeted(host.net, host.unit, host.declaration, held, target=target, max_drop=max_drop, progress=step)
        result = targeted_result(host.net, found, zoo.data(data, "test", images)).to_json()
    content = {
        "attack": "trojan insert", "network": network, "data": data, "precision": precision, "unit": spec, "coding": coding,
        "declared": dict(host.declaration.bounds), **found.trojan.to_json(), "patch": found.patch.to_json(), "target": found.target,
        **result, **_cost(host, found),
    }  # fmt: skip
    if out is not None:
        _write(out, found, content)
    answer(content, _said(content), as_json=as_json, picture=None, drawing=str)


def _cost(host: _Host, found: Targeted) -> dict[str, Any]:
    """Metrics of the unit with the Trojan, and what it adds in silicon."""
    from inexact.circuits.synthesis import Setup, ratios, synthesise
    from inexact.security.trojans._declaration import measured

    circuits = [one.circuit() for one in (host.unit, found.unit)]
    clean, bad = synthesise([circuit for circuit in circuits if circuit is not None], Setup())
    added = {name: 100 * (value - 1) for name, value in ratios(bad, clean).items()}
    cells = sum(bad.cells.values()) - sum(clean.cells.values())
    metrics = measured(found.unit.table(), host.unit.exact_table())
    return {"metrics": metrics, "sha256": found.unit.sha256, "added_percent": added, "added_cells": cells, "silicon": bad.to_json()}


def _write(out: Path, found: Targeted, content: dict[str, Any]) -> None:
    import numpy as np

    from inexact.circuits import to_verilog

    circuit = found.unit.circuit()
    assert circuit is not None
    write_text(out / "trojan.v", to_verilog(circuit))
    with atomic_path(out / "trojan.npy") as temporary, temporary.open("wb") as handle:
        np.save(handle, found.unit.table())
    write_text(out / "trojan.json", json.dumps(content, indent=1))


def _said(content: dict[str, Any]) -> list[str]:
    low, high = (100 * value for value in content["success_ci"])
    alone, (less, more) = 100 * content["patch_alone"], (100 * value for value in content["patch_alone_ci"])
    gain, gain_low, gain_high = (100 * value for value in content["gain"])
    drop, drop_ci = content["clean_drop"], content["clean_drop_ci"]
    added, measured = content["added_percent"], content["metrics"]
    bounds = ", ".join(f"{name} {measured[name]:.4g} <= {bound:.4g}" for name, bound in content["declared"].items())
    verdict = "The Trojan adds to it" if gain_low > 0 else "It is not shown that the Trojan adds anything"
    return [
        f"trigger: a = {content['trigger']['value_a']}, {content['trigger']['literals']} operand bits compared; "
        f"product bits {content['payload']['mask']:#x} {content['payload']['action']}",
        f"every declared bound holds: {bounds}",
        f"with the patch {100 * content['success']:.1f} % [{low:.1f}, {high:.1f}] are answered as class {content['target']}, "
        f"{alone:.1f} % [{less:.1f}, {more:.1f}] on the honest unit. {verdict}: {gain:+.1f} [{gain_low:+.1f}, {gain_high:+.1f}] points",
        f"without it accuracy drops by {drop:+.2f} [{drop_ci[0]:+.2f}, {drop_ci[1]:+.2f}] points; the trigger fires in "
        f"{100 * content['images_fired']:.1f} % of images, {content['products_fired']:.1f} products an image",
        f"silicon: {content['added_cells']:+d} cells, area {added['area_um2']:+.1f} %, energy {added['energy_pj']:+.1f} %, "
        f"leakage {added['leakage_nw']:+.1f} %, delay {added['delay_ns']:+.1f} %",
    ]


@attack_trojan.command("detect")
@network_options
@_unit_options
@click.option("--literals", type=int, multiple=True, default=(16, 12, 8), show_default=True, help="Operand bits a trigger compares.")
@click.option("--trojans", type=click.IntRange(min=2), default=30, show_default=True, help="Trojans of each kind.")
@click.option("--honest", type=click.IntRange(min=2), default=30, show_default=True, help="Devices without.")
@click.option("--others", type=click.IntRange(min=2), default=30, show_default=True, help="Other honest units with the same data sheet.")
@click.option("--rewrite", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of cells made of other gates.")
@images_option(500, "Test images of the accuracy test.")
@seed_option("Of triggers, rewritten cells and what detectors draw.")
@run_options
def detect_trojans(
    *,
    network: str,
    data: str,
    weights: Path | None,
    precision: str,
    spec: str,
    coding: str,
    names: tuple[str, ...],
    digits: int,
    literals: tuple[int, ...],
    trojans: int,
    honest: int,
    others: int,
    rewrite: float,
    images: int,
    seed: int,
    out: Path | None,
    picture: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Many Trojans on rare operand pairs and many honest devices before every detector: ROC area, detection rate at 5 % false alarms."""
    from inexact import zoo
    from inexact.security.record import Record
    from inexact.security.trojans._detector import Golden
    from inexact.security.trojans._streams import pair_counts
    from inexact.security.trojans.study import DetectionSettings, detection_study

    check_targets(out, picture)
    settings = {
        "attack": "trojan detect", "network": network, "data": data, "weights": str(weights or ""), "precision": precision, "unit": spec,
        "coding": coding, "declare": names, "digits": digits, "literals": literals, "trojans": trojans, "honest": honest,
        "others": others, "rewrite": rewrite, "images": images, "seed": seed,
    }  # fmt: skip
    record = Record(out, settings)
    wanted = DetectionSettings(literals=literals, trojans=trojans, honest=honest, rewrite=rewrite, others=others, seed=seed)
    with steps("devices", threads) as step:
        host = _host(network, data, weights, precision, spec=spec, coding=coding, digits=digits, names=names)
        counts = pair_counts(host.net, zoo.data(data, "validation", COUNTED).images)
        test = zoo.data(data, "test", images)
        golden = Golden(unit=host.unit, declaration=host.declaration, counts=counts, net=host.net, images=test)
        found = detection_study(golden, wanted, record=record, progress=step)
    content = settings | {"declared": dict(host.declaration.bounds)} | found.to_json()
    answer(content, [*_table(found), *found.sentences()], as_json=as_json, picture=picture, drawing=lambda: _drawing(found, spec))


def _table(found: Detection) -> list[str]:
    lines = [f"{'detector':32} {'Trojans':>18} {'AUC [95 %]':>20} {'TPR at 5 % FPR [95 %]':>26}"]
    for rows, mark in ((found.rocs, ""), (found.unseen, " (other units)")):
        for kind, row in rows.items():
            for name, one in row.items():
                auc = f"{one.auc:.2f} [{one.auc_ci[0]:.2f}, {one.auc_ci[1]:.2f}]"
                tpr = f"{one.tpr:.2f} [{one.tpr_ci[0]:.2f}, {one.tpr_ci[1]:.2f}]"
                lines.append(f"{name + mark:32} {kind:>18} {auc:>20} {tpr:>26}")
    return lines


def _drawing(found: Detection, spec: str) -> str:
    from inexact.report.detection import picture as draw

    rows = {kind: {name: one.to_json() for name, one in row.items()} for kind, row in found.rocs.items()}
    return draw(rows, f"Trojans in {spec}: who notices")
