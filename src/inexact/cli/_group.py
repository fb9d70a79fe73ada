"""Groups of commands: listed with whole sentences, and near names for misspelt ones."""

from __future__ import annotations

import click

from inexact.core.errors import near

WHOLE = 1000
"""Letters of a command's first sentence that a list shows: all, where click cuts at the width of one line."""


class Group(click.Group):
    """A group of commands, however it finds them."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names. Raises click.UsageError with near names for a misspelt one."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no command of {ctx.command_path} is called {args[0]!r}{near(args[0], self.list_commands(ctx))}")
        return click.Group.resolve_command(self, ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write every command with the first sentence of its help."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(WHOLE)) for name, command in found if command is not None])
