"""Yosys in a process of its own: an error in it ends that process, not the session."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, final

from inexact.core.errors import MissingDependencyError, SynthesisError, TimeLimitError

_WORKER = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w")
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(log, 1)
os.dup2(log, 2)
from pyosys import libyosys
for line in sys.stdin:
    os.ftruncate(log, 0)
    child = os.fork()
    if child == 0:
        design = libyosys.Design()
        for command in json.loads(line):
            libyosys.run_pass(command, design)
        os._exit(0)
    answers.write("done\\n" if os.waitpid(child, 0)[1] == 0 else "failed\\n")
    answers.flush()
"""
"""Every list runs in a fork of the same fresh process: names that Yosys numbers through its life, and so what abc makes of a netlist,
do not depend on what ran before."""


def version() -> str:
    """Which Yosys runs, as "pyosys 0.70"; MissingDependencyError when there is none."""
    if importlib.util.find_spec("pyosys") is not None:
        from importlib.metadata import version as package_version

        return f"pyosys {package_version('pyosys')}"
    native = shutil.which("yosys")
    if native is None:
        raise MissingDependencyError("Yosys is missing: pip install 'inexact[synth]', or put a yosys on the PATH")
    shown = subprocess.run([native, "-V"], capture_output=True, text=True, check=False).stdout.split()
    return " ".join(shown[:2]).lower() or "yosys"


@final
class Yosys:
    """A Yosys that runs lists of commands one after the other, in a folder of its own; use it in a `with`.

    It is `pyosys` (extra `synth`) kept warm in one process, or a `yosys` of the PATH, started anew for every list. The process is
    started again after an error. limit_s: seconds for one list.
    """

    def __init__(self, *, limit_s: float = 120.0) -> None:
        self.limit_s = limit_s
        self.version = version()
        self._temporary = tempfile.TemporaryDirectory(prefix="inexact-")
        self.folder = Path(self._temporary.name)
        self._log = self.folder / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        self._temporary.cleanup()

    def run(self, commands: Sequence[str], what: str) -> None:
        """Run commands on an empty design. what: the design, for messages.

        Raises SynthesisError with Yosys' own sentence when it fails, when its process dies, or after `limit_s` seconds.
        """
        if importlib.util.find_spec("pyosys") is None:
            self._run_native(commands, what)
            return
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(list(commands)).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            self._stop()
            raise SynthesisError(f"{what} could not be synthesised: the process of Yosys ended before it was asked") from None
        ready, _, _ = select.select([process.stdout], [], [], self.limit_s)
        if not ready:
            self._stop()
            raise TimeLimitError(f"{what} must be synthesised within {self.limit_s:g} s, but was not")
        answer = os.read(process.stdout.fileno(), 64)
        if answer != b"done\n":
            if answer != b"failed\n":
                self._stop()
            raise SynthesisError(f"{what} could not be synthesised: {self.reason()}")

    def reason(self) -> str:
        """What Yosys said last: the warning that names a bad net, the error, or the last line."""
        log = self._log.read_text(errors="replace") if self._log.exists() else ""
        lines = [line.strip() for line in log.replace(f"{self.folder}/", "").splitlines() if line.strip()]
        found = [line.removeprefix("Warning: ").rstrip(":") for line in lines if re.match(r"Warning: .*(drivers|driver|loop)", line)]
        errors = [line for line in lines if "ERROR" in line]
        if found and errors and "problems" in errors[-1]:  # `check` counts problems; the warnings before name them
            return found[0]
        return errors[-1] if errors else (lines[-1] if lines else "Yosys ended without a message")

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _WORKER, str(self._log)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.folder, start_new_session=True)
        return self._process

    def _stop(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its forks and abc as well
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process = None

    def _run_native(self, commands: Sequence[str], what: str) -> None:
        native = shutil.which("yosys")
        assert native is not None
        try:
            command = [native, "-q", "-p", "; ".join(commands)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=self.limit_s, check=False, cwd=self.folder)
        except subprocess.TimeoutExpired as error:
            raise TimeLimitError(f"{what} must be synthesised within {self.limit_s:g} s, but was not") from error
        self._log.write_text(done.stdout + done.stderr)
        if done.returncode:
            raise SynthesisError(f"{what} could not be synthesised: {self.reason()}")
