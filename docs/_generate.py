"""Write docs/cli.md from the commands' own help texts. `--check` writes nothing and fails when the page is not current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from inexact.cli import app

PAGE = Path(__file__).with_name("cli.md")

HEAD = """# Command line

This page is generated from the commands' own `--help` by `python docs/_generate.py`.

Every command that answers with figures takes `--json`: exactly one JSON object on standard output and nothing else there.
Exit codes: 0 done; 1 an error, said in one sentence on standard error; 2 wrong usage; 3 no design meets the limit; 130 interrupted.
"""


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and everything below it, in alphabetical order."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in sorted(command.list_commands(context)):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from commands(found, (*path, name))


def help_text(path: tuple[str, ...], command: click.Command) -> str:
    """What `--help` prints, at a width of 100 whatever the terminal; `-h` works everywhere, as it does in the program."""
    settings = {"help_option_names": ["-h", "--help"]}
    parent = click.Context(app, info_name=" ".join(path[:-1]), **settings) if len(path) > 1 else None
    with click.Context(command, info_name=path[-1], parent=parent, terminal_width=100, max_content_width=100, **settings) as context:
        return command.get_help(context)


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for path, command in commands(app, ("inexact",)):
        mark = "#" * min(4, len(path) + 1)
        parts.append(f"{mark} {' '.join(path)}\n\n```text\n{help_text(path, command).rstrip()}\n```\n")
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write or check the page; the exit code."""
    written = page()
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == written:
            return 0
        sys.stderr.write("docs/cli.md must be current and is not; run `python docs/_generate.py` and commit the result\n")
        return 1
    PAGE.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
