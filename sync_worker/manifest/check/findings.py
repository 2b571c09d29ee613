"""What a check of a manifest found. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``wrong`` says what is wrong and is empty if nothing is.

    ``advice``: it works, and should be changed. ``place``: the key of the manifest to look at.
    """

    what: str
    wrong: str = ""
    advice: str = ""
    place: str = ""

    @property
    def is_good(self) -> bool:
        return not self.wrong


def failures(findings: Sequence[Finding]) -> int:
    return sum(not finding.is_good for finding in findings)
