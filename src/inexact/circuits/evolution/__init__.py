"""Cartesian genetic programming of approximate circuits, seeded from exact ones.

The search changes a netlist at random and keeps a child that costs no more while its error stays under a bound (J. F. Miller, P. Thomson,
"Cartesian Genetic Programming", EuroGP 2000; Z. Vasicek, L. Sekanina, "Evolutionary approach to approximate digital circuits design",
IEEE Trans. Evol. Comput. 19(3), 2015, DOI 10.1109/TEVC.2014.2336175). Full and half adders are nodes.
"""

from __future__ import annotations

from inexact.circuits.evolution._goal import METRICS, WEIGHTED, Costs, Goal
from inexact.circuits.evolution._search import Evolved, Settings, evolve, rates

__all__ = ["METRICS", "WEIGHTED", "Costs", "Evolved", "Goal", "Settings", "evolve", "rates"]
