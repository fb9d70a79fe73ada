"""What breaks in an approximate accelerator, how often it matters, and what helps."""

from inexact.reliability._ageing import LongTerm, PowerLaw
from inexact.reliability._array_voltage import ArrayPoint, ArraySettings, array_sweep
from inexact.reliability._base import ChipFault, Fault, ImageFault, Site, Stratum, Struck, faults
from inexact.reliability._broken import ElementFault, placements, with_broken_element, with_stuck_unit
from inexact.reliability._hot_carriers import HotCarriers
from inexact.reliability._judge import Chunk, Judge, Opened
from inexact.reliability._lifetime import Lifetime, lifetime
from inexact.reliability._lifetime import Settings as LifetimeSettings
from inexact.reliability._memory_voltage import MemoryPoint, memory_sweep
from inexact.reliability._mitigation import Mitigation, Overhead, mitigations
from inexact.reliability._sram import access_energy, bit_error_rate
from inexact.reliability._store import CAMPAIGN, Store, read_campaign
from inexact.reliability._subject import Place, Subject
from inexact.reliability.campaign import Campaign, Settings
from inexact.reliability.comparison import compare
from inexact.reliability.rates import sdc_rate

__all__ = [
    "CAMPAIGN",
    "ArrayPoint",
    "ArraySettings",
    "Campaign",
    "ChipFault",
    "Chunk",
    "ElementFault",
    "Fault",
    "HotCarriers",
    "ImageFault",
    "Judge",
    "Lifetime",
    "LifetimeSettings",
    "LongTerm",
    "MemoryPoint",
    "Mitigation",
    "Opened",
    "Overhead",
    "Place",
    "PowerLaw",
    "Settings",
    "Site",
    "Store",
    "Stratum",
    "Struck",
    "Subject",
    "access_energy",
    "array_sweep",
    "bit_error_rate",
    "compare",
    "faults",
    "lifetime",
    "memory_sweep",
    "mitigations",
    "placements",
    "read_campaign",
    "sdc_rate",
    "with_broken_element",
    "with_stuck_unit",
]
