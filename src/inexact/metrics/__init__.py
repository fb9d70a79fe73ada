"""Error metrics of units, and the statistics of accuracy differences."""

from inexact.metrics.statistics import PairedDifference, paired_difference, wilson

__all__ = ["PairedDifference", "paired_difference", "wilson"]
