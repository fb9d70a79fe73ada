"""Error metrics of units, and statistics of accuracy. Needs numpy and scipy only."""

from inexact.metrics.functions import FunctionProfile, function_profile
from inexact.metrics.passport import Profile, error_rank, profile
from inexact.metrics.statistics import PairedDifference, paired_difference, wilson

__all__ = ["FunctionProfile", "PairedDifference", "Profile", "error_rank", "function_profile", "paired_difference", "profile", "wilson"]
