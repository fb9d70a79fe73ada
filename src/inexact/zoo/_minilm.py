"""all-MiniLM-L6-v2, a sentence transformer, from its package (extra `text`), as plain torch layers with a linear head."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from inexact.core.errors import CheckpointError
from inexact.nn import Product
from inexact.zoo._card import Card, read_card
from inexact.zoo._weights import load_into, read_weights
from inexact.zoo.datasets import TOKENS, minilm_folder

NAME = "minilm"
DATA = "spamassassin"
WIDTH, HEADS, HIDDEN, DEPTH, VOCABULARY, POSITIONS = 384, 12, 1536, 6, 30522, 512

_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "mlp1": "intermediate.dense",
    "mlp2": "output.dense",
    "norm2": "output.LayerNorm",
}
"""Names of a block's layers here and in the published file."""


class Block(nn.Module):
    """Post-norm transformer block of BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.proj = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.qk, self.pv = Product(), Product()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.mlp1 = nn.Linear(WIDTH, HIDDEN)
        self.mlp2 = nn.Linear(HIDDEN, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """[N, T, width] to the same shape; `hidden` [N, 1, 1, T] is added to the scores."""
        query, key, value = (layer(x).reshape(*x.shape[:2], HEADS, -1).transpose(1, 2) for layer in (self.query, self.key, self.value))
        scores = self.qk(query, key.transpose(2, 3)) * (WIDTH // HEADS) ** -0.5
        mixed = self.pv(torch.softmax(scores + hidden, -1), value).transpose(1, 2).flatten(2)
        x = self.norm1(x + self.proj(mixed))
        result: Tensor = self.norm2(x + self.mlp2(F.gelu(self.mlp1(x))))
        return result


class MiniLM(nn.Module):
    """Token ids to a sentence's embedding: six blocks, the mean over real tokens, unit length; and a linear head on it.

    22.6 M parameters (10.6 M without the embeddings), 0.70 G MACs at 64 tokens.

    Reference: W. Wang et al., MiniLM, NeurIPS 2020, doi:10.48550/arXiv.2002.10957;
    N. Reimers, I. Gurevych, Sentence-BERT, EMNLP 2019, doi:10.18653/v1/D19-1410
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH, padding_idx=0)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.segments = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.head = nn.Linear(WIDTH, classes)

    def embed(self, tokens: Tensor) -> Tensor:
        """Token ids [N, T], 0 where padded, to float32 [N, 384] of length one."""
        tokens = tokens.long()
        real = (tokens != 0).float()
        # Far below any score, yet finite: a text of padding alone attends evenly instead of giving NaN.
        hidden = (1.0 - real)[:, None, None, :] * -1e9
        x = self.norm(self.words(tokens) + self.segments.weight[0] + self.positions.weight[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x, hidden)
        mean = (x * real[..., None]).sum(1) / real.sum(1, keepdim=True).clamp(min=1)
        return F.normalize(mean, dim=1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids [N, T] to logits [N, classes]."""
        logits: Tensor = self.head(self.embed(tokens))
        return logits


def load(data: str = DATA, weights: str | Path | None = None) -> nn.Module:
    """MiniLM in eval mode with the head for a data set; input int64 [N, 64].

    weights: a file with `head.weight` [classes, 384] and `head.bias`, instead of the head that comes with the package.
    Raises MissingDependencyError without the package of the weights, CheckpointError for data without a head.
    """
    encoder = encoder_weights()
    head = read_weights(weights) if weights is not None and weights != data else _shipped_head(data)
    for name in ("head.weight", "head.bias"):
        if name not in head:
            raise CheckpointError(f"a head of {NAME} must hold {name}; this file holds {', '.join(head) or 'nothing'}")
    with torch.random.fork_rng(devices=[]):
        model = MiniLM(len(head["head.bias"]))
    load_into(model, encoder | head, where=NAME)
    model.eval()
    model.input_shape = (TOKENS,)  # type: ignore[assignment]
    return model


def encoder_weights() -> dict[str, Tensor]:
    """The published weights under the names of this module."""
    published = load_file(minilm_folder() / "model.safetensors")
    found = {
        "words.weight": published["embeddings.word_embeddings.weight"],
        "positions.weight": published["embeddings.position_embeddings.weight"],
        "segments.weight": published["embeddings.token_type_embeddings.weight"],
    }
    for kind in ("weight", "bias"):
        found[f"norm.{kind}"] = published[f"embeddings.LayerNorm.{kind}"]
        for layer in range(DEPTH):
            for here, there in _NAMES.items():
                found[f"blocks.{layer}.{here}.{kind}"] = published[f"encoder.layer.{layer}.{there}.{kind}"]
    return found


def head_path(data: str) -> Path:
    """Where the package keeps the head for a data set."""
    return Path(str(resources.files(__package__).joinpath("weights", "heads", f"{NAME}.{data}.safetensors")))


def head_cards() -> list[Card]:
    """The cards of the heads the package carries."""
    return [read_card(path) for path in sorted(head_path(DATA).parent.glob("*.safetensors"))]


def _shipped_head(data: str) -> dict[str, Tensor]:
    path = head_path(data)
    if not path.is_file():
        raise CheckpointError(
            f"{NAME} comes with a head for spamassassin, not for {data}; give --data spamassassin, or --weights of a file with "
            "head.weight [classes, 384] and head.bias"
        )
    read_card(path)  # refuses weights that are not those of their card
    return read_weights(path)
