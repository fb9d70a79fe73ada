"""What fine-tuning makes small: one file a loss."""

from inexact.recovery.training.losses._base import Loss, Step, losses

__all__ = ["Loss", "Step", "losses"]
