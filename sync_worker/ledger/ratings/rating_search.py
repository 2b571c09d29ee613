"""Ratings and deliveries that a person looks for: pages by key, each of a bounded cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, and_, false, or_, select

from sync_worker.core.values import InboxState, LinkState
from sync_worker.ledger.ratings.history_times import first_line_since
from sync_worker.ledger.ratings.rating_rows import (
    LinkRow,
    UnlinkedRow,
    link_rows,
    sites_by_id,
    unlinked_rows,
)
from sync_worker.ledger.ratings.search_ways import OF_A_MEANING, PRODUCTS, Ways
from sync_worker.ledger.statements.inbox import OPEN, is_of_site
from sync_worker.ledger.tables import history, inbox, link, link_value
from sync_worker.ledger.transactions import Transactions

PAGE = 50
BATCH = 500  # ratings of a product or site that are looked at in one statement
BATCHES = 10  # of them for one page; then a person says whether to look further
CHANGES = 20_000  # lines of the history, for what changed lately


class Standing(StrEnum):
    """How a rating stands, as a filter."""

    IN_STEP = "in_step"
    HELD = "held"
    STOPPED = "stopped"
    GONE = "gone"
    NOT_LINKED = "not_linked"


@dataclass(frozen=True, slots=True)
class RatingFilter:
    """Which ratings; what is ``None`` does not matter.

    ``differs``: something of it is held, it stands still, or one side alone has it. ``product``: an
    id, or the start of a title.
    """

    site_id: int | None = None
    state: Standing | None = None
    differs: bool = False
    product: str | None = None
    changed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundRows:
    """A page. ``after``: the key of the next one. ``is_cut``: the word means more than was looked
    at.
    """

    ratings: Sequence[LinkRow] = ()
    deliveries: Sequence[UnlinkedRow] = ()
    after: int | None = None
    is_cut: bool = False


class RatingSearch:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def find(self, word: str, which: RatingFilter, after: int | None = None) -> FoundRows:
        """The newest first; deliveries without a rating on the first page only."""
        with self._transactions.read() as connection:
            page = _Page(connection, word.strip(), which, after)
            ids, following = page.ratings()
            deliveries: list[int] = []
            if after is None:
                deliveries = page.deliveries()
            return FoundRows(
                link_rows(connection, ids),
                unlinked_rows(connection, deliveries),
                following,
                page.is_cut,
            )

    def one(self, link_id: int, site_id: int | None) -> LinkRow | None:
        """A rating by its number; ``None``: there is none, or not on this site."""
        with self._transactions.read() as connection:
            found = link_rows(connection, [link_id])
        if not found or site_id not in (None, found[0].site.id):
            return None
        return found[0]


class _Page:
    def __init__(
        self, connection: Connection, word: str, which: RatingFilter, after: int | None
    ) -> None:
        self._connection, self._word, self._which, self._after = connection, word, which, after
        self._ways = Ways(connection, word, which.site_id)
        self.is_cut = False
        self._products = self._ways.products() if word else []

    # -- ratings

    def ratings(self) -> tuple[list[int], int | None]:
        """The numbers of one page, and the key of the next."""
        if self._which.state is Standing.NOT_LINKED:
            return [], None
        is_it = self._is_chosen()
        found: list[int] = []
        below = self._after
        for _ in range(BATCHES):
            looked_at, is_all = self._batch(below)
            found += self._chosen(looked_at, is_it)
            if len(found) > PAGE:
                return found[:PAGE], found[PAGE - 1]
            if is_all:
                return found, None
            below = looked_at[-1]
        return found, below

    def _batch(self, below: int | None) -> tuple[list[int], bool]:
        """Numbers of links that may be meant, the newest first; whether these are all."""
        if self._word:
            return self._batch_of_word(below)
        if self._which.changed_since is not None:
            return self._changed(below), True
        if self._which.product:
            products = Ways(self._connection, self._which.product, self._which.site_id).products()
            return _merged([self._ordered(link.c.entity_id == one, below) for one in products])
        return _merged([self._ordered(self._is_on_site(), below)])

    def _batch_of_word(self, below: int | None) -> tuple[list[int], bool]:
        parts = [(self._exact(below), True)]
        self.is_cut |= len(self._products) == PRODUCTS
        parts += [self._ordered(link.c.entity_id == one, below) for one in self._products]
        parts += [self._ordered(link.c.site_id == one, below) for one in self._ways.sites()]
        return _merged(parts)

    def _exact(self, below: int | None) -> list[int]:
        ids: set[int] = set()
        for way in self._ways.links():
            found = self._connection.execute(way.limit(OF_A_MEANING)).scalars().all()
            self.is_cut |= len(found) == OF_A_MEANING
            ids.update(found)
        return sorted((one for one in ids if below is None or one < below), reverse=True)

    def _ordered(self, which: Any, below: int | None) -> tuple[list[int], bool]:
        asked = select(link.c.id).where(which)
        if below is not None:
            asked = asked.where(link.c.id < below)
        newest = asked.order_by(link.c.id.desc()).limit(BATCH)
        found = list(self._connection.execute(newest).scalars())
        return found, len(found) < BATCH

    def _changed(self, below: int | None) -> list[int]:
        first = first_line_since(self._connection, self._which.changed_since)
        lines = select(history.c.link_id).where(history.c.id >= first)
        if self._which.site_id is not None:
            lines = lines.where(history.c.site_id == self._which.site_id)
        newest = lines.order_by(history.c.id.desc()).limit(CHANGES).subquery()
        asked = select(newest.c.link_id).where(newest.c.link_id.is_not(None)).distinct()
        found = sorted(self._connection.execute(asked).scalars(), reverse=True)
        return [one for one in found if below is None or one < below]

    def _chosen(self, ids: Sequence[int], is_it: Any) -> list[int]:
        found: list[int] = []
        for start in range(0, len(ids), BATCH):
            some = link.c.id.in_(ids[start : start + BATCH])
            asked = select(link.c.id).where(some, is_it).order_by(link.c.id.desc())
            found += self._connection.execute(asked.limit(PAGE + 1)).scalars()
            if len(found) > PAGE:
                break
        return found

    def _is_on_site(self) -> Any:
        if self._which.site_id is None:
            return link.c.id > 0
        return link.c.site_id == self._which.site_id

    def _is_chosen(self) -> Any:
        which, parts = self._which, [link.c.id > 0]
        if which.site_id is not None:
            # Reckoned, so that PostgreSQL looks at these links and not at all of a large site.
            parts.append(link.c.site_id + 0 == which.site_id)
        if which.state is not None:
            parts.append(_stands(which.state))
        if which.differs:
            parts.append(_differs())
        if which.product and self._word:
            products = Ways(self._connection, which.product, which.site_id).products()
            parts.append(link.c.entity_id.in_(products))
        if which.changed_since is not None:
            first = first_line_since(self._connection, which.changed_since)
            changed = (history.c.link_id == link.c.id) & (history.c.id >= first)
            parts.append(_has(history.c.id, changed))
        return and_(*parts)

    # -- deliveries without a rating

    def deliveries(self) -> list[int]:
        """The newest that fit, of at most a page."""
        which = self._which
        if which.state not in (None, Standing.NOT_LINKED, Standing.HELD):
            return []
        ids = self._unlinked_ids()
        chosen = inbox.c.id.in_(ids) & inbox.c.link_id.is_(None) & self._is_from_site()
        chosen &= _tells_of_a_rating()
        if which.state is Standing.HELD:
            chosen &= inbox.c.state == str(InboxState.HELD)
        if which.changed_since is not None:
            chosen &= inbox.c.received_at >= which.changed_since.timestamp()
        asked = select(inbox.c.id).where(chosen).order_by(inbox.c.id.desc()).limit(PAGE + 1)
        found = list(self._connection.execute(asked).scalars())
        self.is_cut |= len(found) > PAGE
        return found[:PAGE]

    def _unlinked_ids(self) -> list[int]:
        if self._word:
            ways = list(self._ways.deliveries(self._products))
        elif self._which.product:
            named = Ways(self._connection, self._which.product, self._which.site_id)
            ways = list(named.deliveries(named.products()))
        else:
            ways = list(self._newest_unlinked())
        ids: set[int] = set()
        for way in ways:
            found = self._connection.execute(way.limit(OF_A_MEANING)).scalars().all()
            self.is_cut |= bool(self._word) and len(found) == OF_A_MEANING
            ids.update(found)
        return sorted(ids, reverse=True)

    def _newest_unlinked(self) -> Iterator[Select[Any]]:
        """Only where somebody asks for these alone: *Needs you* has them all."""
        if self._which.state is Standing.NOT_LINKED:
            is_held = inbox.c.link_id.is_(None) & (inbox.c.state == str(InboxState.HELD))
            held = select(inbox.c.id).where(is_held, self._is_from_site())
            yield held.order_by(inbox.c.id.desc())

    def _is_from_site(self) -> Any:
        if self._which.site_id is None:
            return inbox.c.id > 0
        its = sites_by_id(self._connection, [self._which.site_id]).get(self._which.site_id)
        return false() if its is None else is_of_site(its)


def _tells_of_a_rating() -> Any:
    return inbox.c.change.in_(("upsert", "delete", "create_failed")) & inbox.c.state.in_(
        (*OPEN, str(InboxState.HELD), str(InboxState.DONE))
    )


def _merged(parts: Sequence[tuple[list[int], bool]]) -> tuple[list[int], bool]:
    """Several lists in one, the highest first, down to where each of them is complete."""
    floor = max((found[-1] for found, is_all in parts if not is_all), default=None)
    numbers = {one for found, _ in parts for one in found if floor is None or one >= floor}
    return sorted(numbers, reverse=True), floor is None


def _has(column: Any, which: Any) -> Any:
    """Whether the link has such a row, asked for each link by its index, never for all at once."""
    return select(column).where(which).limit(1).scalar_subquery().is_not(None)


def _is_held() -> Any:
    is_held = inbox.c.state == str(InboxState.HELD)
    return _has(inbox.c.id, (inbox.c.link_id == link.c.id) & is_held)


def _is_open() -> Any:
    return _has(inbox.c.id, (inbox.c.link_id == link.c.id) & inbox.c.state.in_(OPEN))


def _stands(state: Standing) -> Any:
    match state:
        case Standing.GONE:
            return link.c.state == str(LinkState.BURIED)
        case Standing.STOPPED:
            return link.c.state == str(LinkState.HELD)
        case Standing.HELD:
            return _is_held()
        case _:
            return (link.c.state == str(LinkState.LIVE)) & ~_is_held() & ~_is_open()


def _differs() -> Any:
    is_live = link.c.state == str(LinkState.LIVE)
    its_value = (link_value.c.link_id == link.c.id) & link_value.c.wix_id.is_not(None)
    on_wix = _has(link_value.c.wix_id, its_value)
    is_outside = link.c.external_id.is_not(None)
    is_on_one_side = is_live & or_(on_wix & ~is_outside, ~on_wix & is_outside)
    return or_(_is_held(), link.c.state == str(LinkState.HELD), is_on_one_side)
