"""Winning accuracy back: by corrections that change no weight, and by training."""

from inexact.recovery._base import Recovery, recover, recoveries
from inexact.recovery.training import finetune

__all__ = ["Recovery", "finetune", "recover", "recoveries"]
