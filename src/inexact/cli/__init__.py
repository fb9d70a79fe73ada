"""The command line. Each group lives in a file of its own and is imported only when used, so `--help` needs no torch."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from typing import Any

import click

from inexact.cli._group import Group
from inexact.core.errors import InexactError

COMMANDS = {
    "accelerator": ("inexact.cli.accelerator", "Accelerators: list, show, compare on a network."),
    "atlas": ("inexact.cli.atlas", "The field's works: what each did, on what, and what of it runs here."),
    "attack": ("inexact.cli.attack", "Attacks on approximate accelerators, and who notices them."),
    "bench": ("inexact.cli.bench", "Measure emulation speed and memory on this machine."),
    "cite": ("inexact.cli.cite", "BibTeX of everything a plan, a network and a data set rest on."),
    "claim": ("inexact.cli.claim", "Published numbers as executable checks: list, show, run, report."),
    "data": ("inexact.cli.data", "List and fetch data sets."),
    "doctor": ("inexact.cli.doctor", "Versions, instruction set, engines and optional tools found."),
    "fault": ("inexact.cli.fault", "What breaks in an accelerator, and how often it matters."),
    "forecast": ("inexact.cli.forecast", "Forecast the accuracy drop of plans without running them."),
    "metrics": ("inexact.cli.metrics", "Which error metric tells what a unit costs a network."),
    "net": ("inexact.cli.net", "Train, evaluate and cost networks."),
    "recover": ("inexact.cli.recover", "Win accuracy back without training."),
    "study": ("inexact.cli.study", "Search for the accelerator that saves most within an accuracy budget."),
    "unit": ("inexact.cli.unit", "Approximate arithmetic units: list, show, compare, import."),
}
"""command -> (module that defines it under the same name, one-line help)."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk says that takes no more; files of results say so themselves, as OutputError."""

INTERRUPTED = "interrupted; nothing half-written was left behind, finished work is kept"


class LazyGroup(Group):
    """A group whose commands are imported on use; listing them imports nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, or None when it does not exist."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command list from `COMMANDS`, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="inexact")
def app() -> None:
    """Inexact: the workbench for approximate DNN accelerators, from circuit to system."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line; every expected error is one sentence on stderr and a non-zero exit code."""
    # OpenMP's idle threads spin by default, which slows small operators several times when other programs share the cores
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(_interruptible(sys.argv[1:] if argv is None else argv))


def _interruptible(argv: list[str]) -> int:
    """`run`, where an interrupt in the middle of an import, which may come out as any error, is still one sentence."""
    told: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        told.append(number)
        raise KeyboardInterrupt

    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell ignores the signal for what runs in the background
    if ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        return run(argv)
    except Exception:
        if not told:
            raise
        click.echo(INTERRUPTED, err=True)
        return 130
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def run(argv: list[str]) -> int:
    """Run the command line and return the exit code: 0 done, 1 or more error, 2 usage, 130 interrupted."""
    try:
        result: Any = app.main(args=argv, prog_name="inexact", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        click.echo(INTERRUPTED, err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InexactError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except OSError as error:
        if error.errno not in FULL:
            raise
        click.echo(f"error: standard output could not be written: {error.strerror}", err=True)
        return 1
    return result if isinstance(result, int) else 0
