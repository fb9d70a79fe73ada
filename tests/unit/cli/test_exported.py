"""`--table FILE`: what a command shows, as CSV, LaTeX and Markdown."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rich.table import Table

from inexact.cli import run
from inexact.cli._estimate import export
from inexact.cli._exported import write_table


def _rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def _made() -> Table:
    table = Table()
    table.add_column("unit")
    table.add_column("MRED %", justify="right")
    table.add_row("netlist(path='a_b',\\[x])", "−1.5 {2}")
    table.add_row("[bold]a|b, c[/bold]", "3")
    return table


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", 'unit,MRED %\n"netlist(path=\'a_b\',[x])",−1.5 {2}\n"a|b, c",3\n'),
        (
            "t.tex",
            "\\begin{tabular}{lr}\n\\toprule\nunit & MRED \\% \\\\\n\\midrule\nnetlist(path='a\\_b',[x]) & $-$1.5 \\{2\\} \\\\\n"
            "a\\textbar{}b, c & 3 \\\\\n\\bottomrule\n\\end{tabular}\n% all pairs\n% uniform\n",
        ),
        ("t.MD", "| unit | MRED % |\n| --- | ---: |\n| netlist(path='a_b',[x]) | −1.5 {2} |\n| a\\|b, c | 3 |\n\nall pairs\nuniform\n"),
    ],
)
def test_formats(name: str, content: str, tmp_path: Path) -> None:
    write_table(_made(), tmp_path / name, note="all pairs\nuniform")
    assert (tmp_path / name).read_text(encoding="utf-8") == content


def test_a_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "units.csv"
    assert run(["unit", "compare", "trunc(cut=4)", "trunc(cut=6)", "drum(k=4)", "--json", "--table", str(file)]) == 0
    assert capsys.readouterr().out.startswith('{"units"')
    rows = _rows(file)
    assert {row["spec"] for row in rows} == {"trunc(cut=4)", "trunc(cut=6)", "drum(k=4)"}
    assert {row["spec"]: row["WCE"] for row in rows}["trunc(cut=4)"] == "49"
    assert {row["spec"]: row["unbeaten"] for row in rows}["drum(k=4)"] == "no"


def test_a_list_says_what_its_figures_hold_under(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "units.tex"
    assert run(["unit", "list", "--where", "family=='trunc'", "--table", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    assert "% Silicon: " in text
    assert "\ntrunc(cut=4) & " in text
    assert "% Uniform operands, all pairs; error = approx - exact." in text
    capsys.readouterr()


def test_sources_stand_beside_figures_or_below(tmp_path: Path) -> None:
    one = {"value": 2.0, "unit": "pJ", "spread": (1.0, 3.0), "source": "a book", "verified": True}
    found = dict.fromkeys(("cycles", "latency_ms", "energy_delay_product", "tops_per_watt"), one)
    account = found | {name: {"total": one, "by_component": {"dram": one | {"verified": False}}} for name in ("energy_pj", "area_um2")}
    export(account, tmp_path / "a.csv")
    export(account, tmp_path / "a.md")
    rows = _rows(tmp_path / "a.csv")
    assert rows[0] == {"figure": "cycles", "value": "2", "spread": "1 … 3", "unit": "pJ", "source": "a book"}
    assert [row["figure"] for row in rows[2:4]] == ["energy", "energy: dram"]
    assert rows[3]["source"] == "a book (unverified)"
    assert (tmp_path / "a.md").read_text(encoding="utf-8").endswith("\n[1] a book\n[2] a book (unverified)\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["unit", "list", "--table", "none/x.csv"], "must lie in a folder that exists; 'none' does not"),
        (["unit", "list", "--table", "x.xlsx"], "must end with .csv, .tex or .md, which tables are written as, not 'x.xlsx'"),
        (["unit", "list", "--floats", "--table", "x.csv"], "--table is of multipliers and adders as shown; leave --functions"),
    ],
)
def test_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
