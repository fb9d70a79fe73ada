"""Winning accuracy back without retraining."""

from inexact.recovery._base import Recovery, recover, recoveries

__all__ = ["Recovery", "recover", "recoveries"]
