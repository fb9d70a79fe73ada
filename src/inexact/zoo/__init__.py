"""Real networks and real data that need no download beyond a package registry."""

from inexact.zoo._agreement import Agreement, agreement
from inexact.zoo._card import Accuracy, Card, measure, read_card
from inexact.zoo._efficientnet import NAME as IMAGENET_NETWORK
from inexact.zoo._minilm import NAME as TEXT_NETWORK
from inexact.zoo._minilm import head_cards
from inexact.zoo._network import architecture_of, cards, check_compatible, network, shipped_weights, untrained
from inexact.zoo._weights import load_into, read_weights, write_weights
from inexact.zoo.datasets import SPLITS, TOKENS, Dataset, data, entries, fetch, jittered
from inexact.zoo.networks import Architecture, Recipe, architectures

__all__ = [
    "IMAGENET_NETWORK",
    "SPLITS",
    "TEXT_NETWORK",
    "TOKENS",
    "Accuracy",
    "Agreement",
    "Architecture",
    "Card",
    "Dataset",
    "Recipe",
    "agreement",
    "architecture_of",
    "architectures",
    "cards",
    "check_compatible",
    "data",
    "entries",
    "fetch",
    "head_cards",
    "jittered",
    "load_into",
    "measure",
    "network",
    "read_card",
    "read_weights",
    "shipped_weights",
    "untrained",
    "write_weights",
]
