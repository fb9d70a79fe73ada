"""Winning accuracy back: by corrections that change no weight, and by training."""

from inexact.recovery._base import Chain, Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._recover import recover
from inexact.recovery.training import finetune

__all__ = ["Chain", "Facts", "Recovery", "finetune", "recover", "recoveries"]
