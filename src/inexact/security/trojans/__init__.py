"""Hardware Trojans below the approximation error: insertion into a unit's netlist, what they reach, and who notices them."""

from inexact.security.trojans._declaration import DECLARED, Declaration
from inexact.security.trojans._trojan import Cube, Payload, Trojan

__all__ = ["DECLARED", "Cube", "Declaration", "Payload", "Trojan"]
