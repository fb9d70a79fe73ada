"""Every error a user can meet. A message says what must hold, what came, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InexactError(Exception):
    """Base of all errors raised on purpose; the command line prints it as one sentence and exits with `exit_code`."""

    exit_code = 1


class SpecError(InexactError, ValueError):
    """A spec string cannot be read, or a parameter is outside its range."""


class NoRoomError(SpecError):
    """Declared bounds that no Trojan can keep."""


class UnknownNameError(InexactError, LookupError):
    """A name that no member of a family carries."""


class PlanError(InexactError, ValueError):
    """A plan that does not fit the network, or a rule that contradicts itself."""


class FormatError(InexactError, ValueError):
    """Numbers that do not fit the format: wrong width, coding or granularity, NaN, infinity."""


class DataError(InexactError, ValueError):
    """Data that cannot be used: empty, labels out of range, wrong image size, unreadable file."""


class CheckpointError(InexactError, ValueError):
    """Weights that cannot be loaded: truncated, foreign, of another network, or a pickle that would run code."""


class CircuitError(InexactError, ValueError):
    """A netlist that cannot be read, built or simulated: malformed, cyclic, undriven, driven twice, with memory, too wide."""


class LibraryError(InexactError, ValueError):
    """A cell library that cannot be read, or lacks what a netlist or a figure needs."""


class SynthesisError(InexactError, RuntimeError):
    """A circuit that could not be synthesised, or silicon figures that must not be compared."""


class TimeLimitError(SynthesisError):
    """A tool that did not finish in its time."""


class HardwareError(InexactError, ValueError):
    """An accelerator description or workload that cannot be evaluated."""


class StudyError(InexactError, ValueError):
    """A study that cannot run or resume."""


class NoDesignError(StudyError):
    """No design satisfies the constraint; the message says what the best one reached."""

    exit_code = 3


class FaultError(InexactError, ValueError):
    """A fault that the network cannot have, or a campaign that cannot give the answer that is asked for."""


class CatalogueError(InexactError, ValueError):
    """A record of the atlas that breaks its schema, or a link that leads nowhere."""


class AttackError(InexactError, ValueError):
    """An attack that cannot be made: no gradients to follow, a perturbation outside the pixels' range, inputs that are no images."""


class ClaimError(InexactError, ValueError):
    """A claim, or a file of claims' results, that does not say what a check needs."""


class UnavailableError(InexactError, RuntimeError):
    """A check needs what this machine does not have; the message says what, and how to get it."""


class OutputError(InexactError, OSError):
    """A file or folder that cannot be written."""


class MissingDependencyError(InexactError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


def near(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the closest known names, else a full stop. Ends a sentence about an unknown name."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    if not close:
        return "."
    return "; did you mean " + " or ".join(repr(c) for c in close) + "?"


def require_range(name: str, value: int, low: int, high: int, *, bound: str = "") -> None:
    """Raise `SpecError` unless `value` is an integer in `low..high`. `bound` explains where the limits come from.

    >>> require_range("cut", 16, 0, 15, bound="0..2*width-1")
    Traceback (most recent call last):
    inexact.core.errors.SpecError: cut must be 0..2*width-1 (0..15), not 16
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        span = f"{bound} ({low}..{high})" if bound else f"{low}..{high}"
        raise SpecError(f"{name} must be {span}, not {value!r}")
