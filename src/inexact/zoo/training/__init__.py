"""Training the networks of the zoo: seeded, resumable, with a card beside the weights."""

from inexact.zoo.training._augment import augment
from inexact.zoo.training._exits import ExitCard, train_exits, train_exits_to_file, with_carded_exits, with_trained_exits
from inexact.zoo.training._file import command, train_to_file
from inexact.zoo.training._train import Epoch, train

__all__ = [
    "Epoch",
    "ExitCard",
    "augment",
    "command",
    "train",
    "train_exits",
    "train_exits_to_file",
    "train_to_file",
    "with_carded_exits",
    "with_trained_exits",
]
