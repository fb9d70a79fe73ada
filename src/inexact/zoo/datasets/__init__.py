"""Labelled images and mails: embedded, fetched, or the user's own."""

from inexact.zoo.datasets._dataset import SPLITS, Dataset
from inexact.zoo.datasets._fetch import fetch
from inexact.zoo.datasets._jittered import jittered
from inexact.zoo.datasets._load import data
from inexact.zoo.datasets._mails import TOKENS, minilm_folder
from inexact.zoo.datasets._named import Entry, entries, entry

__all__ = ["SPLITS", "TOKENS", "Dataset", "Entry", "data", "entries", "entry", "fetch", "jittered", "minilm_folder"]
