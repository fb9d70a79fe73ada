"""Fetching: sources in order, hashes, nothing half-written. Package managers are stood in by scripts; nothing is downloaded."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from inexact.core.errors import DataError, UnknownNameError
from inexact.core.files import sha256
from inexact.zoo.datasets import Entry, _fetch, fetch
from inexact.zoo.datasets._fetch import unpack_debian

FILES = {"train-images": b"one" * 50, "t10k-labels": b"two"}


def tar(files: dict[str, bytes], mode: str = "w:") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def debian(files: dict[str, bytes]) -> bytes:
    data = lzma.compress(tar({f"./usr/share/{name}.gz": gzip.compress(content) for name, content in files.items()}))
    parts = [("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", data)]
    result = b"!<arch>\n"
    for name, content in parts:
        result += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content + b"\n" * (len(content) % 2)
    return result


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A data set of two tiny files; PATH holds only what a test puts there."""
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    found = Entry(
        name="tiny",
        title="Tiny",
        licence="none",
        reference="none",
        mean=0.5,
        deviation=0.5,
        mirror=False,
        held_out=1,
        classes=("a",),
        sha256={name: sha256(content) for name, content in FILES.items()},
        debian="dataset-tiny",
        npm="tiny-data@1.0.0",
    )
    monkeypatch.setattr(_fetch, "entry", lambda _name: found)
    return found


def command(tmp_path: Path, name: str, output: str, content: bytes, *, code: int = 0) -> None:
    (tmp_path / "content").write_bytes(content)
    script = tmp_path / "bin" / name
    script.write_text(f"#!/bin/sh\n[ {code} = 0 ] && cp {tmp_path / 'content'} {output}\necho 'no such package' >&2\nexit {code}\n")
    script.chmod(0o755)


def hide(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name in names else which(name))


def test_debian_package(known: Entry, tmp_path: Path) -> None:
    command(tmp_path, "apt-get", "dataset-tiny_1_all.deb", debian(FILES))
    told: list[tuple[str, int, int]] = []
    folder = fetch("tiny", progress=lambda *step: told.append(step))
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == FILES
    assert told == [("Debian package dataset-tiny", 0, 2)]
    told.clear()
    assert fetch("tiny", progress=lambda *step: told.append(step)) == folder
    assert not told


def test_npm_package_when_there_is_no_debian_one(known: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "apt-get")
    command(tmp_path, "npm", "tiny-data-1.0.0.tgz", tar({f"package/data/{n}": c for n, c in FILES.items()}, "w:gz"))
    folder = fetch("tiny")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == FILES


def test_every_source_fails(known: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(tmp_path, "apt-get", "x.deb", b"", code=100)
    hide(monkeypatch, "npm")
    with pytest.raises(
        DataError,
        match=r"tiny could not be fetched \(Debian package dataset-tiny: apt-get download dataset-tiny failed: no such package; "
        r"npm package tiny-data@1.0.0: npm is not installed\); put the unpacked files train-images, t10k-labels into .* yourself",
    ):
        fetch("tiny")
    assert not list(known.folder.iterdir())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({**FILES, "t10k-labels": b"twx"}, r"t10k-labels must have the SHA-256"),
        ({"train-images": FILES["train-images"]}, r"it does not hold t10k-labels"),
    ],
)
def test_wrong_content_is_not_kept(
    known: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], message: str
) -> None:
    hide(monkeypatch, "npm")
    command(tmp_path, "apt-get", "dataset-tiny_1_all.deb", debian(files))
    with pytest.raises(DataError, match=message):
        fetch("tiny")
    assert not list(known.folder.iterdir())


def test_truncated_package(known: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "npm")
    content = debian(FILES)
    for cut in (4, 70, 140, len(content) - 30):
        command(tmp_path, "apt-get", "dataset-tiny_1_all.deb", content[:cut])
        with pytest.raises(DataError, match=r"tiny could not be fetched \(Debian package dataset-tiny: "):
            fetch("tiny")
    assert not list(known.folder.iterdir())


def test_own_address(known: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "npm", "apt-get")
    for name, content in FILES.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    object.__setattr__(known, "addresses", (tmp_path.as_uri() + "/",))
    assert {p.name: p.read_bytes() for p in fetch("tiny").iterdir()} == FILES


def test_nothing_of_an_archive_is_written_under_its_own_name(tmp_path: Path) -> None:
    assert unpack_debian(debian({"../../evil": b"x", "t10k-labels": b"two"}), {"t10k-labels"}) == {"t10k-labels": b"two"}


def test_not_a_debian_package() -> None:
    with pytest.raises(DataError, match=r"a Debian package must be an ar archive; this file is not"):
        unpack_debian(b"PK\x03\x04", set())
    with pytest.raises(DataError, match=r"a Debian package must hold data.tar; this one does not"):
        unpack_debian(b"!<arch>\n", set())


def test_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match=r"no data set is called 'mnst'; did you mean 'mnist'"):
        fetch("mnst")
