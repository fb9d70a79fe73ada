"""Adversarial inputs: attacks, threat models, gradients of approximate networks, alarms for masked gradients, campaigns."""

from inexact.security.adversarial._alarms import Alarm, alarms
from inexact.security.adversarial._base import Adversarial, Attack, attacks, distances
from inexact.security.adversarial._campaign import Campaign
from inexact.security.adversarial._networks import Networks, exact_plan
from inexact.security.adversarial._randomised import Expected, RandomisedModel
from inexact.security.adversarial._report import RESULT, known_attacks, read_result, report
from inexact.security.adversarial._robustness import withstanding
from inexact.security.adversarial._settings import Settings
from inexact.security.adversarial._sources import NoisyInputs, Twin, adaptive_sources, with_gradient
from inexact.security.adversarial._target import Images, Target, images_of, input_gradients, margins
from inexact.security.adversarial._threats import THREATS, Threat

__all__ = [
    "RESULT",
    "THREATS",
    "Adversarial",
    "Alarm",
    "Attack",
    "Campaign",
    "Expected",
    "Images",
    "Networks",
    "NoisyInputs",
    "RandomisedModel",
    "Settings",
    "Target",
    "Threat",
    "Twin",
    "adaptive_sources",
    "alarms",
    "attacks",
    "distances",
    "exact_plan",
    "images_of",
    "input_gradients",
    "known_attacks",
    "margins",
    "read_result",
    "report",
    "with_gradient",
    "withstanding",
]
