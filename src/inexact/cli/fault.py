"""`inexact fault`: what breaks and how often it matters. Every command is a module `_fault_…` beside this one."""

from __future__ import annotations

import importlib
import pkgutil

import click

from inexact import cli
from inexact.cli._group import Group

_PREFIX = "_fault_"


class FaultGroup(Group):
    """Finds its commands by the names of their modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In order of their names."""
        return sorted(found.name.removeprefix(_PREFIX) for found in pkgutil.iter_modules(cli.__path__) if found.name.startswith(_PREFIX))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, or None when it does not exist."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"inexact.cli.{_PREFIX}{cmd_name}")
        return next(value for value in vars(module).values() if isinstance(value, click.Command) and value.name == cmd_name)


@click.group(cls=FaultGroup)
def fault() -> None:
    """What breaks in an accelerator, how often it matters, and what helps."""
