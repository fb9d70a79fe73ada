"""Winning accuracy back by training: the network learns the arithmetic it will run on."""

from inexact.recovery.training._enlarge import Enlarged, enlarge
from inexact.recovery.training._finetune import Outcome, finetune, run_finetune
from inexact.recovery.training._projection import project, supported_codes
from inexact.recovery.training._run import Epoch
from inexact.recovery.training._settings import Settings, Training, trainings
from inexact.recovery.training.losses import Loss, losses

__all__ = [
    "Enlarged",
    "Epoch",
    "Loss",
    "Outcome",
    "Settings",
    "Training",
    "enlarge",
    "finetune",
    "losses",
    "project",
    "run_finetune",
    "supported_codes",
    "trainings",
]
