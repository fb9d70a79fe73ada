"""`inexact attack`: attacks on approximate accelerators."""

from __future__ import annotations

import click

from inexact.cli._attack_run import list_attacks, paper_table, report_attacks, run_attacks


@click.group()
def attack() -> None:
    """Attacks on approximate accelerators, and who notices them."""


for command in (list_attacks, run_attacks, report_attacks, paper_table):
    attack.add_command(command)
