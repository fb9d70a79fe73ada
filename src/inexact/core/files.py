"""Files that appear whole or not at all, content hashes, cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from inexact.core.errors import OutputError


def ensure_folder(folder: str | Path) -> Path:
    """Create `folder` and check that it can be written to; OutputError with the reason otherwise."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OutputError(f"output folder {path} must be writable: {error.strerror or error}; choose another with --out") from error
    return path


@contextlib.contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it is renamed to `target`, on any error it is removed.

    Disk-full and permission errors become an OutputError that names the target.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{target} could not be written: {error.strerror or error}; nothing was left behind") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(target: str | Path, content: bytes) -> None:
    """Write `content` to `target` by atomic rename."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def write_text(target: str | Path, content: str) -> None:
    """Write UTF-8 `content` to `target` by atomic rename."""
    write_bytes(target, content.encode())


def sha256(content: bytes) -> str:
    """Hex SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: str | Path) -> str:
    """Hex SHA-256 of a file."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where fetched data lives: `$INEXACT_CACHE`, else `$XDG_CACHE_HOME/inexact`, else `~/.cache/inexact`."""
    explicit = os.environ.get("INEXACT_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "inexact"
