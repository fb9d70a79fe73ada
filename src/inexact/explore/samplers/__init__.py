"""Search strategies over integer genomes, each one file: `samplers.get("nsga2(population=20)")`."""

from __future__ import annotations

from inexact.core.registry import Family
from inexact.explore.samplers._base import Forecast, Genome, Outcome, Proposals, Sampler, Search, Task, failed, random_genome

samplers: Family[Sampler] = Family("sampler", "inexact.explore.samplers")


def get(spec: str | Sampler) -> Sampler:
    """The sampler a spec describes; SpecError or UnknownNameError otherwise."""
    return samplers.get(spec)


__all__ = [
    "Forecast",
    "Genome",
    "Outcome",
    "Proposals",
    "Sampler",
    "Search",
    "Task",
    "failed",
    "get",
    "random_genome",
    "samplers",
]
