"""Training the networks of the zoo: seeded, resumable, with a card beside the weights."""

from inexact.zoo.training._file import command, train_to_file
from inexact.zoo.training._train import Epoch, train

__all__ = ["Epoch", "command", "train", "train_to_file"]
