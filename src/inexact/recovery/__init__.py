"""Winning accuracy back without retraining."""

from inexact.recovery._base import Recovery, recoveries, recover

__all__ = ["Recovery", "recover", "recoveries"]
