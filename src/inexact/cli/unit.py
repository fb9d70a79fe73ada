"""`inexact unit`: list, show and compare arithmetic units."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from inexact.cli._exported import TABLE, write_table
from inexact.cli._group import Group
from inexact.cli._options import JSON, picture_option, seed_option
from inexact.cli._unit_breed import evolve_units
from inexact.cli._unit_catalogue import listed as listed_units
from inexact.cli._unit_text import comparison_table, export_comparison, list_table, markdown, show_text
from inexact.core.workload import CODINGS

CLAIM_HELP = "What is claimed of the unit, as in mae=53; said when its table contradicts (repeatable)."


@click.group(cls=Group)
def unit() -> None:
    """Approximate arithmetic units: list, show, compare, import, synthesise, evolve."""


unit.add_command(evolve_units)


@unit.command("list")
@JSON
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table of the documentation.")
@click.option("--functions", "of_functions", is_flag=True, help="Non-linear units (softmax, GELU, exp, rsqrt …) instead.")
@click.option("--floats", "of_floats", is_flag=True, help="Multipliers of small floats (fp8 …) instead.")
@click.option("--where", metavar="EXPR", help="Only units for which this holds, as in 'mred<0.02 and zero_exact and energy<0.8'.")
@click.option("--sort", metavar="EXPR", help="Least first: a figure such as energy, or an expression such as -mae*energy.")
@click.option("--limit", type=click.IntRange(0), default=30, show_default=True, metavar="N", help="Lines of the table; 0 = all.")
@TABLE
def list_units(
    as_json: bool,
    as_markdown: bool,
    of_functions: bool,
    of_floats: bool,
    where: str | None,
    sort: str | None,
    limit: int,
    table: Path | None,
) -> None:
    """The catalogue: units of every technique with error metrics (uniform operands) and silicon figures of their own netlists.

    EXPR is made of every metric of `unit show`, energy, area and delay (relative to the exact 8x8 multiplier of the same sign),
    energy_pj, settled_energy_pj, area_um2, delay_ns, leakage_nw, spec, family, kind, signed, width_a, width_b; numbers; comparisons;
    and, or, not; + - * / and abs().
    """
    if of_functions and of_floats:
        raise click.UsageError("--functions and --floats list different things; give one of them")
    if (where is not None or sort is not None) and (of_functions or of_floats or as_markdown):
        raise click.UsageError("--where and --sort look at multipliers and adders; leave --functions, --floats and --markdown away")
    if table is not None and (of_functions or of_floats or as_markdown or as_json):
        raise click.UsageError("--table is of multipliers and adders as shown; leave --functions, --floats, --markdown and --json away")
    if of_functions or of_floats:
        from inexact.cli import _float_facts as float_facts
        from inexact.cli import _function_facts as function_facts
    if as_json:
        listed: dict[str, Any] = {}
        if of_functions:
            listed["functions"] = [function_facts.summary(member) for member in function_facts.catalogue()]
        elif of_floats:
            listed["floats"] = [float_facts.summary(member) for member in float_facts.catalogue()]
        else:
            listed["units"] = listed_units(where, sort)[0]
        click.echo(json.dumps(listed))
    elif of_functions or of_floats:
        facts_of = float_facts if of_floats else function_facts
        click.echo(facts_of.markdown()) if as_markdown else facts_of.list_table()
    elif as_markdown:
        click.echo(markdown())
    else:
        list_table(*listed_units(where, sort, limit or None), file=table)


@unit.command()
@click.argument("spec")
@click.option("--layer", metavar="NETWORK:LAYER", help="Weigh operands as this layer meets them, as in lenet5:conv2 (see `net list`).")
@click.option("--data", default="fashion-mnist", show_default=True, help="Data set of the network of --layer.")
@click.option("--coding", type=click.Choice(CODINGS), help="Coding of --layer's operands (default: the unit's, signed or unsigned).")
@click.option(
    "--histograms", type=click.Path(path_type=Path), metavar="FILE.npz", help="Weigh operands by arrays a and b, counts by bit pattern."
)
@click.option("--claim", "claims", multiple=True, metavar="METRIC=VALUE", help=CLAIM_HELP)
@picture_option("Also write the error's heat map and histogram.")
@click.option("--exhaustive/--sampled", "exhaustive", default=None, help="Wide units: all pairs, or a sample (default: all up to 24 bits).")
@seed_option("Of a sample of pairs.")
@JSON
def show(
    spec: str,
    layer: str | None,
    data: str,
    coding: str | None,
    histograms: Path | None,
    claims: tuple[str, ...],
    picture: Path | None,
    exhaustive: bool | None,
    seed: int,
    as_json: bool,
) -> None:
    """Passport of the unit SPEC, as 'trunc(cut=4)': every error metric, identity, what a correction removes, engine, cost with sources.

    A unit of more than 20 operand bits has no table: its metrics are over all pairs up to 24 bits or with --exhaustive (16x16: about
    a minute), else estimated from a stratified sample, with intervals.
    """
    from inexact.cli import _float_facts as float_facts
    from inexact.cli import _function_facts as function_facts
    from inexact.cli._passport import passport
    from inexact.cli._unit_subject import is_float, is_function, resolve
    from inexact.units import float_multipliers, functions

    if is_function(spec) or is_float(spec):
        if layer or histograms or picture or claims or exhaustive is not None:
            raise click.UsageError("only multipliers and adders take --layer, --histograms, --claim, --picture, --exhaustive and --sampled")
        if is_function(spec):
            function = function_facts.passport(functions.get(spec), seed=seed)
            click.echo(json.dumps(function)) if as_json else function_facts.show_text(function)
            return
        product = float_facts.passport(float_multipliers.get(spec), seed=seed)
        click.echo(json.dumps(product)) if as_json else float_facts.show_text(product)
        return
    found = passport(
        resolve(spec),
        layer=layer,
        data=data,
        coding=coding,
        histograms=histograms,
        picture=picture,
        exhaustive=exhaustive,
        seed=seed,
        claims=claims,
    )
    if as_json:
        click.echo(json.dumps(found))
    else:
        show_text(found)


@unit.command("import")
@click.argument("source", metavar="FILE[:NAME]")
@click.option(
    "--out",
    default=None,
    metavar="PATH",
    help="Where the unit is written (default: in this folder, FILE's name with .npy or .blif; .unit.npy where that is FILE).",
)
@click.option("--width", default=None, metavar="BITS", help="Bits of the operands: 8, or 8x4 for a of 8 bits and b of 4.")
@click.option("--signed/--unsigned", "signed", default=None, help="Whether operands are two's complement.")
@click.option("--first", type=click.Choice(["a", "b"]), default=None, help="The first index or parameter: a = activation, b = weight.")
@click.option("--index", type=click.Choice(["pattern", "numeric"]), default=None, help="Order of a signed table's rows and columns.")
@click.option("--trust", is_flag=True, help="Allow FILE, which is code, to run on this machine.")
@click.option("--claim", "claims", multiple=True, metavar="METRIC=VALUE", help=CLAIM_HELP)
@click.option("--limit", default=60.0, show_default=True, metavar="SECONDS", help="Time limit for code.")
@JSON
def import_unit(
    source: str,
    out: str | None,
    width: str | None,
    signed: bool | None,
    first: str | None,
    index: Any,
    trust: bool,
    claims: tuple[str, ...],
    limit: float,
    as_json: bool,
) -> None:
    """Make a unit of a table (.npy .npz .csv .txt .h .bin), a netlist (.v .sv .blif), a C file or a Python function.

    NAME chooses a function or module of the file, or an array of an .npz file.

    Widths, sign, index order and operand order are found by evidence unless stated. What was assumed is said, and a table that could be
    read in two ways is refused. The unit is written as .npy or .blif; its spec can be used wherever a unit is asked for.
    """
    from inexact.cli._unit_import import imported

    found = imported(source, out, width=width, signed=signed, first=first, index=index, trust=trust, limit_s=limit, claims=claims)
    if as_json:
        click.echo(json.dumps(found))
        return
    for assumption in found["assumptions"]:
        click.echo(f"assumed: {assumption}")
    click.echo(f"written: {found['path']}\nspec:    {found['unit']['spec']}\n")
    show_text(found["unit"])


@unit.command()
@click.argument("specs", nargs=-1, required=True)
@click.option("--liberty", type=click.Path(path_type=Path), metavar="FILE", help="Cell library (default: the project's own at 45 nm).")
@click.option("--recipe", metavar="NAME", help="fa (default), plain, area, delay, unoptimised; all = of these the ones no other beats.")
@click.option(
    "--level", type=click.Choice(["unit", "mac", "pe", "serial"]), default="unit", show_default=True, help="What is made around the unit."
)
@click.option("--accumulator-bits", type=int, default=32, show_default=True, help="Of a MAC or PE.")
@click.option("--adder", metavar="SPEC", help="The accumulator's adder, as loa(low=8,width=32) (default: exact ripple carry).")
@click.option("--layer", metavar="NETWORK:LAYER", help="Operands as this layer meets them, as in lenet5:conv2.")
@click.option("--data", default="fashion-mnist", show_default=True, help="Data set of the network of --layer.")
@click.option("--coding", type=click.Choice(CODINGS), help="Coding of --layer's operands (default: the unit's).")
@click.option(
    "--histograms", type=click.Path(path_type=Path), metavar="FILE.npz", help="Operands by arrays a and b, counts by bit pattern."
)
@click.option("--pairs", type=click.IntRange(16, 1 << 20), default=4096, show_default=True, help="Transitions that energy is measured on.")
@seed_option("Of those transitions.")
@click.option("--jobs", type=click.IntRange(1), help="Units at once (default: cores).")
@click.option("--limit", default=120.0, show_default=True, metavar="SECONDS", help="Time limit of one synthesis.")
@click.option("--cache/--no-cache", default=True, help="Keep results, and use those kept.")
@click.option("--netlist", type=click.Path(path_type=Path), metavar="FILE.v", help="Also write the mapped netlist of the one unit given.")
@TABLE
@JSON
def synth(  # noqa: PLR0917  one parameter an option
    specs: tuple[str, ...],
    liberty: Path | None,
    recipe: str | None,
    level: Any,
    accumulator_bits: int,
    adder: str | None,
    layer: str | None,
    data: str,
    coding: str | None,
    histograms: Path | None,
    pairs: int,
    seed: int,
    jobs: int | None,
    limit: float,
    cache: bool,
    netlist: Path | None,
    table: Path | None,
    as_json: bool,
) -> None:
    """Area, delay, energy and leakage of the units SPECS from their own netlists, synthesised to standard cells.

    Multipliers, adders, functions and multipliers of small floats. --level serial: the clocked circuit of a stochastic multiplier, all its
    cycles.

    Energy is measured on pairs of operands that follow each other, with glitches (an event-driven simulation) and without. Figures of
    different libraries, recipes or tools must not be compared; the table has those of one.
    """
    from inexact.circuits.synthesis import Operands, Setup
    from inexact.cli import _unit_synth as synthesis

    if netlist is not None and (len(specs) != 1 or recipe == synthesis.ALL):
        raise click.UsageError("--netlist is of one unit by one recipe")
    setup = Setup(
        cells=synthesis.cells_of(liberty),
        recipe=None if recipe == synthesis.ALL else recipe,
        operands=Operands(pairs=pairs // 16 * 16, seed=seed),
        level=level,
        accumulator_bits=accumulator_bits,
        cache=cache,
        limit_s=limit,
    )
    rows = synthesis.synthesised(
        specs, setup, recipe=recipe, layer=layer, data=data, coding=coding, histograms=histograms, adder=adder, jobs=jobs
    )
    if netlist is not None:
        synthesis.write_netlist(specs[0], setup, netlist)
    if as_json:
        click.echo(json.dumps(synthesis.as_json(rows)))
    shown = synthesis.table_of(rows)
    write_table(shown, table, note=synthesis.conditions_of(rows))
    if not as_json:
        synthesis.show(rows, shown)


@unit.command()
@click.argument("specs", nargs=-1, required=True)
@TABLE
@JSON
def compare(specs: Sequence[str], table: Path | None, as_json: bool) -> None:
    """Units side by side, cheapest first; those none of the same width and coding beats in energy, MAE and bias are marked."""
    from inexact.cli._unit_facts import compared
    from inexact.cli._unit_subject import resolve

    rows: list[dict[str, Any]] = compared([resolve(spec) for spec in specs])
    if as_json:
        click.echo(json.dumps({"units": rows}))
    export_comparison(rows, table)
    if not as_json:
        comparison_table(rows)
