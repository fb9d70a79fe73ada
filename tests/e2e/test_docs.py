"""What the documentation shows is run: commands, Python blocks and the output shown below them, page by page in a folder of its own.

An HTML comment before a block, which no reader sees, says how it is tested:

- `<!-- tested after CODE -->`: Python that comes first and gives the block the names and files it takes for granted;
- `<!-- tested with OPTIONS -->`: options added to its commands, to make them short; a line `PREFIX: OPTIONS` is for those that start so;
- `<!-- saved as FILE -->`: the block is a file, there from the start;
- `<!-- not tested: REASON -->`: for the block, or after a PREFIX; `test_what_is_not_run` lists them all.

Every page finds `small.npz` (300 training, 60 validation, 60 test images) and `small-space.toml` in its folder.

A block of text right after a block is its output. Its lines must be among those printed, in this order; `…` stands for anything. What a
command prints with options added is not compared.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import pytest
from markdown_it import MarkdownIt

from inexact import zoo
from inexact.cli import app, run
from inexact.units import multipliers

ROOT = Path(__file__).parents[2]
PAGES = {f"{p.relative_to(ROOT)}": p for p in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if p.name != "cli.md"}
DIRECTIVE = re.compile(r"<!--\s*(tested after|tested with|saved as|not tested)\b:?(.*?)-->", re.DOTALL)
SHELL = {"console", "sh", "bash"}
UNTESTED = "not tested:"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command (without prompt), a block of Python, or a file; `more`: options added; `untested`: the reason, or nothing."""

    line: int
    kind: Literal["command", "python", "file"]
    text: str
    more: str = ""
    untested: str = ""
    output: tuple[str, ...] = ()


@dataclass
class Said:
    """What the comments before a block say."""

    after: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    saved_as: str = ""

    def read(self, kind: str, text: str) -> None:
        """Take one comment."""
        if kind == "tested after":
            self.after.append(text)
        elif kind == "saved as":
            self.saved_as = text.strip()
        elif kind == "not tested":
            self.options[""] = f"{UNTESTED} {text.strip()}"
        else:
            for line in filter(None, map(str.strip, text.splitlines())):
                prefix, colon, options = ("", "", line) if line.startswith("-") else line.partition(": ")
                assert prefix == "" or colon, f"a line must be OPTIONS or PREFIX: OPTIONS, not {line!r}"
                self.options[prefix] = options.strip()

    def on(self, step: Step) -> Step:
        """The step with `more` and `untested`: those of the longest prefix."""
        known = [prefix for prefix in self.options if step.text.startswith(prefix)]
        options = self.options[max(known, key=len)] if known else ""
        untested = options.startswith(UNTESTED)
        return replace(step, untested=options.removeprefix(UNTESTED).strip()) if untested else replace(step, more=options)


def _commands(content: str, line: int, said: Said, prompt: str) -> Iterator[Step]:
    """Commands of a shell block, lines joined after a backslash, with the output that stands below each."""
    found: list[Step] = []
    open_line = False
    for number, raw in enumerate(content.splitlines(), line):
        if open_line:
            text = f"{found[-1].text[:-1].rstrip()} {raw.strip()}"
            found[-1] = replace(found[-1], text=text)
        elif raw.startswith(prompt):
            text = raw.removeprefix(prompt).strip()
            if text and not text.startswith("#"):
                found.append(Step(line=number, kind="command", text=text))
        elif raw.strip():
            found[-1] = replace(found[-1], output=(*found[-1].output, raw.rstrip()))
        open_line = bool(found) and found[-1].text.endswith("\\")
    assert found, f"line {line}: a block of commands without a command; start them with '$ ' in a console block"
    return (said.on(step) for step in found)


def steps(page: Path) -> list[Step]:
    """Everything a page has its readers run, in order."""
    found: list[Step] = []
    said, follows = Said(), False
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        line = token.map[0] + 2 if token.map else 0
        if token.type == "html_block":
            for kind, text in DIRECTIVE.findall(token.content):
                said.read(kind, text)
            continue
        if token.type == "fence":
            found += [Step(line=line, kind="python", text=code) for code in said.after]
            if token.info == "text" and follows and not said.options:
                found[-1] = replace(found[-1], output=tuple(token.content.splitlines()))
            elif token.info == "python":
                found.append(said.on(Step(line=line, kind="python", text=token.content)))
            elif token.info in SHELL:
                found += _commands(token.content, line, said, "$ " if token.info == "console" else "")
            elif said.saved_as:
                found.append(Step(line=line, kind="file", text=token.content, more=said.saved_as))
            else:
                assert token.info in {"text", "toml", "mermaid", "bibtex"}, (
                    f"{page.name}:{line}: a block must name its language, not {token.info!r}"
                )
            said = Said()
        follows = token.type == "fence" and token.info in {"python", *SHELL}
    return found


def _shell(text: str) -> int:
    """Run a line by the shell, the environment's programs first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], check=False, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def _execute(step: Step, names: dict[str, Any], where: str) -> None:
    """Run one step here; a command of `inexact` in this process, which has torch loaded."""
    if step.kind == "file":
        Path(step.more).write_text(step.text, encoding="utf-8")
    elif step.kind == "python":
        exec(compile("\n" * (step.line - 1) + step.text, where, "exec"), names)
    else:
        words = [*shlex.split(step.text, comments=True), *shlex.split(step.more)]
        plain = words[0] == "inexact" and not {"|", ">", ">>", "<", "&&", ";"} & set(words)
        code = run(words[1:]) if plain else _shell(f"{step.text} {step.more}")
        assert code == 0, f"exit code {code}"


def _among(shown: tuple[str, ...], printed: str) -> str | None:
    """The first shown line that is not among the printed ones, in order; None when all are."""
    lines = iter(printed.splitlines())
    for line in filter(str.strip, shown):
        pattern = re.compile(".*".join(re.escape(part) for part in line.strip().split("…")))
        if not any(pattern.fullmatch(candidate.strip()) for candidate in lines):
            return line
    return None


SPACE = """[[group]]
layers = ["conv2"]
multipliers = ["exact", "trunc(cut=4)"]
"""


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small data set, normalised as Fashion-MNIST is, and a small search space."""
    folder = tmp_path_factory.mktemp("small")
    found = zoo.data("fashion-mnist", "validation", 420)
    parts = {"train": slice(0, 300), "validation": slice(300, 360), "test": slice(360, 420)}
    arrays = {f"{s}_images": found.images[p].numpy() for s, p in parts.items()} | {
        f"{s}_labels": found.labels[p].numpy() for s, p in parts.items()
    }
    np.savez(folder / "small.npz", **arrays)  # type: ignore[arg-type]
    (folder / "small-space.toml").write_text(SPACE, encoding="utf-8")
    return folder


@pytest.fixture
def registered() -> Iterator[None]:
    """Units that a page defines are forgotten after it."""
    known = dict(multipliers.items())
    yield
    multipliers._members.clear()
    multipliers._members.update(known)


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    page = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", page)  # dataclasses look their module up
    for step in sorted(steps(PAGES[name]), key=lambda step: step.kind != "file"):  # files first
        if step.untested:
            continue
        where = f"{name}:{step.line}"
        try:
            _execute(step, vars(page), where)
        except Exception as error:
            said = capsys.readouterr()
            pytest.fail(f"{where}: {step.text} {step.more}\n{type(error).__name__}: {error}\n{said.out}\n{said.err}")
        printed = capsys.readouterr()
        missing = None if step.more else _among(step.output, printed.out + printed.err)
        assert missing is None, f"{where}: shown but not printed: {missing}\nprinted:\n{printed.out}{printed.err}"


def test_what_is_not_run() -> None:
    """Few blocks are not run, each for a reason, and here is the list."""
    found = {name: [" ".join(step.text.split()[:4]) for step in steps(page) if step.untested] for name, page in PAGES.items()}
    assert {name: texts for name, texts in found.items() if texts} == {
        "README.md": ["make demo # environment,", "make test # environment,"],
        "docs/data.md": ['photos = zoo.data("my_photos", "validation",'],
        "docs/install.md": [
            "make demo # environment,",
            "make test # environment,",
            "pip install -c constraints.txt",
            "pip install -c constraints.txt",
        ],
        "docs/networks.md": [
            "pip install 'inexact[text]' &&",
            "inexact data fetch spamassassin",
            "inexact net evaluate --network",
            "inexact data fetch fashion-mnist",
        ],
        "docs/reliability-permanent.md": ["inexact fault compare --case"],
        "docs/security.md": ["pip install 'inexact[security]'"],
        "docs/voltage-and-age.md": ["inexact fault voltage --network", "inexact fault voltage --network"],
    }


def _inline(page: Path) -> Iterator[str]:
    """Code in the running text that is a command of `inexact`."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            if child.type == "code_inline" and child.content.startswith("inexact "):
                yield child.content


def _refused(text: str) -> str | None:
    """Why the command line does not know a command or one of its options; None when it does. Values are not looked at."""
    words = shlex.split(text, comments=True)[1:]
    command: click.Command = app
    context = click.Context(app)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        below = command.get_command(context, words[0])
        if below is None:
            return f"no command {words[0]!r}"
        command, words = below, words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help",
        "-h",
        "--version",
    }
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in options]
    return f"no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize(
    "listed", [_inline, lambda page: (s.text for s in steps(page) if s.text.startswith("inexact "))], ids=["text", "blocks"]
)
def test_commands_exist(listed: Callable[[Path], Iterator[str]]) -> None:
    wrong = []
    for name, page in PAGES.items():
        for text in listed(page):
            for one in re.sub(r"[…|]", " ", text.split("|")[0]).split("&&")[:1]:
                if why := _refused(one):
                    wrong.append(f"{name}: `{text}`: {why}")
    assert not wrong, "\n".join(wrong)
