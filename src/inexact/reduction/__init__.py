"""Computation reduction: which products a layer leaves out, decided beforehand by its weights or while it runs by its data."""

from inexact.reduction._base import Prediction, Reduction, View, Work, reductions

__all__ = ["Prediction", "Reduction", "View", "Work", "reductions"]
