"""Search: where is the rating of …? Ratings, and deliveries that have come to none yet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from sync_worker.ledger.ratings.rating_search import RatingFilter, RatingSearch, Standing
from sync_worker.services.access.who import Right, Who
from sync_worker.services.ratings.shaping import delivery_found, rating_found
from sync_worker.services.ratings.values import Found, RatingFound

__all__ = ["RatingFilter", "Search", "Standing"]

CSV_ROWS = 10_000
# A spreadsheet takes what begins so for a formula.
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = tuple(RatingFound.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Search:
    """Every method checks the rights of ``who``; an owner finds what is on their site alone."""

    ratings: RatingSearch

    def find(
        self, who: Who, word: str, which: RatingFilter | None = None, after: int | None = None
    ) -> Found:
        """A page, newest first. Raises Forbidden, Transient."""
        which = scoped(who, which or RatingFilter())
        rows = self.ratings.find(word, which, after)
        return Found(
            tuple(rating_found(who, row) for row in rows.ratings),
            tuple(delivery_found(row) for row in rows.deliveries),
            rows.after,
            rows.is_cut,
        )

    def as_csv(self, who: Who, word: str, which: RatingFilter | None = None) -> Iterator[str]:
        """The ratings of a search, at most CSV_ROWS of them, line by line."""
        yield _line(COLUMNS)
        after, left = None, CSV_ROWS
        while left > 0:
            found = self.find(who, word, which, after)
            for one in found.ratings[:left]:
                yield _line([_cell(value) for value in asdict(one).values()])
            left -= len(found.ratings)
            after = found.after
            if after is None:
                return


def scoped(who: Who, which: RatingFilter) -> RatingFilter:
    """What they may look at: all, or one site. Raises Forbidden."""
    if who.site_id is not None:
        which = replace(which, site_id=which.site_id or who.site_id)
    who.check(Right.LOOK, which.site_id)
    return which


def _line(cells: tuple[str, ...] | list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    told = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{told}" if told.startswith(FORMULA) else told
