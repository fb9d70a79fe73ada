"""Error metrics of units, and statistics of accuracy. Needs numpy and scipy only."""

from inexact.metrics.anova import ANOVA_CONVENTIONS, Anova, WeightMoments, anova, weight_moments
from inexact.metrics.floats import FloatProfile, float_profile
from inexact.metrics.functions import FunctionProfile, function_profile
from inexact.metrics.passport import Profile, error_rank, profile
from inexact.metrics.statistics import Mean, PairedDifference, independent_difference, mean_of, normal_quantile, paired_difference, wilson

__all__ = [
    "ANOVA_CONVENTIONS",
    "Anova",
    "FloatProfile",
    "FunctionProfile",
    "Mean",
    "PairedDifference",
    "Profile",
    "WeightMoments",
    "anova",
    "error_rank",
    "float_profile",
    "function_profile",
    "independent_difference",
    "mean_of",
    "normal_quantile",
    "paired_difference",
    "profile",
    "weight_moments",
    "wilson",
]
