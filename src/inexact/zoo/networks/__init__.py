"""Networks that need no download, one file each; they register themselves and are traceable by torch.fx."""

from inexact.zoo.networks._base import Architecture, Recipe, architectures

__all__ = ["Architecture", "Recipe", "architectures"]
