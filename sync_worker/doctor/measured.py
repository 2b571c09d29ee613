"""One property of a system: what is declared beside what was seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """One property: what is declared, and what was seen.

    ``declared``: ``None`` where nothing is declared; ``is_known``: false where nothing could be
    measured. ``key``: of the manifest, to look at where both differ.
    """

    what: str
    declared: str | None
    seen: str
    is_known: bool = True
    key: str = ""

    @property
    def differs(self) -> bool:
        return self.is_known and self.declared is not None and self.declared != self.seen


def yes_no(is_so: bool) -> str:
    return "yes" if is_so else "no"
