"""`inexact attack`: attacks on approximate accelerators."""

from __future__ import annotations

import click

from inexact.cli._attack_bitflip import attack_bits
from inexact.cli._attack_extract import attack_copies
from inexact.cli._attack_run import list_attacks, paper_table, report_attacks, run_attacks
from inexact.cli._attack_sidechannel import attack_traces
from inexact.cli._attack_trojan import attack_trojan
from inexact.cli._group import Group


@click.group(cls=Group)
def attack() -> None:
    """Attacks on approximate accelerators, and who notices them."""


for command in (list_attacks, run_attacks, report_attacks, paper_table, attack_bits, attack_copies, attack_traces, attack_trojan):
    attack.add_command(command)
