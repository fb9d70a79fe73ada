"""What breaks in an approximate accelerator, how often it matters, and what helps."""

from inexact.reliability._base import ChipFault, Fault, ImageFault, Site, Stratum, Struck, faults
from inexact.reliability._subject import Place, Subject

__all__ = ["ChipFault", "Fault", "ImageFault", "Place", "Site", "Stratum", "Struck", "Subject", "faults"]
