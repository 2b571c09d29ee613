"""Activity: what happened, in words, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync_worker.ledger.ratings.activity_lines import PAGE, ActivityFilter, ActivityLines
from sync_worker.services.access.who import Right, Who
from sync_worker.services.ratings.shaping import line_of
from sync_worker.services.ratings.values import Line, Lines

__all__ = ["Activity", "ActivityFilter"]


@dataclass(frozen=True, slots=True)
class Activity:
    """Every method checks the rights of ``who``; an owner sees their site alone."""

    lines: ActivityLines

    def page(
        self,
        who: Who,
        which: ActivityFilter | None = None,
        after: int | None = None,
        limit: int = PAGE,
    ) -> Lines:
        """Lines below the number ``after``. Raises Forbidden, Transient."""
        which = which or ActivityFilter()
        if who.site_id is not None:
            which = replace(which, site_id=which.site_id or who.site_id)
        who.check(Right.LOOK, which.site_id)
        found = self.lines.page(which, after, limit)
        shown = [line_of(who, line, found.ratings.get(line.link_id or 0)) for line in found.lines]
        return Lines(tuple(shown), found.after, found.looked_back_to)

    def numbered(self, who: Who, numbers: Sequence[int]) -> dict[int, Line]:
        """The lines with these numbers, those of others' sites left out."""
        found = self.lines.numbered(sorted(numbers))
        return {
            line.id: line_of(who, line, found.ratings.get(line.link_id or 0))
            for line in found.lines
            if who.may(Right.LOOK, line.site_id)
        }
