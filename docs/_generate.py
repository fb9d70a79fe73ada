"""Write docs/cli.md from the commands' own help texts, docs/taxonomy.md and the field's pictures from the catalogue and the registries,
docs/claims.md from the results of claims that come with the package, docs/techniques.md and docs/api/ from registries and packages.

`--check` writes nothing and fails when a page is not current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import _reference
import click

from inexact.atlas import claims, complexity, pictures, taxonomy
from inexact.cli import app

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


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated file with its content."""
    folder = Path(__file__).parent
    yield folder / "cli.md", page()
    yield folder / "taxonomy.md", taxonomy.page()
    yield folder / "claims.md", claims.page(claims.claims(), claims.shipped_results())
    yield folder / "techniques.md", _reference.techniques()
    yield folder / "api" / "index.md", _reference.index()
    for name, packages in _reference.faces().items():
        yield folder / "api" / f"{name}.md", _reference.api(packages)
    field = complexity.field()
    for name, draw in pictures.PICTURES.items():
        yield folder / "pictures" / f"{name}.svg", draw(field)


def main(arguments: list[str]) -> int:
    """Write or check the pages; the exit code."""
    stale = []
    for path, written in pages():
        if arguments != ["--check"]:
            path.write_text(written, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != written:
            stale.append(f"{path.relative_to(Path(__file__).parents[1])}")
    if stale:
        sys.stderr.write(f"{', '.join(stale)} must be current and is not; run `python docs/_generate.py` and commit the result\n")
    return len(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
