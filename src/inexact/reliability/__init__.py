"""What breaks in an approximate accelerator, how often it matters, and what helps."""

from inexact.reliability._base import ChipFault, Fault, ImageFault, Site, Stratum, Struck, faults
from inexact.reliability._broken import ElementFault, placements, with_broken_element, with_stuck_unit
from inexact.reliability._judge import Opened
from inexact.reliability._store import Store
from inexact.reliability._subject import Place, Subject
from inexact.reliability.campaign import Campaign, Settings

__all__ = [
    "Campaign",
    "ChipFault",
    "ElementFault",
    "Fault",
    "ImageFault",
    "Opened",
    "Place",
    "Settings",
    "Site",
    "Store",
    "Stratum",
    "Struck",
    "Subject",
    "faults",
    "placements",
    "with_broken_element",
    "with_stuck_unit",
]
