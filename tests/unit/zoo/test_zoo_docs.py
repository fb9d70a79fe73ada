"""The figures of the networks page are those of the cards and the code."""

from __future__ import annotations

from pathlib import Path

from inexact import zoo

PAGE = Path(__file__).parents[3] / "docs" / "networks.md"


def test_accuracies() -> None:
    text = PAGE.read_text()
    for card in zoo.cards():
        accuracy = {a.split: f"{a.top1:.2f} % [{a.low:.2f}, {a.high:.2f}]" for a in card.accuracy}
        row = f"| `{card.network}` | {card.data} | {accuracy['test']} | {accuracy['validation']} | {card.epochs} | {card.seconds:.0f} |"
        assert row in text


def test_sizes() -> None:
    text = PAGE.read_text()
    for name, architecture in zoo.architectures.items():
        parameters = sum(p.numel() for p in zoo.untrained(architecture()).parameters())
        assert f"| `{name}` | {parameters:,} |" in text
