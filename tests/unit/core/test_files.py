"""Files appear whole or not at all, also when the disk is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from inexact.core.errors import OutputError
from inexact.core.files import atomic_path, cache_folder, ensure_folder, sha256, sha256_file, write_text


def test_write_replaces_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "one")
    write_text(target, "two")
    assert target.read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert sha256_file(target) == sha256(b"two")


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def interrupted() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


FULL = """
import resource, signal, sys
from pathlib import Path
from inexact.core.errors import OutputError
from inexact.core.files import write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(sys.argv[1], bytes(100_000))
except OutputError as error:
    print(error)
"""


def test_running_out_of_space_leaves_nothing(tmp_path: Path) -> None:
    """A process that may write 1,000 bytes stands in for a full disk: the write really fails half way."""
    target = tmp_path / "big.bin"
    done = subprocess.run([sys.executable, "-c", FULL, str(target)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{target} could not be written: File too large; nothing was left behind"
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"output folder .*taken.* must be writable: .*; choose another with --out"):
        ensure_folder(tmp_path / "taken" / "out")


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path / "c"))
    assert cache_folder() == tmp_path / "c"
    monkeypatch.delenv("INEXACT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "inexact"
