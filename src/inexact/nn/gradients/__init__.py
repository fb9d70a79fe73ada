"""What the gradient of an emulated layer is: how fast the unit's answer moves with each operand, by name."""

from inexact.nn.gradients._base import Gradient, gradients

__all__ = ["Gradient", "gradients"]
