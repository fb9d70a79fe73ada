"""What checks gave, in a file that is whole after every claim: by claim, hash of its record, and version of the package."""

from __future__ import annotations

import functools
import importlib.metadata
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, final

from inexact.atlas.claims._claim import Claim
from inexact.atlas.claims._tolerance import VERDICTS
from inexact.atlas.claims.checks._base import Measured
from inexact.core.errors import ClaimError
from inexact.core.files import write_text

FORMAT = 1


@final
@dataclass(frozen=True, kw_only=True)
class Result:
    """One claim's outcome. sha256: of the claim's record as it was run. measured: None, and reason a sentence, where nothing could be run.

    seconds: wall time. date: ISO day.
    """

    id: str
    sha256: str
    verdict: str
    measured: Measured | None
    reason: str
    seconds: float
    date: str

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {**vars(self), "measured": None if self.measured is None else asdict(self.measured)}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Result:
        """The inverse of `to_json`. Raises ClaimError for what is none."""
        try:
            measured = None if found["measured"] is None else Measured(**found["measured"])
            result = cls(**{**found, "measured": measured})
        except (KeyError, TypeError) as error:
            raise ClaimError(f"a result must have the fields of this version: {error}") from error
        if result.verdict not in VERDICTS:
            raise ClaimError(f"a verdict must be one of {', '.join(VERDICTS)}, not {result.verdict!r}")
        return result


@final
@dataclass(frozen=True, kw_only=True)
class Results:
    """Outcomes by claim id. command: that wrote the file. version: of inexact."""

    command: str
    version: str
    found: dict[str, Result]

    @classmethod
    def empty(cls, command: str = "") -> Results:
        """None yet, of this version."""
        return cls(command=command, version=importlib.metadata.version("inexact"), found={})

    @classmethod
    def parse(cls, text: str, where: str) -> Results:
        """Read the text of a file. Raises ClaimError when it holds no results, or those of another version."""
        try:
            content = json.loads(text)
            version, format_ = content["inexact"], content["claim_results"]
        except (ValueError, KeyError, TypeError) as error:
            raise ClaimError(f"{where} must be a file that `inexact claim run --results` wrote: {error!r}; name another file") from error
        own = importlib.metadata.version("inexact")
        if (version, format_) != (own, FORMAT):
            raise ClaimError(
                f"{where} must come from this version of inexact ({own}, format {FORMAT}), not from {version}, format {format_}; "
                "choose another --results, or run the claims again"
            )
        results = [Result.from_json(row) for row in content["results"]]
        return cls(command=content["command"], version=version, found={result.id: result for result in results})

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file. Raises ClaimError as `parse`."""
        try:
            return cls.parse(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ClaimError(f"results {path} cannot be read: {error}") from error

    def of(self, claim: Claim) -> Result | None:
        """The outcome of a claim as its record now stands; None when it has not been run."""
        result = self.found.get(claim.id)
        return result if result is not None and result.sha256 == claim.sha256 else None

    def with_result(self, result: Result) -> Results:
        """These results and one more, which replaces an earlier one of the same claim."""
        return Results(command=self.command, version=self.version, found={**self.found, result.id: result})

    def save(self, path: Path) -> None:
        """Write the file by atomic rename."""
        rows = ",\n".join(json.dumps(result.to_json()) for _, result in sorted(self.found.items()))
        head = json.dumps({"claim_results": FORMAT, "inexact": self.version, "command": self.command})[:-1]
        write_text(path, f'{head}, "results": [\n{rows}\n]}}\n')


@functools.cache
def shipped_results() -> Results:
    """The results that come with the package."""
    file = resources.files("inexact.atlas.claims").joinpath("results.json")
    return Results.parse(file.read_text(encoding="utf-8"), "results.json of the package")
