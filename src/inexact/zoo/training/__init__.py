"""Training the networks of the zoo: seeded, resumable, with a card beside the weights."""

from inexact.zoo.training._augment import augment
from inexact.zoo.training._file import command, train_to_file
from inexact.zoo.training._train import Epoch, train

__all__ = ["Epoch", "augment", "command", "train", "train_to_file"]
